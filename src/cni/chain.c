/* SPDX-License-Identifier: Apache-2.0 */
#include "cni/chain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"

#define ALL_VERSIONS ((1U << CNI_VERSIONS) - 1)

struct cni_chain {
    uv_loop_t *loop;
    enum cni_command command;
    struct cni_config *config;
    char *path, *container_id, *netns, *ifname;
    json_t *capabilities, *given, *valid_attachments;
    unsigned seconds;
    int lock;
    size_t done; /* plugins that have been run */
    struct cni_exec *exec;
    uv_timer_t *later; /* for what could not be started, when fn may not be called yet */
    struct cni_result *result;
    struct cni_answer answer;
    cni_chain_fn *fn;
    void *arg;
};

const char *cni_command_text(enum cni_command command)
{
    static const char *const names[] = {
        [CNI_VERSION] = "VERSION", [CNI_STATUS] = "STATUS", [CNI_ADD] = "ADD",
        [CNI_CHECK] = "CHECK",     [CNI_DEL] = "DEL",       [CNI_GC] = "GC",
    };

    return names[command];
}

/* ---- programs ---- */

static bool can_be_run(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

int cni_find_program(const char *type, const char *path, char **ret, struct weft_error *err)
{
    for (const char *dir = path; *dir;) {
        size_t length = strcspn(dir, ":");
        _cleanup_free_ char *file = str_printf("%.*s/%s", (int)length, dir, type);

        if (!file)
            return weft_oom(err);
        if (length > 0 && can_be_run(file)) {
            *ret = TAKE_PTR(file);
            return 0;
        }
        dir += length + (dir[length] == ':');
    }
    return weft_fail(err, WEFT_NOT_FOUND, "CNI plugin %s is not in %s", type, path);
}

/* ---- the end ---- */

static void later_closed(uv_handle_t *handle)
{
    free(handle);
}

void cni_chain_cancel(struct cni_chain *chain)
{
    if (!chain)
        return;
    cni_exec_cancel(chain->exec);
    if (chain->later)
        uv_close((uv_handle_t *)chain->later, later_closed);
    cni_config_free(chain->config);
    cni_result_free(chain->result);
    json_decref(chain->capabilities);
    json_decref(chain->given);
    json_decref(chain->valid_attachments);
    free(chain->path);
    free(chain->container_id);
    free(chain->netns);
    free(chain->ifname);
    free(chain);
}

static void end(struct cni_chain *chain)
{
    chain->answer.result = chain->result;
    chain->fn(chain->arg, &chain->answer);
    cni_chain_cancel(chain);
}

/* ---- one plugin after another ---- */

static size_t current(const struct cni_chain *chain)
{
    return chain->command == CNI_DEL ? chain->config->plugin_count - 1 - chain->done : chain->done;
}

/* Those that let go let go of all they can. */
static bool goes_on(const struct cni_chain *chain)
{
    return chain->command == CNI_DEL || chain->command == CNI_GC;
}

/* The first failure is what is told; those behind it are logged. */
static void note(struct cni_chain *chain, int r, struct weft_error *err)
{
    weft_error_prefix(err, "CNI plugin %s (%s)", cni_plugin_type(chain->config, current(chain)),
                      cni_command_text(chain->command));
    if (chain->answer.r < 0) {
        log_warning("%s", err->text);
        return;
    }
    chain->answer.r = r;
    chain->answer.err = *err;
}

static int take_result(struct cni_chain *chain, const struct cni_outcome *outcome,
                       struct weft_error *err)
{
    struct cni_result *result;
    int r = cni_result_parse(outcome->out, outcome->out_length, chain->ifname, &result, err);

    if (r < 0) {
        weft_error_prefix(err, "its result cannot be used");
        err->code = WEFT_INTERNAL;
        return r;
    }
    cni_result_free(chain->result);
    chain->result = result;
    return 0;
}

static int take_versions(struct cni_chain *chain, const struct cni_outcome *outcome,
                         struct weft_error *err)
{
    unsigned versions = 0;
    int r = cni_versions_parse(outcome->out, outcome->out_length, &versions, err);

    if (r < 0) {
        weft_error_prefix(err, "its answer cannot be used");
        err->code = WEFT_INTERNAL;
        return r;
    }
    chain->answer.versions &= versions;
    if (chain->answer.versions == 0)
        return weft_fail(err, WEFT_INVALID,
                         "it speaks no version of CNI that the configuration is written for");
    return 0;
}

static int judge(struct cni_chain *chain, const struct cni_outcome *outcome, struct weft_error *err)
{
    struct cni_failure failure = {
        .status = outcome->status,
        .signo = outcome->signo,
        .out = outcome->out,
        .out_length = outcome->out_length,
        .err = outcome->err,
    };

    if (outcome->overdue)
        return weft_fail(err, WEFT_KERNEL, "it did not end within %u s", chain->seconds);
    if (outcome->too_long)
        return weft_fail(err, WEFT_INTERNAL, "it printed more than %d bytes", CNI_OUTPUT_MAX);
    if (outcome->status != 0 || outcome->signo != 0)
        return cni_failure(&failure, err);
    switch (chain->command) {
    case CNI_ADD:
        return take_result(chain, outcome, err);
    case CNI_VERSION:
        return take_versions(chain, outcome, err);
    default:
        return 0;
    }
}

static int run_next(struct cni_chain *chain, struct weft_error *err);

/* Starts the next plugin, or ends the chain: from the loop. */
static void proceed(struct cni_chain *chain)
{
    struct weft_error err = {0};
    int r;

    while (chain->done < chain->config->plugin_count && (chain->answer.r == 0 || goes_on(chain))) {
        r = run_next(chain, &err);
        if (r == 0)
            return;
        note(chain, r, &err);
        chain->done++;
    }
    end(chain);
}

static void on_run(void *arg, const struct cni_outcome *outcome)
{
    struct cni_chain *chain = arg;
    struct weft_error err = {0};
    int r = judge(chain, outcome, &err);

    chain->exec = NULL;
    if (r < 0)
        note(chain, r, &err);
    chain->done++;
    proceed(chain);
}

/* VERSION reads but the version. */
static char *make_input(const struct cni_chain *chain)
{
    struct cni_request request = {
        .capabilities = chain->capabilities,
        .prev_result = chain->result ? chain->result->doc : chain->given,
        .valid_attachments = chain->valid_attachments,
    };
    _cleanup_json_ json_t *doc =
        chain->command == CNI_VERSION
            ? json_pack("{s:s}", "cniVersion", cni_version_text(chain->config->version))
            : cni_config_request(chain->config, current(chain), &request);

    return doc ? json_text(doc) : NULL;
}

static int run_next(struct cni_chain *chain, struct weft_error *err)
{
    _cleanup_free_ char *program = NULL, *input = make_input(chain);
    struct cni_call call = {
        .command = cni_command_text(chain->command),
        .path = chain->path,
        .container_id = chain->container_id,
        .netns = chain->netns,
        .ifname = chain->ifname,
        .input = input,
        .seconds = chain->seconds,
        .lock = chain->lock,
    };
    int r;

    if (!input)
        return weft_oom(err);
    r = cni_find_program(cni_plugin_type(chain->config, current(chain)), chain->path, &program,
                         err);
    if (r < 0)
        return r;
    call.program = program;
    return cni_exec_start(chain->loop, &call, on_run, chain, &chain->exec, err);
}

/* ---- starting ---- */

static void on_later(uv_timer_t *timer)
{
    struct cni_chain *chain = timer->data;

    uv_close((uv_handle_t *)TAKE_PTR(chain->later), later_closed);
    proceed(chain);
}

static int copy_text(const char *text, char **ret)
{
    *ret = text ? strdup(text) : NULL;
    return text && !*ret ? -ENOMEM : 0;
}

static int copy_json(const json_t *value, json_t **ret)
{
    *ret = value ? json_deep_copy(value) : NULL;
    return value && !*ret ? -ENOMEM : 0;
}

static int copy_job(const struct cni_job *job, struct cni_chain *chain, struct weft_error *err)
{
    int r = cni_config_parse(job->config->doc, job->config->name, &chain->config, err);

    if (r < 0)
        return r;
    chain->config->version = job->config->version;
    if (copy_text(job->path, &chain->path) < 0 ||
        copy_text(job->container_id, &chain->container_id) < 0 ||
        copy_text(job->netns, &chain->netns) < 0 || copy_text(job->ifname, &chain->ifname) < 0 ||
        copy_json(job->capabilities, &chain->capabilities) < 0 ||
        copy_json(job->result, &chain->given) < 0 ||
        copy_json(job->valid_attachments, &chain->valid_attachments) < 0)
        return weft_oom(err);
    return 0;
}

int cni_chain_start(uv_loop_t *loop, const struct cni_job *job, cni_chain_fn *fn, void *arg,
                    struct cni_chain **ret, struct weft_error *err)
{
    struct cni_chain *chain = calloc(1, sizeof *chain);
    int r;

    if (!chain)
        return weft_oom(err);
    *chain = (struct cni_chain){
        .loop = loop,
        .command = job->command,
        .seconds = job->seconds,
        .lock = job->lock,
        .answer.versions = job->config->versions & ALL_VERSIONS,
        .fn = fn,
        .arg = arg,
    };
    r = copy_job(job, chain, err);
    if (r == 0) {
        chain->later = calloc(1, sizeof *chain->later);
        r = chain->later ? 0 : weft_oom(err);
    }
    if (r < 0) {
        cni_chain_cancel(chain);
        return r;
    }
    uv_timer_init(loop, chain->later);
    chain->later->data = chain;
    uv_timer_start(chain->later, on_later, 0, 0);
    *ret = chain;
    return 0;
}
