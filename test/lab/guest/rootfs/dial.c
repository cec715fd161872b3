/* Opens a TCP connection to each server and echoes what comes; one that is lost is opened again, also when the other end has
 * gone without a word: it only ever answers, and would not notice.
 *   dial PORT IP...   in the background
 *   dial stop         ends it */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_SERVERS 16
#define RETRY_MS 200
static const char *const PID_FILE = "/run/dial.pid";

struct server { struct sockaddr_storage address; socklen_t size; };
static struct server servers[MAX_SERVERS];
static struct pollfd fds[MAX_SERVERS];

static void stop(void) {
  FILE *file = fopen(PID_FILE, "r");
  int pid = 0;
  if (!file) return;
  if (fscanf(file, "%d", &pid) == 1 && pid > 1) kill(pid, SIGKILL);
  fclose(file);
  unlink(PID_FILE);
}

static int parse(const char *text, int port, struct server *server) {
  struct sockaddr_in *v4 = (struct sockaddr_in *)&server->address;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&server->address;
  if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons((uint16_t)port);
    server->size = sizeof *v4;
    return 1;
  }
  if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1) return 0;
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons((uint16_t)port);
  server->size = sizeof *v6;
  return 1;
}

static void keep_alive(int fd) {
  int on = 1, seconds = 2, tries = 3;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof tries);
}

static void dial(int i) {
  int fd = socket(servers[i].address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  keep_alive(fd);
  if (connect(fd, (struct sockaddr *)&servers[i].address, servers[i].size) < 0 && errno != EINPROGRESS) { close(fd); return; }
  fds[i] = (struct pollfd){fd, POLLIN, 0};
}

static void drop(int i) {
  close(fds[i].fd);
  fds[i].fd = -1;
}

/* Messages are small and answered one by one: what does not fit is a server that no longer reads. */
static void serve(int i) {
  char data[4096];
  ssize_t got = recv(fds[i].fd, data, sizeof data, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0 || send(fds[i].fd, data, (size_t)got, MSG_NOSIGNAL) != got) drop(i);
}

int main(int argc, char **argv) {
  int count = argc - 2;
  if (argc == 2 && !strcmp(argv[1], "stop")) { stop(); return 0; }
  if (count < 1 || count > MAX_SERVERS) { fprintf(stderr, "usage: dial PORT IP... | dial stop\n"); return 2; }
  for (int i = 0; i < count; i++) {
    if (!parse(argv[2 + i], atoi(argv[1]), &servers[i])) { fprintf(stderr, "no address: %s\n", argv[2 + i]); return 2; }
    fds[i].fd = -1;
  }
  stop();
  if (daemon(0, 0) < 0) { perror("daemon"); return 1; }
  FILE *file = fopen(PID_FILE, "w");
  if (!file) return 1;
  fprintf(file, "%d\n", (int)getpid());
  fclose(file);
  for (;;) {
    int closed = 0;
    for (int i = 0; i < count; i++) {
      if (fds[i].fd < 0) dial(i);
      if (fds[i].fd < 0) closed = 1;
    }
    int n = poll(fds, (nfds_t)count, closed ? RETRY_MS : -1);
    if (n <= 0) continue;
    for (int i = 0; i < count; i++) {
      if (fds[i].fd < 0 || !fds[i].revents) continue;
      serve(i);
      if (fds[i].fd < 0) usleep(RETRY_MS * 1000); /* refused: not again at once */
    }
  }
}
