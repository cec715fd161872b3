/* What runs in a lab launcher's containers: the guest itself is run from outside by the node half.
 * As virt-launcher-monitor it outlives SIGTERM, for the guest is shut down first, and ends when the node half says so:
 * SIGUSR1 with code 0, SIGUSR2 with code 1. As virt-tail it ends with its pod. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

static void succeed(int signal) {
  (void)signal;
  _exit(0);
}

static void fail(int signal) {
  (void)signal;
  _exit(1);
}

static void stay(int signal) { (void)signal; }

int main(int argc, char **argv) {
  (void)argc;
  const char *slash = strrchr(argv[0], '/');
  const char *name = slash ? slash + 1 : argv[0];
  signal(SIGUSR1, succeed);
  signal(SIGUSR2, fail);
  signal(SIGTERM, strcmp(name, "virt-tail") == 0 ? succeed : stay);
  for (;;) pause();
}
