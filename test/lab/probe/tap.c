/* Watches what a guest is asked and what it answers, at its own tap: UDP to PORT and from it, with the kernel's times; that it
 * is asked for its address (ARP, neighbour solicitation); and that it says anything else at all, but for the RARP that QEMU
 * sends in its name.
 *   tap FILE NETNS INTERFACE PORT LIMIT
 * Waits for the interface; ends after LIMIT packets or by SIGTERM. Records like the prober's, see records.ts. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MARK = 5, REQUEST, REPLY, SPOKE, ASKED };
#define SOLICITATION 135 /* RFC 4861, section 4.3 */
#define BATCH 64
#define PACKET 128
#define LOOK_NS 5000000L

struct record { uint16_t stream, type; uint32_t sequence; uint64_t a, b; };
struct message { uint32_t sequence, stream; uint64_t sent; };

static volatile sig_atomic_t stopping;
static void on_signal(int number) { (void)number; stopping = 1; }
static void die(const char *what) { perror(what); exit(1); }

/* All that comes from the guest but RARP; ARP, ICMPv6, and UDP whose destination is PORT, to the guest. Offsets count from the network header, as the socket is SOCK_DGRAM (packet(7)). */
static void attach_filter(int fd, uint16_t port) {
  struct sock_filter code[] = {
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (unsigned)SKF_AD_OFF + SKF_AD_PROTOCOL),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_RARP, 15, 0),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (unsigned)SKF_AD_OFF + SKF_AD_PKTTYPE),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 14),
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (unsigned)SKF_AD_OFF + SKF_AD_PROTOCOL),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_ARP, 12, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 4, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 9),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
    BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
    BPF_STMT(BPF_JMP | BPF_JA, 3),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 5, 0),
    BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 40),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 2),
    BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, 0),
    BPF_STMT(BPF_RET | BPF_K, PACKET),
  };
  struct sock_fprog program = {sizeof code / sizeof code[0], code};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0) die("filter");
}

static unsigned await_link(const char *name) {
  unsigned index = 0;
  struct timespec pause = {0, LOOK_NS};
  while (!stopping && (index = if_nametoindex(name)) == 0) nanosleep(&pause, NULL);
  if (stopping) exit(0);
  return index;
}

static int open_socket(unsigned index, uint16_t port) {
  int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0), size = 4 << 20, on = 1;
  struct timeval wait = {0, 20000};
  struct sockaddr_ll link = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)index};
  if (fd < 0) die("socket");
  attach_filter(fd, port);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) < 0) die("timestamps");
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) < 0) die("timeout");
  if (bind(fd, (struct sockaddr *)&link, sizeof link) < 0) die("bind");
  return fd;
}

/* Offset of the UDP header of a packet; 0 for anything else. */
static size_t find_udp(const unsigned char *packet, size_t size, uint16_t protocol) {
  if (size < 40) return 0;
  if (protocol == ETH_P_IP) return packet[9] == IPPROTO_UDP ? (size_t)(packet[0] & 15) * 4 : 0;
  return protocol == ETH_P_IPV6 && packet[6] == IPPROTO_UDP ? 40 : 0;
}

static int is_question(const unsigned char *packet, size_t size, uint16_t protocol) {
  return protocol == ETH_P_ARP || (protocol == ETH_P_IPV6 && size > 40 && packet[6] == IPPROTO_ICMPV6 && packet[40] == SOLICITATION);
}

/* Type 0 for what is nothing to anybody. */
static struct record parse(const unsigned char *packet, size_t size, uint16_t port, const struct sockaddr_ll *link) {
  uint16_t protocol = ntohs(link->sll_protocol), ports[2];
  int to_guest = link->sll_pkttype == PACKET_OUTGOING;
  int other = !to_guest ? SPOKE : is_question(packet, size, protocol) ? ASKED : 0;
  size_t at = find_udp(packet, size, protocol);
  struct message message;
  if (at == 0 || size < at + 8 + sizeof message) return (struct record){0, (uint16_t)other, 0, 0, 0};
  memcpy(ports, packet + at, sizeof ports);
  memcpy(&message, packet + at + 8, sizeof message);
  if (ntohs(ports[to_guest ? 1 : 0]) != port) return (struct record){0, (uint16_t)other, 0, 0, 0};
  return (struct record){(uint16_t)message.stream, to_guest ? REQUEST : REPLY, message.sequence, message.sent, 0};
}

static uint64_t stamp_of(struct msghdr *header) {
  for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
    struct timespec t;
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS) continue;
    memcpy(&t, CMSG_DATA(c), sizeof t);
    return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
  }
  return 0;
}

static void put(int out, const struct record *records, size_t count) {
  size_t size = count * sizeof *records;
  if (size > 0 && write(out, records, size) != (ssize_t)size) die("write");
}

static size_t read_batch(int fd, uint16_t port, struct record *records) {
  static unsigned char packets[BATCH][PACKET];
  static char controls[BATCH][64];
  static struct sockaddr_ll links[BATCH];
  struct mmsghdr headers[BATCH];
  struct iovec parts[BATCH];
  size_t count = 0;
  for (int i = 0; i < BATCH; i++) {
    parts[i] = (struct iovec){packets[i], PACKET};
    headers[i].msg_hdr = (struct msghdr){&links[i], sizeof links[i], &parts[i], 1, controls[i], sizeof controls[i], 0};
  }
  int got = recvmmsg(fd, headers, BATCH, MSG_WAITFORONE, NULL);
  for (int i = 0; i < got; i++) {
    records[count] = parse(packets[i], headers[i].msg_len, port, &links[i]);
    if (records[count].type == 0) continue;
    records[count++].b = stamp_of(&headers[i].msg_hdr);
  }
  return count;
}

int main(int argc, char **argv) {
  if (argc != 6) { fprintf(stderr, "usage: tap FILE NETNS INTERFACE PORT LIMIT\n"); return 2; }
  uint16_t port = (uint16_t)atoi(argv[4]);
  size_t limit = strtoul(argv[5], NULL, 10), seen = 0;
  struct timespec rest = {0, 10000000L};
  signal(SIGTERM, on_signal);
  int out = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  int netns = open(argv[2], O_RDONLY | O_CLOEXEC);
  if (out < 0 || netns < 0 || setns(netns, CLONE_NEWNET) < 0) die("open");
  close(netns);
  int fd = open_socket(await_link(argv[3]), port);
  while (!stopping && seen < limit) {
    struct record records[BATCH];
    size_t count = read_batch(fd, port, records);
    put(out, records, count);
    seen += count;
    if (count > 0) nanosleep(&rest, NULL); /* in batches: a wake-up per packet would cost the guest its processor */
  }
  return 0;
}
