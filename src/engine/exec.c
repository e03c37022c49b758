/* SPDX-License-Identifier: Apache-2.0 */

/* Further processes in a container: what was asked for, and how it ended. */

#include <errno.h>
#include <string.h>

#include "engine/state.h"

/* A hash table's key and value in one: the table holds records that also know the engine. */
struct exec_record {
    struct engine_exec exec;
    bool orphaned; /* its container is gone; freed when it ends */
};

static void record_free(struct exec_record *record)
{
    exec_config_clear(&record->exec.config);
    free(record);
}

static int check_running(const struct container *c, struct weft_error *err)
{
    if (c->status == CONTAINER_RUNNING)
        return 0;
    return weft_fail(err, WEFT_CONFLICT, "container %s is not running", c->name);
}

int engine_exec_create(struct engine *e, const char *ref, struct exec_config *config,
                       const struct engine_exec **ret, struct weft_error *err)
{
    struct container *c = engine_container(e, ref, err);
    struct exec_record *record;
    int r;

    if (!c)
        return -err->errnum;
    r = check_running(c, err);
    if (r < 0)
        return r;
    record = calloc(1, sizeof *record);
    if (!record)
        return weft_oom(err);
    id_generate(record->exec.id);
    memcpy(record->exec.container_id, c->id, sizeof c->id);
    r = hash_put(&e->execs, record->exec.id, record);
    if (r < 0) {
        free(record);
        return weft_oom(err);
    }
    record->exec.config = *config;
    *config = (struct exec_config){0};
    *ret = &record->exec;
    return 0;
}

static void exec_ended(void *arg, int code)
{
    struct exec_record *record = arg;

    record->exec.running = NULL;
    record->exec.exit_code = code;
    if (record->orphaned)
        record_free(record);
}

struct engine_exec *engine_exec_find(struct engine *e, const char *id, struct weft_error *err)
{
    struct exec_record *record = hash_get(&e->execs, id);

    if (!record) {
        weft_fail(err, WEFT_NOT_FOUND, "no such exec: %s", id);
        return NULL;
    }
    return &record->exec;
}

int engine_exec_start(struct engine *e, const char *id, int fd, struct weft_error *err)
{
    struct exec_record *record = hash_get(&e->execs, id);
    struct container_slot *slot;
    int r;

    if (!record)
        return weft_fail(err, WEFT_NOT_FOUND, "no such exec: %s", id);
    if (record->exec.started)
        return weft_fail(err, WEFT_CONFLICT, "exec %.12s has been started already", id);
    slot = engine_container_slot(e, record->exec.container_id);
    r = check_running(slot->container, err);
    if (r == 0)
        r = exec_start(e->runtime, slot->container, &record->exec.config, fd, exec_ended, record,
                       &record->exec.running, err);
    if (r == 0)
        record->exec.started = true;
    return r;
}

/* container_id NULL: all, at the very end. */
void exec_forget(struct engine *e, const char *container_id)
{
    struct hash_slot slot;
    size_t i = 0;

    while (hash_next(&e->execs, &i, &slot)) {
        struct exec_record *record = slot.value;

        if (container_id && strcmp(record->exec.container_id, container_id) != 0)
            continue;
        hash_remove(&e->execs, record->exec.id);
        i = 0;
        if (record->exec.running)
            record->orphaned = true;
        else
            record_free(record);
    }
}
