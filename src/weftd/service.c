/* SPDX-License-Identifier: Apache-2.0 */

#include "weftd/service.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"

#define LISTEN_FDS_START 3 /* SD_LISTEN_FDS_START of sd-daemon.h */
#define BACKLOG 1024

/* The number of the first inherited socket; −1 when there is none. */
static int inherited_socket(void)
{
    const char *pid_text = getenv("LISTEN_PID");
    const char *count_text = getenv("LISTEN_FDS");
    int64_t pid, count;

    if (!pid_text || !count_text)
        return -1;
    if (str_to_i64(pid_text, 1, INT32_MAX, &pid) < 0 || pid != getpid() ||
        str_to_i64(count_text, 1, 1024, &count) < 0)
        return -1;
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)fcntl(LISTEN_FDS_START, F_SETFD, FD_CLOEXEC);
    return LISTEN_FDS_START;
}

static int fill_address(const char *path, struct sockaddr_un *ret, struct weft_error *err)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (str_copy(ret->sun_path, sizeof ret->sun_path, path) < 0)
        return weft_fail(err, WEFT_INVALID, "socket path %s is longer than %zu bytes", path,
                         sizeof ret->sun_path - 1);
    return 0;
}

/* Whether somebody answers at the address. */
static bool is_alive(const struct sockaddr_un *address)
{
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;
}

static int give_to_group(const char *path, const char *group, struct weft_error *err)
{
    struct group *entry;

    if (!group)
        return 0;
    entry = getgrnam(group);
    if (!entry)
        return weft_fail(err, WEFT_INVALID, "group %s does not exist", group);
    if (chown(path, (uid_t)-1, entry->gr_gid) < 0 || chmod(path, 0660) < 0)
        return weft_fail_errno(err, errno, "cannot give %s to group %s", path, group);
    return 0;
}

static int make_parent(const char *path, struct weft_error *err)
{
    _cleanup_free_ char *parent = strdup(path);
    char *slash;

    if (!parent)
        return weft_oom(err);
    slash = strrchr(parent, '/');
    if (!slash || slash == parent)
        return 0;
    *slash = '\0';
    return dir_make(parent, 0755, err);
}

int service_listen(const char *path, const char *group, struct weft_error *err)
{
    _cleanup_close_ int fd = -1;
    struct sockaddr_un address;
    mode_t mask;
    int r = inherited_socket();

    if (r >= 0)
        return r;
    r = fill_address(path, &address, err);
    if (r == 0)
        r = make_parent(path, err);
    if (r < 0)
        return r;
    if (is_alive(&address))
        return weft_fail(err, WEFT_CONFLICT, "socket %s is in use by another process", path);
    (void)unlink(path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return weft_fail_errno(err, errno, "cannot make a socket");
    mask = umask(0177);
    r = bind(fd, (struct sockaddr *)&address, sizeof address);
    umask(mask);
    if (r < 0)
        return weft_fail_errno(err, errno, "cannot bind socket %s", path);
    r = give_to_group(path, group, err);
    if (r < 0)
        return r;
    if (listen(fd, BACKLOG) < 0)
        return weft_fail_errno(err, errno, "cannot listen on socket %s", path);
    return TAKE_FD(fd);
}

void service_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    _cleanup_close_ int fd = -1;
    struct sockaddr_un address;
    socklen_t length;

    if (!path || fill_address(path, &address, NULL) < 0)
        return;
    length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (address.sun_path[0] == '@')
        address.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, length);
}

/* Who listens at the address; 0 when that cannot be told. */
static pid_t holder_of(const struct sockaddr_un *address, socklen_t length)
{
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct ucred peer = {0};
    socklen_t size = sizeof peer;

    if (fd < 0 || connect(fd, (const struct sockaddr *)address, length) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return 0;
    return peer.pid;
}

/* A weftd that was killed while the kernel removed a link for it holds its sockets for some tens of
 * milliseconds more. */
static int bind_patiently(int fd, const struct sockaddr_un *address, socklen_t length)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};

    for (int attempt = 0; attempt < 50; attempt++) {
        if (bind(fd, (const struct sockaddr *)address, length) == 0)
            return 0;
        if (errno != EADDRINUSE)
            break;
        (void)nanosleep(&pause, NULL);
    }
    return -errno;
}

int service_claim_host(struct weft_error *err)
{
    static const char name[] = "\0weft";
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = offsetof(struct sockaddr_un, sun_path) + sizeof name - 1;
    int r;

    if (fd < 0)
        return weft_fail_errno(err, errno, "cannot make a socket");
    memcpy(address.sun_path, name, sizeof name - 1);
    r = bind_patiently(fd, &address, length);
    if (r == 0 && listen(fd, 1) == 0)
        return TAKE_FD(fd);
    if (r != -EADDRINUSE)
        return weft_fail_errno(err, r, "cannot claim the network namespace");
    weft_fail(err, WEFT_CONFLICT, "another weftd (pid %d) manages this network namespace",
              (int)holder_of(&address, length));
    return -EBUSY;
}
