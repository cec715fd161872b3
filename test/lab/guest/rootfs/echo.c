/* Echo server of the lab's guests: UDP and TCP on one port, IPv4 and IPv6, one thread, asleep when idle. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER 16384
#define BATCH 32

/* Bytes of one connection that were read and could not be written back yet. */
struct connection {
  int fd;
  size_t start;
  size_t end;
  char data[BUFFER];
};

static int poller;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static int listen_on(int type, int port) {
  int fd = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int off = 0, on = 1;
  struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  if (fd < 0) die("socket");
  setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&any, sizeof any) < 0) die("bind");
  if (type == SOCK_STREAM && listen(fd, 128) < 0) die("listen");
  return fd;
}

static void watch(int fd, void *owner, int operation, unsigned events) {
  struct epoll_event event = {.events = events, .data.ptr = owner};
  if (epoll_ctl(poller, operation, fd, &event) < 0) die("epoll_ctl");
}

/*
 * The control message of the request is sent back with the answer, so the answer leaves from the address that was asked.
 * Many at a time: in an emulated guest each system call costs more than a datagram.
 */
static void answer_datagrams(int fd) {
  static char data[BATCH][2048], control[BATCH][64];
  static struct sockaddr_in6 peers[BATCH];
  static struct iovec parts[BATCH];
  static struct mmsghdr messages[BATCH];
  int got;
  do {
    for (int i = 0; i < BATCH; i++) {
      parts[i] = (struct iovec){data[i], sizeof data[i]};
      messages[i].msg_hdr = (struct msghdr){&peers[i], sizeof peers[i], &parts[i], 1, control[i], sizeof control[i], 0};
    }
    got = recvmmsg(fd, messages, BATCH, 0, NULL);
    for (int i = 0; i < got; i++) {
      struct msghdr *message = &messages[i].msg_hdr;
      parts[i].iov_len = messages[i].msg_len;
      for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) ((struct in6_pktinfo *)CMSG_DATA(c))->ipi6_ifindex = 0;
    }
    /* One that cannot be sent is passed over: it is a datagram. */
    for (int sent = 0; sent < got;) {
      int done = sendmmsg(fd, messages + sent, (unsigned)(got - sent), 0);
      sent += done > 0 ? done : 1;
    }
  } while (got == BATCH);
}

static void accept_all(int fd) {
  int peer;
  while ((peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    struct connection *c = calloc(1, sizeof *c);
    int on = 1;
    if (!c) { close(peer); continue; }
    setsockopt(peer, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    c->fd = peer;
    watch(peer, c, EPOLL_CTL_ADD, EPOLLIN);
  }
}

static void drop(struct connection *c) {
  close(c->fd);
  free(c);
}

/* Writes what is held, then reads more; while the peer does not read, neither do we. */
static void serve(struct connection *c) {
  for (;;) {
    while (c->start < c->end) {
      ssize_t put = send(c->fd, c->data + c->start, c->end - c->start, MSG_NOSIGNAL);
      if (put < 0 && errno == EAGAIN) { watch(c->fd, c, EPOLL_CTL_MOD, EPOLLOUT); return; }
      if (put <= 0) { drop(c); return; }
      c->start += (size_t)put;
    }
    ssize_t got = recv(c->fd, c->data, BUFFER, 0);
    if (got < 0 && errno == EAGAIN) { watch(c->fd, c, EPOLL_CTL_MOD, EPOLLIN); return; }
    if (got <= 0) { drop(c); return; }
    c->start = 0;
    c->end = (size_t)got;
  }
}

int main(int argc, char **argv) {
  int port = argc > 1 ? atoi(argv[1]) : 7;
  int udp = listen_on(SOCK_DGRAM, port), tcp = listen_on(SOCK_STREAM, port);
  static int udp_mark, tcp_mark;
  signal(SIGPIPE, SIG_IGN);
  poller = epoll_create1(EPOLL_CLOEXEC);
  watch(udp, &udp_mark, EPOLL_CTL_ADD, EPOLLIN);
  watch(tcp, &tcp_mark, EPOLL_CTL_ADD, EPOLLIN);
  for (;;) {
    struct epoll_event events[32];
    int n = epoll_wait(poller, events, 32, -1);
    for (int i = 0; i < n; i++) {
      void *owner = events[i].data.ptr;
      if (owner == &udp_mark) answer_datagrams(udp);
      else if (owner == &tcp_mark) accept_all(tcp);
      else serve(owner);
    }
  }
}
