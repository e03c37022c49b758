/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: weft-dns is weftd's child, but not its dependant. It goes on when weftd
 * ends, and the next weftd finds it by its socket, RUN_DIR/dns.sock. Which process it is stands in
 * RUN_DIR/dns.pid, with its start time: the credentials of a Unix socket would name the process
 * that made the listening one, which is weftd.
 */

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "base/file.h"
#include "base/log.h"
#include "engine/dns.h"

#define TERM_MS 500
#define KILL_MS 1000

struct dns_process {
    uv_process_t handle;
    struct dns *dns;
    struct dns_process *next;
};

uint64_t dns_now(void)
{
    return uv_hrtime() / 1000000;
}

bool dns_wait(int fd, short event, uint64_t deadline)
{
    struct pollfd poller = {.fd = fd, .events = event};
    uint64_t now;
    int r;

    do {
        now = dns_now();
        r = now < deadline ? poll(&poller, 1, (int)(deadline - now)) : 0;
    } while (r < 0 && errno == EINTR);
    return r > 0;
}

int dns_process_address(const struct dns *d, struct sockaddr_un *ret, struct weft_error *err)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (str_copy(ret->sun_path, sizeof ret->sun_path, d->path) < 0)
        return weft_fail(err, WEFT_INVALID, "the path %s is too long for a socket", d->path);
    return 0;
}

/* Mode 0600 from the beginning: a socket's file has the mode that the socket has. */
static int listen_at(const struct dns *d, struct weft_error *err)
{
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct sockaddr_un address;
    int r = dns_process_address(d, &address, err);

    if (r < 0)
        return r;
    (void)unlink(d->path);
    if (fd < 0 || fchmod(fd, 0600) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 8) < 0)
        return weft_fail_errno(err, errno, "cannot listen at %s", d->path);
    return TAKE_FD(fd);
}

static void process_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void process_ended(uv_process_t *handle, int64_t status, int signo)
{
    struct dns_process *p = handle->data;

    if (signo)
        log_warning(DNS_PROGRAM " (pid %d) was killed: %s", handle->pid, strsignal(signo));
    else
        log_warning(DNS_PROGRAM " (pid %d) ended with status %d", handle->pid, (int)status);
    for (struct dns_process **at = &p->dns->processes; *at; at = &(*at)->next) {
        if (*at != p)
            continue;
        *at = p->next;
        break;
    }
    uv_close((uv_handle_t *)handle, process_closed);
}

void dns_process_disown(struct dns *d)
{
    while (d->processes) {
        struct dns_process *p = d->processes;

        d->processes = p->next;
        uv_close((uv_handle_t *)&p->handle, process_closed);
    }
}

/* Beside weftd itself; a weftd that was replaced meanwhile is "(deleted)". */
static int find_program(char ret[static PATH_MAX])
{
    static const char deleted[] = " (deleted)";
    ssize_t n = readlink("/proc/self/exe", ret, PATH_MAX - sizeof DNS_PROGRAM - 1);
    char *slash;

    if (n < 0)
        return -errno;
    ret[n] = '\0';
    if ((size_t)n > strlen(deleted) && strcmp(ret + n - strlen(deleted), deleted) == 0)
        ret[(size_t)n - strlen(deleted)] = '\0';
    slash = strrchr(ret, '/');
    if (!slash)
        return -ENOENT;
    strcpy(slash + 1, DNS_PROGRAM);
    return 0;
}

static void write_pid(struct dns *d, int pid)
{
    char text[64];
    struct weft_error err;
    int n = snprintf(text, sizeof text, "%d %lld\n", pid, (long long)process_start_time(pid));

    if (file_write_atomic(d->pid_path, text, (size_t)n, 0644, &err) < 0)
        log_warning("%s", err.text);
}

static int spawn(struct dns *d, int listen_fd, struct weft_error *err)
{
    struct dns_process *p = calloc(1, sizeof *p);
    char path[PATH_MAX], option[] = "--listen-fd", fd[] = "3";
    char *args[] = {path, option, fd, NULL};
    uv_stdio_container_t stdio[] = {
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
        {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
        {.flags = UV_INHERIT_FD, .data.fd = listen_fd},
    };
    uv_process_options_t options = {
        .exit_cb = process_ended,
        .file = path,
        .args = args,
        .cwd = "/",
        .flags = UV_PROCESS_DETACHED,
        .stdio = stdio,
        .stdio_count = ARRAY_SIZE(stdio),
    };
    int r = p ? find_program(path) : -ENOMEM;

    if (r < 0) {
        free(p);
        return weft_fail_errno(err, -r, "cannot find " DNS_PROGRAM);
    }
    p->dns = d;
    p->handle.data = p;
    r = uv_spawn(d->engine->loop, &p->handle, &options);
    if (r < 0) {
        uv_close((uv_handle_t *)&p->handle, process_closed);
        return weft_fail_errno(err, -r, "cannot start %s", path);
    }
    p->next = d->processes;
    d->processes = p;
    d->started = dns_now();
    write_pid(d, p->handle.pid);
    return 0;
}

static bool read_pid(const struct dns *d, int *ret_pid, long long *ret_start)
{
    _cleanup_free_ char *text = NULL;

    return file_read(d->pid_path, 64, &text, NULL, NULL) == 0 &&
           sscanf(text, "%d %lld", ret_pid, ret_start) == 2 && *ret_pid > 0;
}

/* It is the process of the file for certain: the pidfd was open before the start time was compared.
 */
void dns_process_end(struct dns *d, int signo)
{
    _cleanup_close_ int pidfd = -1;
    long long start;
    int pid;

    if (!read_pid(d, &pid, &start))
        return;
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0 || process_start_time(pid) != start)
        return;
    (void)syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0);
    if (dns_wait(pidfd, POLLIN, dns_now() + TERM_MS))
        return;
    (void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    (void)dns_wait(pidfd, POLLIN, dns_now() + KILL_MS);
}

int dns_process_start(struct dns *d, struct weft_error *err)
{
    _cleanup_close_ int listener = listen_at(d, err);

    return listener < 0 ? listener : spawn(d, listener, err);
}
