/* Dirties memory at a steady rate, so that a live migration has something to copy again.
 *   dirty MIB RATE   in the background, RATE MiB a second over MIB MiB
 *   dirty stop       ends it */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define PER_MIB (1048576 / PAGE)
#define TICK_NS 20000000L
#define TICKS 50
static const char *const PID_FILE = "/run/dirty.pid";

static void stop(void) {
  FILE *file = fopen(PID_FILE, "r");
  int pid = 0;
  if (!file) return;
  if (fscanf(file, "%d", &pid) == 1 && pid > 1) kill(pid, SIGKILL);
  fclose(file);
  unlink(PID_FILE);
}

static void note_pid(void) {
  FILE *file = fopen(PID_FILE, "w");
  if (!file) exit(1);
  fprintf(file, "%d\n", (int)getpid());
  fclose(file);
}

static void run(volatile unsigned char *memory, size_t pages, size_t per_tick) {
  struct timespec next;
  size_t at = 0;
  unsigned char value = 1;
  clock_gettime(CLOCK_MONOTONIC, &next);
  for (;;) {
    for (size_t i = 0; i < per_tick; i++) {
      memory[at * PAGE] = value;
      if (++at == pages) { at = 0; value++; }
    }
    next.tv_nsec += TICK_NS;
    if (next.tv_nsec >= 1000000000L) { next.tv_nsec -= 1000000000L; next.tv_sec++; }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
  }
}

int main(int argc, char **argv) {
  if (argc == 2 && !strcmp(argv[1], "stop")) { stop(); return 0; }
  size_t pages = argc == 3 ? strtoul(argv[1], NULL, 10) * PER_MIB : 0;
  size_t per_tick = argc == 3 ? strtoul(argv[2], NULL, 10) * PER_MIB / TICKS : 0;
  if (!pages || !per_tick) { fprintf(stderr, "usage: dirty MIB RATE | dirty stop\n"); return 2; }
  stop();
  unsigned char *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) { perror("mmap"); return 1; }
  if (daemon(0, 0) < 0) { perror("daemon"); return 1; }
  note_pid();
  run(memory, pages, per_tick);
}
