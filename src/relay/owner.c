/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: /proc/net/tcp, tcp6, udp and udp6
 * (Documentation/networking/proc_net_tcp.rst) list the sockets of the network namespace, each with
 * its local address and its inode; the process that has it open has a link "socket:[INODE]" among
 * its /proc/PID/fd. A listening socket is the better answer than a connection of the same port.
 * Sockets of inode 0 are nobody's any more: the kernel is still closing them (TIME_WAIT, mostly).
 */

#include "relay/owner.h"

#include <ctype.h>
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "relay/endpoint.h"

struct holder {
    bool found, listening;
    unsigned long inode; /* 0: no process's */
};

/* The kernel prints addresses as words in its own byte order. */
static struct addr parse_host(const char *hex)
{
    size_t words = strlen(hex) / 8;
    union endpoint e = {.sa.sa_family = words == 1 ? AF_INET : AF_INET6};
    uint32_t parsed[4] = {0};
    struct addr host;

    for (size_t i = 0; i < words && i < ARRAY_SIZE(parsed); i++)
        sscanf(hex + 8 * i, "%8x", &parsed[i]);
    if (words == 1)
        memcpy(&e.v4.sin_addr, parsed, sizeof e.v4.sin_addr);
    else
        memcpy(&e.v6.sin6_addr, parsed, sizeof e.v6.sin6_addr);
    host = endpoint_host(&e);
    /* It may well be of both families; the table does not say. */
    if (host.family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&e.v6.sin6_addr))
        return (struct addr){0};
    return host;
}

/* One line of a table: updates *holder if it is a better answer. */
static void consider(const char *line, const struct relay_port *port, struct holder *holder)
{
    struct holder seen = {.found = true};
    unsigned number, state;
    struct addr host;
    char hex[33];

    if (sscanf(line, " %*u: %32[0-9A-F]:%x %*s %x %*s %*s %*s %*u %*u %lu", hex, &number, &state,
               &seen.inode) != 4 ||
        number != port->port)
        return;
    host = parse_host(hex);
    if (!hosts_overlap(&host, &port->host))
        return;
    seen.listening = state == TCP_LISTEN;
    if (!holder->found || seen.listening > holder->listening || (seen.inode && !holder->inode))
        *holder = seen;
}

static void search_table(const char *path, const struct relay_port *port, struct holder *holder)
{
    _cleanup_fclose_ FILE *table = fopen(path, "re");
    char line[512];

    while (table && fgets(line, sizeof line, table))
        consider(line, port, holder);
}

/* Of the port's own family first: where both have an answer, it is the surer one. */
static struct holder search(const struct relay_port *port)
{
    bool udp = port->proto == IPPROTO_UDP;
    struct holder holder = {0};

    if (port->host.family != AF_INET6)
        search_table(udp ? "/proc/net/udp" : "/proc/net/tcp", port, &holder);
    if (!holder.found || !holder.inode)
        search_table(udp ? "/proc/net/udp6" : "/proc/net/tcp6", port, &holder);
    return holder;
}

static bool has_open(const char *pid, const char *link)
{
    _cleanup_free_ char *path = str_printf("/proc/%s/fd", pid);
    DIR *dir = path ? opendir(path) : NULL;
    struct dirent *entry;
    bool found = false;
    char to[64];

    if (!dir)
        return false;
    while (!found && (entry = readdir(dir))) {
        ssize_t len = readlinkat(dirfd(dir), entry->d_name, to, sizeof to - 1);

        to[len < 0 ? 0 : len] = '\0';
        found = strcmp(to, link) == 0;
    }
    closedir(dir);
    return found;
}

static void name_process(const char *pid, char buf[static OWNER_TEXT_MAX])
{
    _cleanup_free_ char *path = str_printf("/proc/%s/comm", pid), *comm = NULL;

    if (!path || file_read(path, 256, &comm, NULL, NULL) < 0) {
        snprintf(buf, OWNER_TEXT_MAX, "pid %.10s", pid);
        return;
    }
    comm[strcspn(comm, "\n")] = '\0';
    snprintf(buf, OWNER_TEXT_MAX, "%.48s (pid %.10s)", comm, pid);
}

/* false: nobody who could be seen has it open. */
static bool find_process(unsigned long inode, char buf[static OWNER_TEXT_MAX])
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    bool found = false;
    char link[64];

    if (!proc)
        return false;
    snprintf(link, sizeof link, "socket:[%lu]", inode);
    while (!found && (entry = readdir(proc))) {
        found = isdigit((unsigned char)entry->d_name[0]) && has_open(entry->d_name, link);
        if (found)
            name_process(entry->d_name, buf);
    }
    closedir(proc);
    return found;
}

const char *owner_find(const struct relay_port *port, char buf[static OWNER_TEXT_MAX])
{
    struct holder holder = search(port);

    if (holder.found && !holder.inode)
        str_copy(buf, OWNER_TEXT_MAX, "a connection that is still closing");
    else if (!holder.found || !find_process(holder.inode, buf))
        str_copy(buf, OWNER_TEXT_MAX, "a process that cannot be seen");
    return buf;
}
