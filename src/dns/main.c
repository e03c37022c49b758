/* SPDX-License-Identifier: Apache-2.0 */

/* weft-dns: the server of names, started by weftd, which tells it everything over a socket. It
 * outlives weftd, and the next one finds it at the same socket. */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <uv.h>

#include "base/log.h"
#include "base/str.h"
#include "dns/confine.h"
#include "dns/server.h"

#define EXIT_USAGE 2

static const char help[] =
    "Usage: weft-dns --listen-fd N\n"
    "\n"
    "The server of containers' names. weftd starts it and tells it the names; there is no use in\n"
    "starting it by hand.\n"
    "\n"
    "Options:\n"
    "      --listen-fd N     The descriptor of the listening socket that weftd talks to\n"
    "      --version         Print the version and exit\n"
    "      --help            Print this and exit\n";

static bool is_listening_socket(int fd)
{
    int type = 0, listens = 0;
    socklen_t size = sizeof type;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens;
}

/* Returns −1 to go on, else what to exit with. */
static int parse_options(int argc, char **argv, int *ret_fd)
{
    enum { OPT_LISTEN_FD = 256, OPT_VERSION, OPT_HELP };
    static const struct option longs[] = {
        {"listen-fd", required_argument, NULL, OPT_LISTEN_FD},
        {"version", no_argument, NULL, OPT_VERSION},
        {"help", no_argument, NULL, OPT_HELP},
        {0},
    };
    int64_t fd = -1;
    int option;

    while ((option = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
        switch (option) {
        case OPT_LISTEN_FD:
            if (str_to_i64(optarg, 0, INT32_MAX, &fd) < 0)
                fd = -1;
            break;
        case OPT_VERSION:
            puts("weft-dns " WEFT_VERSION);
            return EXIT_SUCCESS;
        case OPT_HELP:
            fputs(help, stdout);
            return EXIT_SUCCESS;
        default:
            fputs("See 'weft-dns --help'.\n", stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc || !is_listening_socket((int)fd)) {
        fputs("weft-dns: weftd starts this, and gives it a listening socket (--listen-fd).\n"
              "See 'weft-dns --help'.\n",
              stderr);
        return EXIT_USAGE;
    }
    *ret_fd = (int)fd;
    return -1;
}

/* ---- the process ---- */

struct process {
    uv_loop_t loop;
    uv_signal_t signals[2];
    struct dns_services *services;
    struct dns_daemon daemon;
};

static void stop(uv_signal_t *handle, int signo _unused_)
{
    uv_stop(handle->loop);
}

static int watch_signals(struct process *p)
{
    static const int signos[] = {SIGTERM, SIGINT};
    int r = 0;

    (void)signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(signos); i++) {
        r = uv_signal_init(&p->loop, &p->signals[i]);
        if (r == 0)
            r = uv_signal_start(&p->signals[i], stop, signos[i]);
    }
    return r;
}

/* Every container has a few sockets. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_all(struct process *p, int listen_fd, struct weft_error *err)
{
    int r = dns_services_load(&p->services);

    /* SRV goes by numbers then. */
    if (r < 0)
        log_warning("cannot read the names of services: %s", strerror(-r));
    raise_file_limit();
    r = watch_signals(p);
    if (r < 0)
        return weft_fail_errno(err, -r, "cannot watch signals");
    r = dns_daemon_open(&p->daemon, &p->loop, listen_fd, p->services, err);
    return r < 0 ? r : dns_confine(err);
}

static void close_handle(uv_handle_t *handle, void *arg _unused_)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void close_all(struct process *p)
{
    dns_daemon_close(&p->daemon);
    uv_walk(&p->loop, close_handle, NULL);
    uv_run(&p->loop, UV_RUN_DEFAULT);
    uv_loop_close(&p->loop);
    dns_services_free(p->services);
}

static int run(struct process *p, int listen_fd)
{
    struct weft_error err = {0};
    int r;

    /* It would go round the filter of system calls. */
    (void)setenv("UV_USE_IO_URING", "0", 1);
    r = uv_loop_init(&p->loop);
    if (r < 0) {
        log_error("cannot make the event loop: %s", uv_strerror(r));
        return r;
    }
    r = open_all(p, listen_fd, &err);
    if (r == 0)
        uv_run(&p->loop, UV_RUN_DEFAULT);
    else
        log_error("%s", err.text);
    close_all(p);
    return r;
}

int main(int argc, char **argv)
{
    static struct process process;
    int listen_fd, r = parse_options(argc, argv, &listen_fd);

    if (r >= 0)
        return r;
    return run(&process, listen_fd) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
