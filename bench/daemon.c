/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "stats.h"

#define START_SECONDS 20
#define POLL_MS 5

static char *write_config(const char *run_dir, const char *state_dir, const char *socket)
{
    char *path = str_printf("%s/weft.json", run_dir);
    _cleanup_json_ json_t *config =
        json_pack("{s:s, s:s, s:s, s:s}", "run_dir", run_dir, "state_dir", state_dir, "socket",
                  socket, "log_level", "warning");

    if (!path || !config || json_dump_file(config, path, 0) < 0)
        die("cannot write %s/weft.json", run_dir);
    return path;
}

static bool has_ended(const struct daemon *d)
{
    return waitpid(d->pid, NULL, WNOHANG) != 0;
}

static void wait_until_ready(struct daemon *d)
{
    const struct timespec pause = {.tv_nsec = POLL_MS * 1000000};
    struct weft_error err = {0};

    for (int i = 0; i < START_SECONDS * 1000 / POLL_MS; i++) {
        if (client_connect(d->client, &err) == 0)
            return;
        if (has_ended(d))
            die("weftd ended at its start");
        (void)nanosleep(&pause, NULL);
    }
    die("weftd does not answer: %s", err.text);
}

void daemon_start(const char *weftd, const char *run_dir, const char *state_dir, struct daemon *ret)
{
    _cleanup_free_ char *socket = str_printf("%s/weft.sock", run_dir);
    _cleanup_free_ char *host = str_printf("unix://%s", socket);
    _cleanup_free_ char *config = write_config(run_dir, state_dir, socket);
    struct weft_error err = {0};

    ret->pid = fork();
    if (ret->pid == 0) {
        (void)execl(weftd, "weftd", "--config", config, NULL);
        die("cannot run %s: %s", weftd, strerror(errno));
    }
    if (ret->pid < 0 || client_new(host, &ret->client, &err) < 0)
        die("cannot start weftd: %s", ret->pid < 0 ? strerror(errno) : err.text);
    wait_until_ready(ret);
}

void daemon_stop(struct daemon *d)
{
    int status = 0;

    client_free(TAKE_PTR(d->client));
    (void)kill(d->pid, SIGTERM);
    if (waitpid(d->pid, &status, 0) < 0 || status != 0)
        die("weftd ended with wait status %#x", (unsigned)status);
}

void daemon_call(struct daemon *d, const char *method, const char *target, json_t *body)
{
    _cleanup_json_ json_t *owned = body;
    struct weft_error err = {0};

    if (client_call(d->client, method, target, owned, NULL, &err) < 0)
        die("%s %s: %s", method, target, err.text);
}

/* The value of the line "key: value kB" of a file in /proc/PID. */
static long proc_value(pid_t pid, const char *file, const char *key)
{
    _cleanup_free_ char *path = str_printf("/proc/%d/%s", pid, file);
    _cleanup_fclose_ FILE *f = path ? fopen(path, "re") : NULL;
    char line[256];
    long value;

    while (f && fgets(line, sizeof line, f))
        if (str_starts_with(line, key) && sscanf(line + strlen(key), ": %ld", &value) == 1)
            return value;
    die("no %s in %s", key, path);
}

struct memory daemon_memory(const struct daemon *d)
{
    return (struct memory){
        .rss = proc_value(d->pid, "status", "VmRSS"),
        .anon = proc_value(d->pid, "status", "RssAnon"),
        .pss = proc_value(d->pid, "smaps_rollup", "Pss"),
    };
}
