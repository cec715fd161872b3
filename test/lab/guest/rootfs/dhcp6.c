// dhcp6 NIC: asks for one address by DHCPv6 (RFC 8415 section 18.2: Solicit, Advertise, Request, Reply), once a second
// until it has one, and prints it. Debian's static busybox has no client for it.
#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SOLICIT = 1, ADVERTISE = 2, REQUEST = 3, REPLY = 7 };
enum { CLIENTID = 1, SERVERID = 2, IA_NA = 3, IAADDR = 5, ELAPSED = 8 };
enum { DUID_LL = 3, ETHERNET = 1, IAADDR_BYTES = 24, IA_BYTES = 12 };

static unsigned char duid[10];
static unsigned char server[128];
static int server_length;
static unsigned char address[16];

static int put(unsigned char *at, int code, const void *data, int length) {
  at[0] = 0;
  at[1] = code;
  at[2] = length >> 8;
  at[3] = length & 255;
  memcpy(at + 4, data, length);
  return 4 + length;
}

static int write_message(unsigned char *out, int type, unsigned id) {
  int n = 4;
  unsigned char ia[IA_BYTES + 4 + IAADDR_BYTES] = {0, 0, 0, 1};
  int ia_length = IA_BYTES;
  out[0] = type;
  out[1] = id >> 16;
  out[2] = id >> 8;
  out[3] = id;
  n += put(out + n, CLIENTID, duid, sizeof duid);
  if (type == REQUEST) {
    unsigned char lease[IAADDR_BYTES] = {0};
    memcpy(lease, address, sizeof address);
    n += put(out + n, SERVERID, server, server_length);
    ia_length += put(ia + IA_BYTES, IAADDR, lease, sizeof lease);
  }
  n += put(out + n, IA_NA, ia, ia_length);
  n += put(out + n, ELAPSED, "\0\0", 2);
  return n;
}

// Takes what is wanted from the options of a message, or of an IA; 1 when an address was among them.
static int read_options(const unsigned char *at, const unsigned char *end) {
  int found = 0;
  while (at + 4 <= end) {
    int code = at[0] << 8 | at[1], length = at[2] << 8 | at[3];
    const unsigned char *data = at + 4;
    if (data + length > end) break;
    if (code == SERVERID && length <= (int)sizeof server) memcpy(server, data, server_length = length);
    if (code == IA_NA && length >= IA_BYTES) found |= read_options(data + IA_BYTES, data + length);
    if (code == IAADDR && length >= IAADDR_BYTES) memcpy(address, data, sizeof address), found = 1;
    at = data + length;
  }
  return found;
}

// Sends a message and waits up to a second for the answer of that type.
static int ask(int fd, struct sockaddr_in6 *to, int type, int answer) {
  unsigned id = (unsigned)rand() & 0xffffff;
  unsigned char bytes[1500];
  struct pollfd ready = {.fd = fd, .events = POLLIN};
  sendto(fd, bytes, write_message(bytes, type, id), 0, (struct sockaddr *)to, sizeof *to);
  while (poll(&ready, 1, 1000) > 0) {
    int n = recv(fd, bytes, sizeof bytes, 0);
    if (n < 4 || bytes[0] != answer) continue;
    if ((unsigned)(bytes[1] << 16 | bytes[2] << 8 | bytes[3]) != id) continue;
    return read_options(bytes + 4, bytes + n);
  }
  return 0;
}

int main(int argc, char **argv) {
  struct ifreq nic = {0};
  char text[INET6_ADDRSTRLEN];
  int fd = socket(AF_INET6, SOCK_DGRAM, 0);
  if (argc != 2 || fd < 0 || strlen(argv[1]) >= sizeof nic.ifr_name) return 2;
  strcpy(nic.ifr_name, argv[1]);
  if (ioctl(fd, SIOCGIFHWADDR, &nic) < 0) return 2;
  memcpy(duid, (unsigned char[]){0, DUID_LL, 0, ETHERNET}, 4);
  memcpy(duid + 4, nic.ifr_hwaddr.sa_data, 6);
  srand(time(NULL) ^ getpid() ^ duid[9]);
  struct sockaddr_in6 from = {.sin6_family = AF_INET6, .sin6_port = htons(546)};
  struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(547), .sin6_scope_id = if_nametoindex(argv[1])};
  inet_pton(AF_INET6, "ff02::1:2", &to.sin6_addr);
  if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, argv[1], strlen(argv[1])) < 0) return 2;
  if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0) return 2;
  while (!ask(fd, &to, SOLICIT, ADVERTISE) || !ask(fd, &to, REQUEST, REPLY)) sleep(1);
  puts(inet_ntop(AF_INET6, address, text, sizeof text));
  return 0;
}
