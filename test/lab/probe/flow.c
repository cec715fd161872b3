/* How fast the path between two programs is; the same program in a pod and in a guest.
 *   flow serve PORT           answers UDP and counts TCP, one connection after the other, until it is killed
 *   flow daemon PORT          the same in the background
 *   flow give PORT FILE       hands FILE to whoever connects, until it is killed
 *   flow ping IP PORT COUNT   one UDP request after the other; prints each round trip in microseconds, "lost" for none
 *   flow fill IP PORT MS      sends by TCP what the path takes; prints what the other end counted: bytes, nanoseconds */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (128 * 1024)
#define REQUEST 64
#define ANSWER_S 1
#define IDLE_S 5
/* What was sent may lie in buffers for a while behind a slow receiver. */
#define DRAIN_S 20

struct count { uint64_t bytes, ns; };
static char chunk[CHUNK];

static void die(const char *what) { perror(what); exit(1); }

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static void limit(int fd, int option, int seconds) {
  struct timeval t = {seconds, 0};
  if (setsockopt(fd, SOL_SOCKET, option, &t, sizeof t) < 0) die("setsockopt");
}

static uint16_t parse_port(const char *text) {
  int port = atoi(text);
  if (port < 1 || port > 65535) { fprintf(stderr, "no port: %s\n", text); exit(2); }
  return htons((uint16_t)port);
}

static int listen_on(int type, const char *port) {
  int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), on = 1;
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = parse_port(port)};
  if (fd < 0) die("socket");
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&any, sizeof any) < 0) die("bind");
  if (type == SOCK_STREAM && listen(fd, 8) < 0) die("listen");
  return fd;
}

static int connect_to(int type, const char *ip, const char *port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = parse_port(port)};
  if (inet_pton(AF_INET, ip, &to.sin_addr) != 1) { fprintf(stderr, "no address: %s\n", ip); exit(2); }
  int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  limit(fd, SO_SNDTIMEO, IDLE_S); /* also how long connect waits (socket(7)) */
  if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) die("connect");
  return fd;
}

static void answer(int udp) {
  struct sockaddr_in peer;
  socklen_t size = sizeof peer;
  ssize_t got = recvfrom(udp, chunk, sizeof chunk, 0, (struct sockaddr *)&peer, &size);
  if (got >= 0) (void)sendto(udp, chunk, (size_t)got, 0, (struct sockaddr *)&peer, size);
}

/* The clock runs from the first byte to the end, so neither opening the connection nor sender's buffers count. */
static void count_all(int listener) {
  struct count count = {0, 0};
  uint64_t first = 0;
  ssize_t got;
  int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (fd < 0) return;
  limit(fd, SO_RCVTIMEO, IDLE_S);
  while ((got = recv(fd, chunk, sizeof chunk, 0)) > 0) {
    if (count.bytes == 0) first = now_ns();
    count.bytes += (uint64_t)got;
  }
  if (got == 0 && count.bytes > 0) {
    count.ns = now_ns() - first;
    (void)send(fd, &count, sizeof count, MSG_NOSIGNAL);
  }
  close(fd);
}

static void serve(const char *port, int background) {
  struct pollfd fds[2] = {{listen_on(SOCK_DGRAM, port), POLLIN, 0}, {listen_on(SOCK_STREAM, port), POLLIN, 0}};
  if (background && daemon(0, 0) < 0) die("daemon");
  for (;;) {
    if (poll(fds, 2, -1) < 0) continue;
    if (fds[0].revents) answer(fds[0].fd);
    if (fds[1].revents) count_all(fds[1].fd);
  }
}

static void give(const char *port, const char *path) {
  int listener = listen_on(SOCK_STREAM, port);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) die(path);
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    off_t at = 0;
    if (fd < 0) continue;
    limit(fd, SO_SNDTIMEO, IDLE_S);
    limit(fd, SO_RCVTIMEO, IDLE_S);
    while (sendfile(fd, file, &at, 1 << 20) > 0) continue;
    shutdown(fd, SHUT_WR);
    while (recv(fd, chunk, sizeof chunk, 0) > 0) continue; /* closed with unread bytes, it would be reset */
    close(fd);
  }
}

/* Answers to older requests, which came too late, are passed over. */
static int await_answer(int fd, uint32_t sequence, uint64_t until) {
  uint32_t got;
  while (now_ns() < until) {
    ssize_t size = recv(fd, chunk, sizeof chunk, 0);
    if (size < 0) return 0;
    if (size != REQUEST) continue;
    memcpy(&got, chunk, sizeof got);
    if (got == sequence) return 1;
  }
  return 0;
}

static void ping(const char *ip, const char *port, uint32_t count) {
  char request[REQUEST] = {0};
  int fd = connect_to(SOCK_DGRAM, ip, port);
  limit(fd, SO_RCVTIMEO, ANSWER_S);
  for (uint32_t i = 0; i < count; i++) {
    memcpy(request, &i, sizeof i);
    uint64_t sent = now_ns();
    int answered = send(fd, request, sizeof request, 0) == REQUEST && await_answer(fd, i, sent + ANSWER_S * 1000000000ULL);
    if (answered) printf("%.1f\n", (double)(now_ns() - sent) / 1000);
    else printf("lost\n");
    if (!answered) usleep(10000); /* refused: not all of them at once */
  }
}

static void fill(const char *ip, const char *port, uint64_t ms) {
  struct count count;
  int fd = connect_to(SOCK_STREAM, ip, port);
  uint64_t end = now_ns() + ms * 1000000ULL;
  while (now_ns() < end)
    if (send(fd, chunk, sizeof chunk, MSG_NOSIGNAL) <= 0) die("send");
  shutdown(fd, SHUT_WR);
  limit(fd, SO_RCVTIMEO, DRAIN_S);
  if (recv(fd, &count, sizeof count, MSG_WAITALL) != (ssize_t)sizeof count) { fprintf(stderr, "no count came back\n"); exit(1); }
  printf("%llu %llu\n", (unsigned long long)count.bytes, (unsigned long long)count.ns);
}

int main(int argc, char **argv) {
  const char *verb = argc > 1 ? argv[1] : "";
  signal(SIGPIPE, SIG_IGN);
  if (argc == 3 && (!strcmp(verb, "serve") || !strcmp(verb, "daemon"))) serve(argv[2], verb[0] == 'd');
  else if (argc == 4 && !strcmp(verb, "give")) give(argv[2], argv[3]);
  else if (argc == 5 && !strcmp(verb, "ping")) ping(argv[2], argv[3], (uint32_t)strtoul(argv[4], NULL, 10));
  else if (argc == 5 && !strcmp(verb, "fill")) fill(argv[2], argv[3], strtoull(argv[4], NULL, 10));
  else {
    fprintf(stderr, "usage: flow serve|daemon PORT | give PORT FILE | ping IP PORT COUNT | fill IP PORT MS\n");
    return 2;
  }
  return 0;
}
