/* SPDX-License-Identifier: Apache-2.0 */
#include "container/cgroup.h"

#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"

#define CGROUP_MOUNT "/sys/fs/cgroup"
#define TRIES 20

static void kill_members(const char *dir)
{
    _cleanup_free_ char *path = str_printf("%s/cgroup.procs", dir);
    _cleanup_fclose_ FILE *f = path ? fopen(path, "re") : NULL;
    int pid;

    while (f && fscanf(f, "%d", &pid) == 1)
        if (pid > 0)
            (void)kill(pid, SIGKILL);
}

/* A process that was killed leaves its cgroup a little later. */
static void remove_one(const char *dir)
{
    const struct timespec pause = {.tv_nsec = 5000000};

    for (int i = 0; i < TRIES; i++) {
        if (rmdir(dir) == 0 || errno == ENOENT)
            return;
        kill_members(dir);
        nanosleep(&pause, NULL);
    }
    log_warning("cannot remove cgroup %s: %m", dir);
}

void cgroup_remove(const char *id)
{
    /* Version 2; version 1, with a directory for each controller. */
    _cleanup_free_ char *pattern = str_printf(CGROUP_MOUNT "{,/*}" CGROUP_PARENT "/%s", id);
    glob_t found = {0};

    if (pattern && glob(pattern, GLOB_NOSORT | GLOB_BRACE, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            remove_one(found.gl_pathv[i]);
    globfree(&found);
}
