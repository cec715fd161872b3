import koffi from 'koffi';
import { fromErrno } from './errors.ts';

/**
 * The few libc calls that Node lacks, through koffi. All synchronous: they act on the calling thread, which matters for
 * setns(2). The C library is the one Node itself is linked with.
 */
type Call = (...args: readonly unknown[]) => number;

const lib = koffi.load(null);
const bind = (prototype: string): Call => lib.func(prototype) as Call;

const cSocket = bind('int socket(int domain, int type, int protocol)');
const cBind = bind('int bind(int fd, const void *address, uint32_t length)');
const cConnect = bind('int connect(int fd, const void *address, uint32_t length)');
const cSend = bind('intptr_t send(int fd, const void *buffer, size_t length, int flags)');
const cSendTo = bind(
  'intptr_t sendto(int fd, const void *buffer, size_t length, int flags, const void *address, uint32_t addressLength)',
);
const cRecv = bind('intptr_t recv(int fd, void *buffer, size_t length, int flags)');
const cSetSockOpt = bind('int setsockopt(int fd, int level, int option, const void *value, uint32_t length)');
const cIoctl = bind('int ioctl(int fd, unsigned long request, void *argument)');
const cClose = bind('int close(int fd)');
const cSetns = bind('int setns(int fd, int type)');
const cWaitPid = bind('int waitpid(int pid, void *status, int options)');

const EINTR = 4;
export const SOCK_RAW = 3;
export const SOCK_DGRAM = 2;
export const SOCK_CLOEXEC = 0o2000000;
export const CLONE_NEWNET = 0x40000000;
const WNOHANG = 1;
export const MSG_DONTWAIT = 0x40;
export const MSG_TRUNC = 0x20;

/** Runs a call until it is not interrupted; throws NetlinkError of its errno when it answers -1. */
function check(what: string, call: () => number): number {
  for (;;) {
    const result = Number(call());
    if (result >= 0) return result;
    const errno = koffi.errno();
    if (errno !== EINTR) throw fromErrno(errno, what);
  }
}

/** socket(2), close-on-exec. The socket belongs for ever to the network namespace of the calling thread. */
export function openSocket(domain: number, type: number, protocol: number): number {
  return check('socket', () => cSocket(domain, type | SOCK_CLOEXEC, protocol));
}

export function bindSocket(fd: number, address: Buffer): void {
  check('bind', () => cBind(fd, address, address.length));
}

export function connectSocket(fd: number, address: Buffer): void {
  check('connect', () => cConnect(fd, address, address.length));
}

export function setSocketOption(fd: number, level: number, option: { name: number; value: Buffer }): void {
  check('setsockopt', () => cSetSockOpt(fd, level, option.name, option.value, option.value.length));
}

export function sendBytes(fd: number, bytes: Buffer): void {
  check('send', () => cSend(fd, bytes, bytes.length, 0));
}

export function sendBytesTo(fd: number, bytes: Buffer, address: Buffer): void {
  check('sendto', () => cSendTo(fd, bytes, bytes.length, 0, address, address.length));
}

/** recv(2) into `buffer`; the number of bytes of the datagram (with MSG_TRUNC its full length). */
export function receiveInto(fd: number, buffer: Buffer, flags: number): number {
  return check('recv', () => cRecv(fd, buffer, buffer.length, flags));
}

/** ioctl(2) whose argument is a buffer, for instance a struct ifreq. */
export function ioctlBuffer(fd: number, request: number, argument: Buffer): void {
  check('ioctl', () => cIoctl(fd, request, argument));
}

export function closeFd(fd: number): void {
  cClose(fd);
}

/** setns(2) into a network namespace, for the calling thread alone. */
export function enterNetns(fd: number): void {
  check('setns', () => cSetns(fd, CLONE_NEWNET));
}

/** The address of a buffer's memory, for pointers inside structures. The buffer must outlive the call. */
export function findAddress(buffer: Buffer): bigint {
  return koffi.address(buffer);
}

/**
 * waitpid(2) without waiting, for one child: true when it had ended and is reaped now. False for one that runs, and for
 * what is no child of this process. Numbers that mean several children are refused: some of those are Node's own.
 */
export function reapChild(pid: number): boolean {
  return Number.isInteger(pid) && pid > 0 && Number(cWaitPid(pid, null, WNOHANG)) === pid;
}
