/* SPDX-License-Identifier: Apache-2.0 */

/* weftd: reads the configuration, opens what the engine stands on, and runs the loop until told to
 * stop. Stopping leaves containers and their network as they are. */

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <uv.h>

#include "api/api.h"
#include "base/log.h"
#include "engine/engine.h"
#include "weftd/config.h"
#include "weftd/privilege.h"
#include "weftd/service.h"

struct options {
    const char *config;
    const char *socket;
    bool check;
    bool cleanup;
    bool enable_faults;
};

static const char help[] =
    "Usage: weftd [OPTIONS]\n"
    "\n"
    "The container networking engine: serves the Docker Engine API on a Unix socket.\n"
    "\n"
    "Options:\n"
    "      --config FILE     Configuration (default " CONFIG_DEFAULT_PATH ")\n"
    "      --socket PATH     Listen here, whatever the configuration says\n"
    "      --check           Check the configuration and exit\n"
    "      --cleanup         Take all that is weft's out of the kernel and exit\n"
    "      --enable-faults   Let clients make kernel operations fail (for tests)\n"
    "      --version         Print the version and exit\n"
    "      --help            Print this and exit\n";

/* Returns 0 to go on, 1 to exit with success, −1 with failure. */
static int parse_options(int argc, char **argv, struct options *ret)
{
    enum {
        OPT_CONFIG = 256,
        OPT_SOCKET,
        OPT_CHECK,
        OPT_CLEANUP,
        OPT_FAULTS,
        OPT_VERSION,
        OPT_HELP
    };
    static const struct option longs[] = {
        {"config", required_argument, NULL, OPT_CONFIG},
        {"socket", required_argument, NULL, OPT_SOCKET},
        {"check", no_argument, NULL, OPT_CHECK},
        {"cleanup", no_argument, NULL, OPT_CLEANUP},
        {"enable-faults", no_argument, NULL, OPT_FAULTS},
        {"version", no_argument, NULL, OPT_VERSION},
        {"help", no_argument, NULL, OPT_HELP},
        {0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
        switch (option) {
        case OPT_CONFIG:
            ret->config = optarg;
            break;
        case OPT_SOCKET:
            ret->socket = optarg;
            break;
        case OPT_CHECK:
            ret->check = true;
            break;
        case OPT_CLEANUP:
            ret->cleanup = true;
            break;
        case OPT_FAULTS:
            ret->enable_faults = true;
            break;
        case OPT_VERSION:
            puts("weftd " WEFT_VERSION);
            return 1;
        case OPT_HELP:
            fputs(help, stdout);
            return 1;
        default:
            fputs("See 'weftd --help'.\n", stderr);
            return -1;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "weftd: unexpected argument %s\nSee 'weftd --help'.\n", argv[optind]);
        return -1;
    }
    return 0;
}

/* ---- the daemon ---- */

struct daemon {
    struct config config;
    uv_loop_t loop;
    uv_signal_t signals[2];
    struct engine *engine;
    struct api *api;
    int host_claim;
};

static void stop(uv_signal_t *handle, int signo)
{
    log_info("%s: stopping; containers go on", strsignal(signo));
    uv_stop(handle->loop);
}

static int watch_signals(struct daemon *d, struct weft_error *err)
{
    static const int signos[] = {SIGTERM, SIGINT};

    (void)signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < ARRAY_SIZE(signos); i++) {
        int r = uv_signal_init(&d->loop, &d->signals[i]);

        if (r == 0)
            r = uv_signal_start(&d->signals[i], stop, signos[i]);
        if (r < 0)
            return weft_fail_errno(err, -r, "cannot watch signals");
    }
    return 0;
}

/* A connection and a followed log are a descriptor each. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_engine(struct daemon *d, struct weft_error *err)
{
    const struct config *c = &d->config;
    struct engine_config config = {
        .run_dir = c->run_dir,
        .state_dir = c->state_dir,
        .default_bridge_name = c->bridge_name,
        .default_bridge_subnet = c->bridge_subnet,
        .pools = c->pools ? c->pools : ipam_default_bases,
        .pool_count = c->pools ? c->pool_count : ipam_default_base_count,
        .mtu = c->mtu,
        .runtime = c->runtime,
        .publish_deny = c->publish_deny,
    };

    return engine_new(&d->loop, &config, &d->engine, err);
}

static int open_api(struct daemon *d, const struct options *options, struct weft_error *err)
{
    struct api_config config = {.state_dir = d->config.state_dir,
                                .enable_faults = options->enable_faults};
    int fd = service_listen(d->config.socket, d->config.group, err);

    return fd < 0 ? fd : api_new(&d->loop, d->engine, fd, &config, &d->api, err);
}

static int open_all(struct daemon *d, struct weft_error *err)
{
    int r = privilege_drop(err);

    raise_file_limit();
    if (r == 0)
        r = d->host_claim = service_claim_host(err);
    if (r >= 0)
        r = watch_signals(d, err);
    return r < 0 ? r : open_engine(d, err);
}

static int serve(struct daemon *d, const struct options *options, struct weft_error *err)
{
    int r = engine_start(d->engine, err);

    if (r == 0)
        r = open_api(d, options, err);
    if (r < 0)
        return r;
    malloc_trim(0);
    log_info("weftd " WEFT_VERSION " is ready on %s", d->config.socket);
    service_notify("READY=1");
    uv_run(&d->loop, UV_RUN_DEFAULT);
    service_notify("STOPPING=1");
    return 0;
}

static int clean_up(struct daemon *d, struct weft_error *err)
{
    size_t removed;
    int r = engine_cleanup(d->engine, &removed, err);

    if (r == 0)
        log_info("weft is out of the kernel: %zu things were removed", removed);
    return r;
}

static void close_handle(uv_handle_t *handle, void *arg _unused_)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void close_all(struct daemon *d)
{
    api_free(d->api);
    engine_free(d->engine);
    /* What the layers closed has its callbacks run; the signals and strays are left. */
    uv_walk(&d->loop, close_handle, NULL);
    uv_run(&d->loop, UV_RUN_DEFAULT);
    uv_loop_close(&d->loop);
    if (d->host_claim >= 0)
        (void)close(d->host_claim);
    config_clear(&d->config);
}

static int run(struct daemon *d, const struct options *options)
{
    struct weft_error err = {0};
    int r = uv_loop_init(&d->loop);

    d->host_claim = -1;
    if (r < 0) {
        log_error("cannot make the event loop: %s", uv_strerror(r));
        return r;
    }
    r = open_all(d, &err);
    if (r == 0)
        r = options->cleanup ? clean_up(d, &err) : serve(d, options, &err);
    if (r < 0)
        log_error("%s", err.text);
    close_all(d);
    return r;
}

static int load_config(const struct options *options, struct config *ret, struct weft_error *err)
{
    const char *path = options->config ? options->config : CONFIG_DEFAULT_PATH;
    int r = config_load(path, options->config != NULL, ret, err);

    if (r < 0 || !options->socket)
        return r;
    free(ret->socket);
    ret->socket = strdup(options->socket);
    return ret->socket ? 0 : weft_oom(err);
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct daemon daemon = {0};
    struct weft_error err = {0};
    int r = parse_options(argc, argv, &options);

    if (r != 0)
        return r > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    if (load_config(&options, &daemon.config, &err) < 0) {
        log_error("%s", err.text);
        return EXIT_FAILURE;
    }
    if (options.check) {
        puts("the configuration is good");
        config_clear(&daemon.config);
        return EXIT_SUCCESS;
    }
    log_set_level(daemon.config.log_level);
    return run(&daemon, &options) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
