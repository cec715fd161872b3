// frame NIC HEX...: sends each frame, from the Ethernet header on, as it is.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { LIMIT = 1514 };

int main(int argc, char **argv) {
  unsigned char bytes[LIMIT];
  int fd = socket(AF_PACKET, SOCK_RAW, 0);
  if (argc < 3 || fd < 0) return 2;
  struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(argv[1]), .sll_halen = ETH_ALEN};
  for (int i = 2; i < argc; i++) {
    int length = (int)strlen(argv[i]) / 2;
    if (length < ETH_HLEN || length > LIMIT) return 2;
    for (int at = 0; at < length; at++) {
      unsigned value;
      if (sscanf(argv[i] + 2 * at, "%2x", &value) != 1) return 2;
      bytes[at] = (unsigned char)value;
    }
    memcpy(to.sll_addr, bytes, ETH_ALEN);
    if (sendto(fd, bytes, (size_t)length, 0, (struct sockaddr *)&to, sizeof to) != length) {
      perror("frame");
      return 1;
    }
  }
  return 0;
}
