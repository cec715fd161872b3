/*
 * mooring-cni: hands one CNI call to the node's agent and prints its answer. The wire is described in ../protocol.ts.
 *
 * No decision about networking is made here. What is left to do without the agent:
 *   ADD, CHECK, GC  wait up to 10 s for the socket (an agent that is being replaced), then fail with code 11;
 *   DEL             one second, then the call is put into the spool for the agent's reaper and counts as done:
 *                   a node whose agent is away must still be able to remove pods;
 *   STATUS          fails with code 50;
 *   VERSION         answered from the list below, so that a runtime can check the plugin before the agent's first start.
 * The paths are compiled in: nothing a tenant writes (CNI_ARGS, a NAD) can point this program elsewhere.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifndef MOORING_SOCKET
#define MOORING_SOCKET "/run/mooring/cni.sock"
#endif
#ifndef MOORING_SPOOL
#define MOORING_SPOOL "/var/lib/mooring/spool"
#endif

#ifndef WIRE_VERSION
#define WIRE_VERSION "1"
#endif
#define MAX_REQUEST (1024 * 1024)
#define MAX_HEADER (64 * 1024 - 1)
#define MAX_ANSWER (1024 * 1024)
#define STDIN_MS 5000
#define CONNECT_STEP_MS 50
#define VERSIONS "{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}"

extern char **environ;

static char request[MAX_REQUEST + 1];
static size_t request_len;
static char answer[MAX_ANSWER];
static size_t answer_len;

static long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* Prints all of it; a runtime that has closed our stdout gets nothing. */
static void print(const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

/* Prints a CNI error and gives the exit status. The texts hold nothing that JSON would need escaped. */
static int fail(int code, const char *format, ...)
{
    char msg[512], out[700];
    va_list args;
    va_start(args, format);
    vsnprintf(msg, sizeof msg, format, args);
    va_end(args);
    int n = snprintf(out, sizeof out, "{\"cniVersion\":\"1.0.0\",\"code\":%d,\"msg\":\"mooring: %s\"}\n", code, msg);
    print(out, (size_t)n);
    return 1;
}

static int wait_for(int fd, short events, long long deadline)
{
    for (;;) {
        long long left = deadline - now_ms();
        struct pollfd p = { .fd = fd, .events = events };
        int n = poll(&p, 1, left < 0 ? 0 : (int)left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = ETIMEDOUT;
        return n > 0 ? 0 : -1;
    }
}

/* Reads `fd` to its end. -1: error or deadline, -2: more than `max`. */
static int read_all(int fd, char *into, size_t max, size_t *len, long long deadline)
{
    for (*len = 0;;) {
        char spare;
        int full = *len == max;
        if (wait_for(fd, POLLIN, deadline) < 0)
            return -1;
        ssize_t n = read(fd, full ? &spare : into + *len, full ? 1 : max - *len);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return n < 0 ? -1 : 0;
        if (full)
            return -2;
        *len += (size_t)n;
    }
}

static int is_wanted(const char *variable)
{
    static const char *const wanted[] = { "CNI_", "TRACEPARENT=", "TRACESTATE=", "BAGGAGE=" };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (strncmp(variable, wanted[i], strlen(wanted[i])) == 0)
            return 1;
    return 0;
}

/* An environment may name a variable twice; getenv, and so a Go runtime, means the first. */
static int is_repeated(char **variable)
{
    size_t name = strcspn(*variable, "=") + 1;
    for (char **earlier = environ; earlier < variable; earlier++)
        if (strncmp(*earlier, *variable, name) == 0)
            return 1;
    return 0;
}

static int append(const char *text, size_t len)
{
    if (request_len + len > MAX_REQUEST)
        return -1;
    memcpy(request + request_len, text, len);
    request_len += len;
    return 0;
}

static int build_request(const char *input, size_t input_len)
{
    char first[64];
    int n = snprintf(first, sizeof first, "MOORING_SHIM=" WIRE_VERSION "%cMOORING_STDIN=%zu", 0, input_len);
    append(first, (size_t)n + 1);
    for (char **variable = environ; *variable != NULL; variable++) {
        if (!is_wanted(*variable) || strchr(*variable, '=') == NULL || is_repeated(variable))
            continue;
        if (append(*variable, strlen(*variable) + 1) < 0)
            return -1;
    }
    if (append("", 1) < 0 || request_len > MAX_HEADER)
        return -1;
    return append(input, input_len);
}

/* Tries until the deadline: a missing socket or a refusal is what an agent that starts looks like. */
static int connect_agent(long long deadline)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    _Static_assert(sizeof MOORING_SOCKET <= sizeof address.sun_path, "the socket's path is too long");
    memcpy(address.sun_path, MOORING_SOCKET, sizeof MOORING_SOCKET);
    for (;;) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
            return -1;
        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
            return fd;
        int why = errno;
        close(fd);
        errno = why;
        if (now_ms() + CONNECT_STEP_MS > deadline)
            return -1;
        poll(NULL, 0, CONNECT_STEP_MS);
    }
}

/* 0: `answer` holds what the agent said. -1: no (whole) exchange, errno says why. */
static int exchange(int fd, long long deadline)
{
    for (size_t sent = 0; sent < request_len;) {
        ssize_t n = send(fd, request + sent, request_len - sent, MSG_NOSIGNAL);
        if (n > 0) {
            sent += (size_t)n;
        } else if (errno == EAGAIN) {
            if (wait_for(fd, POLLOUT, deadline) < 0)
                return -1;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            break; /* refused before all was read: the reason is in the answer */
        } else if (errno != EINTR) {
            return -1;
        }
    }
    if (read_all(fd, answer, sizeof answer, &answer_len, deadline) < 0 && answer_len == 0)
        return -1;
    if (answer_len == 0)
        errno = ECONNRESET;
    return answer_len == 0 ? -1 : 0;
}

/* Whole or not at all: written under another name, synced, renamed. */
static int spool(void)
{
    char temporary[256], final[256];
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    long long stamp = t.tv_sec * 1000000000LL + t.tv_nsec;
    snprintf(final, sizeof final, MOORING_SPOOL "/%lld-%d.del", stamp, (int)getpid());
    snprintf(temporary, sizeof temporary, MOORING_SPOOL "/.%lld-%d.tmp", stamp, (int)getpid());
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    size_t done = 0;
    while (done < request_len) {
        ssize_t n = write(fd, request + done, request_len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    int good = done == request_len && fsync(fd) == 0;
    if (close(fd) == 0 && good && rename(temporary, final) == 0)
        return 0;
    int why = errno;
    unlink(temporary);
    errno = why;
    return -1;
}

static int without_agent(const char *command)
{
    const char *why = strerror(errno);
    if (strcmp(command, "VERSION") == 0) {
        print(VERSIONS "\n", sizeof VERSIONS);
        return 0;
    }
    if (strcmp(command, "DEL") == 0) {
        if (spool() == 0)
            return 0;
        return fail(5, "the agent does not answer at " MOORING_SOCKET " (%s) and " MOORING_SPOOL
                       " cannot be written (%s)", why, strerror(errno));
    }
    return fail(strcmp(command, "STATUS") == 0 ? 50 : 11,
                "the agent does not answer at " MOORING_SOCKET " (%s); look at the mooring-agent pod of this node", why);
}

int main(void)
{
    static char input[MAX_REQUEST];
    size_t input_len;
    const char *command = getenv("CNI_COMMAND");
    if (command == NULL || *command == 0)
        return fail(4, "CNI_COMMAND is not set; this program is started by a container runtime");
    signal(SIGPIPE, SIG_IGN);
    int is_add = strcmp(command, "ADD") == 0, is_del = strcmp(command, "DEL") == 0;
    int is_patient = is_add || strcmp(command, "CHECK") == 0 || strcmp(command, "GC") == 0;
    int got = read_all(STDIN_FILENO, input, sizeof input, &input_len, now_ms() + STDIN_MS);
    /* A DEL goes by its variables: a pod must not hang in Terminating because of its configuration. */
    if (is_del && (got < 0 || input_len > MAX_REQUEST - MAX_HEADER))
        input_len = 0;
    else if (got < 0)
        return fail(got == -2 ? 6 : 5, got == -2 ? "the configuration is larger than 1 MiB" : "cannot read stdin");
    if (build_request(input, input_len) < 0)
        return fail(6, "the call is larger than 1 MiB, or its variables than 64 KiB");
    int fd = connect_agent(now_ms() + (is_patient ? 10000 : 1000));
    /* The agent answers within 60 s (ADD) or 20 s; the rest is for a busy machine. */
    if (fd < 0 || exchange(fd, now_ms() + (is_add ? 65000 : 25000)) < 0)
        return without_agent(command);
    print(answer + 1, answer_len - 1);
    return (unsigned char)answer[0];
}
