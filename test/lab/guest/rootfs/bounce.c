/* Answers UDP to one port in the NIC's driver (XDP), both families: under emulation the way up to a program and down again
 * costs ten times as much. Requests that do not look plain (VLAN, IP options) go on to the echo server.
 *   bounce NIC PORT   in the background
 *   bounce stop       ends it */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const PID_FILE = "/run/bounce.pid";

#define INSN(c, d, s, o, i) ((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define LOAD(size, d, s, o) INSN(BPF_LDX | BPF_MEM | (size), d, s, o, 0)
#define STORE(size, d, o, s) INSN(BPF_STX | BPF_MEM | (size), d, s, o, 0)
#define MOV(d, s) INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define MOVI(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ADDI(d, i) INSN(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define END INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define ETHER 14
#define MAX_PROGRAM 128

enum { R0, R1, R2, R3, R4, R5, R6 };

static struct bpf_insn program[MAX_PROGRAM];
static int length;
/* Jumps that leave for the end, where the packet is passed on. */
static int exits[32], exit_count;

static void add(struct bpf_insn insn) { program[length++] = insn; }

static void pass_unless(int size, int offset, int value) {
  add(LOAD(size, R4, R2, offset));
  exits[exit_count++] = length;
  add(INSN(BPF_JMP | BPF_JNE | BPF_K, R4, 0, 0, value));
}

/* Passes packets that are shorter than `bytes`: the verifier wants to see that. */
static void pass_shorter(int bytes) {
  add(MOV(R4, R2));
  add(ADDI(R4, bytes));
  exits[exit_count++] = length;
  add(INSN(BPF_JMP | BPF_JGT | BPF_X, R4, R3, 0, 0));
}

static void swap(int size, int a, int b) {
  add(LOAD(size, R4, R2, a));
  add(LOAD(size, R5, R2, b));
  add(STORE(size, R2, a, R5));
  add(STORE(size, R2, b, R4));
}

/* A checksum is a sum: what changes places does not change it. */
static void send_back(int source, int words, int udp) {
  for (int i = 0; i < 3; i++) swap(BPF_H, 2 * i, 6 + 2 * i);
  for (int i = 0; i < words; i++) swap(BPF_W, source + 4 * i, source + 4 * (words + i));
  swap(BPF_H, udp, udp + 2);
  add(MOVI(R0, XDP_TX));
  add(END);
}

static void assemble(int port) {
  int v4 = ETHER, v6 = ETHER, not_v4;
  add(LOAD(BPF_W, R2, R1, offsetof(struct xdp_md, data)));
  add(LOAD(BPF_W, R3, R1, offsetof(struct xdp_md, data_end)));
  pass_shorter(ETHER + 20 + 8);
  add(LOAD(BPF_H, R4, R2, 12));
  not_v4 = length;
  add(INSN(BPF_JMP | BPF_JNE | BPF_K, R4, 0, 0, htons(0x0800)));
  pass_unless(BPF_B, v4, 0x45);
  pass_unless(BPF_B, v4 + 9, IPPROTO_UDP);
  pass_unless(BPF_H, v4 + 20 + 2, htons((uint16_t)port));
  send_back(v4 + 12, 1, v4 + 20);
  program[not_v4].off = (int16_t)(length - not_v4 - 1);
  pass_unless(BPF_H, 12, htons(0x86dd));
  pass_shorter(ETHER + 40 + 8);
  pass_unless(BPF_B, v6 + 6, IPPROTO_UDP);
  pass_unless(BPF_H, v6 + 40 + 2, htons((uint16_t)port));
  send_back(v6 + 8, 4, v6 + 40);
  for (int i = 0; i < exit_count; i++) program[exits[i]].off = (int16_t)(length - exits[i] - 1);
  add(MOVI(R0, XDP_PASS));
  add(END);
}

static int call(int command, union bpf_attr *attr) { return (int)syscall(SYS_bpf, command, attr, sizeof *attr); }

static int attach(unsigned nic) {
  static char log[16384];
  union bpf_attr load = {.prog_type = BPF_PROG_TYPE_XDP, .insn_cnt = (uint32_t)length, .insns = (uint64_t)(uintptr_t)program,
                         .license = (uint64_t)(uintptr_t)"GPL", .log_level = 1, .log_size = sizeof log,
                         .log_buf = (uint64_t)(uintptr_t)log};
  int fd = call(BPF_PROG_LOAD, &load);
  if (fd < 0) { fprintf(stderr, "load: %s\n%s\n", strerror(errno), log); return -1; }
  union bpf_attr link;
  memset(&link, 0, sizeof link);
  link.link_create.prog_fd = (uint32_t)fd;
  link.link_create.target_ifindex = nic;
  link.link_create.attach_type = BPF_XDP;
  fd = call(BPF_LINK_CREATE, &link);
  if (fd < 0) perror("attach");
  return fd;
}

static void stop(void) {
  FILE *file = fopen(PID_FILE, "r");
  int pid = 0;
  if (!file) return;
  if (fscanf(file, "%d", &pid) == 1 && pid > 1) kill(pid, SIGKILL);
  fclose(file);
  unlink(PID_FILE);
}

int main(int argc, char **argv) {
  if (argc == 2 && !strcmp(argv[1], "stop")) { stop(); return 0; }
  unsigned nic = argc == 3 ? if_nametoindex(argv[1]) : 0;
  if (nic == 0) { fprintf(stderr, "usage: bounce NIC PORT | bounce stop\n"); return 2; }
  stop();
  assemble(atoi(argv[2]));
  if (attach(nic) < 0) return 1;
  if (daemon(0, 0) < 0) { perror("daemon"); return 1; }
  FILE *file = fopen(PID_FILE, "w");
  if (!file) return 1;
  fprintf(file, "%d\n", (int)getpid());
  fclose(file);
  for (;;) pause(); /* the link lasts as long as we hold it */
}
