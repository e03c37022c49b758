/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Both ends of a TCP path, for bench/path.
 *
 *   bench-traffic serve PORT              answers, prints "ready"
 *   bench-traffic MODE ADDRESS PORT N     prints one figure
 *
 * The client's first byte says what the server is to do. MODE is
 *   stream   send for N milliseconds; bits per second that the server has received
 *   echo     send a byte and wait for it, N times; nanoseconds a round, median and 99th percentile
 *   connect  connect, get a byte, close, N times; connections a second
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 131072

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static int64_t now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void set(int fd, int level, int option, int value)
{
    if (setsockopt(fd, level, option, &value, sizeof value) < 0)
        die("setsockopt");
}

/* ---- the server ---- */

/* Counts what comes until the client has no more, and tells it. */
static void take_stream(int fd)
{
    static __thread char chunk[CHUNK];
    uint64_t total = 0;
    ssize_t n;

    while ((n = recv(fd, chunk, sizeof chunk, 0)) > 0)
        total += (uint64_t)n;
    (void)!send(fd, &total, sizeof total, MSG_NOSIGNAL);
}

static void echo(int fd)
{
    char byte;

    while (recv(fd, &byte, 1, 0) == 1 && send(fd, &byte, 1, MSG_NOSIGNAL) == 1)
        ;
}

static void *serve_one(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char mode;

    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (recv(fd, &mode, 1, 0) == 1) {
        if (mode == 's')
            take_stream(fd);
        else
            echo(fd);
    }
    (void)close(fd);
    return NULL;
}

/* Connections that only come to go are served by the thread that accepts: see `connect`. */
static void serve(uint16_t port)
{
    struct sockaddr_in6 here = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (bind(fd, (void *)&here, sizeof here) < 0 || listen(fd, 4096) < 0)
        die("listen");
    puts("ready");
    (void)fflush(stdout);
    for (;;) {
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        pthread_t thread;
        char mode;

        if (client < 0)
            continue;
        if (recv(client, &mode, 1, MSG_PEEK) == 1 && mode == 'c') {
            (void)!send(client, &mode, 1, MSG_NOSIGNAL);
            (void)close(client);
        } else if (pthread_create(&thread, NULL, serve_one, (void *)(intptr_t)client) == 0) {
            (void)pthread_detach(thread);
        }
    }
}

/* ---- the client ---- */

static struct addrinfo *place;

static int connect_as(char mode)
{
    int fd = socket(place->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, place->ai_addr, place->ai_addrlen) < 0)
        die("connect");
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (send(fd, &mode, 1, MSG_NOSIGNAL) != 1)
        die("send");
    return fd;
}

static void run_stream(long milliseconds)
{
    static char chunk[CHUNK];
    int fd = connect_as('s');
    int64_t start = now(), end = start + milliseconds * 1000000;
    uint64_t total = 0;

    while (now() < end)
        if (send(fd, chunk, sizeof chunk, MSG_NOSIGNAL) < 0)
            die("send");
    (void)shutdown(fd, SHUT_WR);
    if (recv(fd, &total, sizeof total, MSG_WAITALL) != sizeof total)
        die("recv");
    printf("%.0f\n", 8e9 * (double)total / (double)(now() - start));
}

static int compare(const void *a, const void *b)
{
    const int64_t *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

static void run_echo(long count)
{
    int64_t *rounds = calloc((size_t)count + 1, sizeof *rounds);
    int fd = connect_as('e');
    char byte = 'x';

    for (long i = 0; rounds && i < count; i++) {
        int64_t start = now();

        if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 1)
            die("echo");
        rounds[i] = now() - start;
    }
    if (!rounds)
        die("calloc");
    qsort(rounds, (size_t)count, sizeof *rounds, compare);
    printf("%lld %lld\n", (long long)rounds[count / 2], (long long)rounds[count * 99 / 100]);
    free(rounds);
}

/* Closed with a reset, so that no port stays in TIME_WAIT. */
static void run_connect(long count)
{
    struct linger reset = {.l_onoff = 1};
    int64_t start = now();

    for (long i = 0; i < count; i++) {
        int fd = connect_as('c');
        char byte;

        if (recv(fd, &byte, 1, 0) != 1)
            die("recv");
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        (void)close(fd);
    }
    printf("%.0f\n", 1e9 * (double)count / (double)(now() - start));
}

int main(int argc, char **argv)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};

    if (argc == 3 && strcmp(argv[1], "serve") == 0)
        serve((uint16_t)atoi(argv[2]));
    if (argc != 5 || getaddrinfo(argv[2], argv[3], &hints, &place) != 0) {
        fputs("usage: bench-traffic serve PORT | MODE ADDRESS PORT N\n", stderr);
        return EXIT_FAILURE;
    }
    if (strcmp(argv[1], "stream") == 0)
        run_stream(atol(argv[4]));
    else if (strcmp(argv[1], "echo") == 0)
        run_echo(atol(argv[4]));
    else
        run_connect(atol(argv[4]));
    return EXIT_SUCCESS;
}
