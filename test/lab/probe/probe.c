/* Probes one guest from several network namespaces at once, until SIGTERM: one loop, so that a thousand rounds a second
 * cost one wake-up each.
 *   probe FILE INTERVAL_US TCP_MS PORT LISTEN IPV4 IPV6 NETNS...
 * UDP to PORT in each round, by the families in turn; a TCP connection to PORT by both families, and one that the guest opens to
 * LISTEN, with a message each TCP_MS, one connection after the other and never all at once. "-" stands for no address.
 * Records go to FILE, see records.ts. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { UDP4, UDP6, IN4, IN6, OUT4, OUT6, KINDS };
enum { ANSWER = 1, LATE, OPENED, CLOSED, MARK };
#define MAX_PLACES 8
#define BATCH 64
#define MARK_NS 50000000LL
#define LATE_NS 2000000LL
#define RETRY_NS 200000000LL

struct record { uint16_t stream, type; uint32_t sequence; uint64_t a, b; };
struct message { uint32_t sequence, stream; uint64_t sent; };
struct stream {
  int fd, listener, connecting;
  uint32_t sequence;
  uint64_t retry_at, due;
  size_t held;
  unsigned char part[sizeof(struct message)];
};

static struct stream streams[MAX_PLACES * KINDS];
static struct sockaddr_storage targets[2];
static int places, poller, out;
static struct record buffer[8192];
static size_t buffered;
static volatile sig_atomic_t stopping;

static void die(const char *what) { perror(what); exit(1); }
static void on_signal(int number) { (void)number; stopping = 1; }

static uint64_t now_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static void flush(void) {
  size_t left = buffered * sizeof buffer[0];
  const char *at = (const char *)buffer;
  while (left > 0) {
    ssize_t put = write(out, at, left);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) die("write");
    at += put;
    left -= (size_t)put;
  }
  buffered = 0;
}

static void note(int stream, int type, uint32_t sequence, uint64_t a, uint64_t b) {
  if (buffered == sizeof buffer / sizeof buffer[0]) flush();
  buffer[buffered++] = (struct record){(uint16_t)stream, (uint16_t)type, sequence, a, b};
}

static int family_of(int kind) { return kind % 2 == 0 ? AF_INET : AF_INET6; }
static const struct sockaddr_storage *target_of(int kind) { return &targets[kind % 2]; }
static int is_asked(int kind) { return target_of(kind)->ss_family != 0; }
static socklen_t size_of(int kind) {
  return kind % 2 == 0 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static void set(int fd, int level, int option, int value) {
  if (setsockopt(fd, level, option, &value, sizeof value) < 0) die("setsockopt");
}

static void watch(int fd, int stream, unsigned events) {
  struct epoll_event event = {.events = events, .data.u32 = (uint32_t)stream};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
}

static void parse_target(const char *text, const char *port, int kind) {
  struct sockaddr_in *v4 = (struct sockaddr_in *)&targets[kind];
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&targets[kind];
  uint16_t number = htons((uint16_t)atoi(port));
  if (!strcmp(text, "-")) return;
  void *address = kind == UDP4 ? (void *)&v4->sin_addr : (void *)&v6->sin6_addr;
  if (inet_pton(family_of(kind), text, address) != 1) { fprintf(stderr, "no address: %s\n", text); exit(2); }
  targets[kind].ss_family = (sa_family_t)family_of(kind);
  if (kind == UDP4) v4->sin_port = number;
  else v6->sin6_port = number;
}

static int open_socket(int kind, int type) {
  int fd = socket(family_of(kind), type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  return fd;
}

static void open_udp(int id, int kind) {
  int fd = open_socket(kind, SOCK_DGRAM);
  set(fd, SOL_SOCKET, SO_RCVBUF, 1 << 20);
  set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
  if (connect(fd, (const struct sockaddr *)target_of(kind), size_of(kind)) < 0) die("connect");
  streams[id].fd = fd;
}

static void open_listener(int id, int kind, const char *port) {
  struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port))};
  struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = any6.sin6_port};
  int fd = open_socket(kind, SOCK_STREAM);
  set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (kind == OUT6) set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (bind(fd, kind == OUT4 ? (void *)&any4 : (void *)&any6, size_of(kind)) < 0 || listen(fd, 8) < 0) die("listen");
  streams[id].listener = fd;
  watch(fd, id, EPOLLIN);
}

/* A socket belongs to the namespace in which it was made, so one process serves them all. The listeners come first: inbound
 * connections that are lost are opened again later, from the thread's last namespace, hence namespaces[]. */
static int namespaces[MAX_PLACES];

static void enter(int place) {
  if (setns(namespaces[place], CLONE_NEWNET) < 0) die("setns");
}

static void open_place(int place, const char *path, const char *listen_port) {
  namespaces[place] = open(path, O_RDONLY | O_CLOEXEC);
  if (namespaces[place] < 0) die(path);
  enter(place);
  for (int kind = 0; kind < KINDS; kind++) {
    int id = place * KINDS + kind;
    streams[id].fd = streams[id].listener = -1;
    if (!is_asked(kind)) continue;
    if (kind == UDP4 || kind == UDP6) open_udp(id, kind);
    if (kind == OUT4 || kind == OUT6) open_listener(id, kind, listen_port);
  }
}

static void drop(int id, int reason, uint64_t now) {
  struct stream *s = &streams[id];
  if (!s->connecting) note(id, CLOSED, (uint32_t)reason, now, 0);
  close(s->fd);
  s->fd = -1;
  s->connecting = 0;
  s->retry_at = now + RETRY_NS;
}

static void take_over(int id, int fd, uint64_t now) {
  struct stream *s = &streams[id];
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  s->fd = fd;
  s->held = 0;
  s->connecting = 0;
  note(id, OPENED, 0, now, 0);
}

static void dial(int id, int kind, uint64_t now) {
  enter(id / KINDS);
  int fd = open_socket(kind, SOCK_STREAM);
  if (connect(fd, (const struct sockaddr *)target_of(kind), size_of(kind)) < 0 && errno != EINPROGRESS) {
    close(fd);
    streams[id].retry_at = now + RETRY_NS;
    return;
  }
  streams[id].fd = fd;
  streams[id].connecting = 1;
  watch(fd, id, EPOLLIN | EPOLLOUT | EPOLLET);
}

static void accept_all(int id, uint64_t now) {
  int fd;
  while ((fd = accept4(streams[id].listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    if (streams[id].fd >= 0) drop(id, ECONNRESET, now);
    watch(fd, id, EPOLLIN | EPOLLET);
    take_over(id, fd, now);
  }
}

static void read_stream(int id) {
  struct stream *s = &streams[id];
  unsigned char data[4096];
  for (;;) {
    ssize_t got = recv(s->fd, data, sizeof data, 0);
    uint64_t now = now_ns(CLOCK_REALTIME);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) { drop(id, got == 0 ? 0 : errno, now); return; }
    for (ssize_t i = 0; i < got; i++) {
      s->part[s->held++] = data[i];
      if (s->held < sizeof s->part) continue;
      struct message m;
      memcpy(&m, s->part, sizeof m);
      s->held = 0;
      note(id, ANSWER, m.sequence, m.sent, now);
    }
  }
}

static void serve_tcp(void) {
  struct epoll_event events[64];
  int n = epoll_wait(poller, events, 64, 0);
  uint64_t now = now_ns(CLOCK_REALTIME);
  for (int i = 0; i < n; i++) {
    int id = (int)events[i].data.u32, kind = id % KINDS;
    struct stream *s = &streams[id];
    if (s->listener >= 0) accept_all(id, now);
    if (s->fd < 0) continue;
    if (s->connecting) {
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0 || (events[i].events & (EPOLLERR | EPOLLHUP))) { drop(id, error, now); continue; }
      if (!(events[i].events & EPOLLOUT)) continue;
      take_over(id, s->fd, now);
    }
    if (kind >= IN4 && (events[i].events & ~(unsigned)EPOLLOUT)) read_stream(id);
  }
}

static void send_tcp(uint64_t interval) {
  for (int id = 0; id < places * KINDS; id++) {
    struct stream *s = &streams[id];
    int kind = id % KINDS;
    uint64_t now = now_ns(CLOCK_REALTIME);
    if (kind < IN4 || !is_asked(kind) || now < s->due) continue;
    s->due = now + interval;
    if (s->fd < 0 && kind < OUT4 && now >= s->retry_at) dial(id, kind, now);
    if (s->fd < 0 || s->connecting) continue;
    struct message m = {s->sequence, (uint32_t)id, now};
    ssize_t put = send(s->fd, &m, sizeof m, MSG_NOSIGNAL);
    if (put == (ssize_t)sizeof m) s->sequence++;
    else if (put >= 0) drop(id, EPIPE, now); /* half a message: never with buffers this large */
    else if (errno != EAGAIN) drop(id, errno, now);
  }
}

/* One probe from each place; where both families are asked for, they take turns. */
static void send_udp(uint64_t round) {
  int turn = is_asked(UDP4) && is_asked(UDP6) ? (int)(round % 2) : is_asked(UDP4) ? UDP4 : UDP6;
  for (int id = 0; id < places * KINDS; id++) {
    if (id % KINDS != turn || streams[id].fd < 0) continue;
    struct message m = {streams[id].sequence++, (uint32_t)id, now_ns(CLOCK_REALTIME)};
    (void)send(streams[id].fd, &m, sizeof m, 0); /* refused or unreachable: the missing answer tells */
  }
}

static uint64_t stamp_of(struct msghdr *header) {
  for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
    struct timespec t;
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS) continue;
    memcpy(&t, CMSG_DATA(c), sizeof t);
    return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
  }
  return now_ns(CLOCK_REALTIME);
}

/* The kernel's own time of arrival: a prober that was late to read is not taken for a guest that was late to answer. */
static void read_udp(int id) {
  static struct message messages[BATCH];
  static char controls[BATCH][64];
  struct mmsghdr headers[BATCH];
  struct iovec parts[BATCH];
  for (int i = 0; i < BATCH; i++) {
    parts[i] = (struct iovec){&messages[i], sizeof messages[i]};
    headers[i].msg_hdr = (struct msghdr){NULL, 0, &parts[i], 1, controls[i], sizeof controls[i], 0};
  }
  int got = recvmmsg(streams[id].fd, headers, BATCH, MSG_DONTWAIT, NULL);
  for (int i = 0; i < got; i++) {
    if (headers[i].msg_len != sizeof(struct message)) continue;
    note(id, ANSWER, messages[i].sequence, messages[i].sent, stamp_of(&headers[i].msg_hdr));
  }
}

static void run(uint64_t interval, uint64_t tcp_interval) {
  uint64_t due = now_ns(CLOCK_MONOTONIC), next_mark = due, round = 0, start = now_ns(CLOCK_REALTIME);
  /* Messages of all connections at once would be a load of their own, each time. */
  for (int id = 0; id < places * KINDS; id++)
    streams[id].due = start + tcp_interval * (uint64_t)id / (uint64_t)(places * KINDS);
  while (!stopping) {
    due += interval;
    struct timespec at = {(time_t)(due / 1000000000ULL), (long)(due % 1000000000ULL)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
    uint64_t now = now_ns(CLOCK_MONOTONIC);
    if (now > due + LATE_NS) {
      uint64_t real = now_ns(CLOCK_REALTIME);
      note(0, LATE, 0, real - (now - due), real);
      due = now;
    }
    for (int id = 0; id < places * KINDS; id++)
      if (id % KINDS <= UDP6 && streams[id].fd >= 0) read_udp(id);
    send_udp(round++);
    serve_tcp();
    send_tcp(tcp_interval);
    if (now >= next_mark) {
      note(0, MARK, 0, now_ns(CLOCK_REALTIME), 0);
      flush();
      next_mark = now + MARK_NS;
    }
  }
  flush();
}

int main(int argc, char **argv) {
  if (argc < 9 || argc - 8 > MAX_PLACES) {
    fprintf(stderr, "usage: probe FILE INTERVAL_US TCP_MS PORT LISTEN IPV4|- IPV6|- NETNS...\n");
    return 2;
  }
  uint64_t interval = strtoull(argv[2], NULL, 10) * 1000, tcp_interval = strtoull(argv[3], NULL, 10) * 1000000;
  if (interval < 100000 || tcp_interval < 1000000) { fprintf(stderr, "interval too short\n"); return 2; }
  signal(SIGTERM, on_signal);
  signal(SIGINT, on_signal);
  signal(SIGPIPE, SIG_IGN);
  out = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (out < 0) die(argv[1]);
  poller = epoll_create1(EPOLL_CLOEXEC);
  if (poller < 0) die("epoll_create1");
  parse_target(argv[6], argv[4], UDP4);
  parse_target(argv[7], argv[4], UDP6);
  places = argc - 8;
  for (int place = 0; place < places; place++) open_place(place, argv[8 + place], argv[5]);
  mlockall(MCL_CURRENT | MCL_FUTURE);
  struct sched_param priority = {.sched_priority = 10};
  if (sched_setscheduler(0, SCHED_FIFO, &priority) < 0) die("sched_setscheduler");
  run(interval, tcp_interval);
  return 0;
}
