/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A container in the foreground takes three connections: one that its output arrives at, one that
 * waits for its end, and one for everything else. The first two are up before it starts, so that
 * nothing it writes, and no exit code, is missed however short it lives.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/body.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "cli/run_args.h"
#include "cli/session.h"
#include "client/url.h"

/* docker run's exit statuses for what is not the command's own (the shell's, chroot(1)'s). */
#define EXIT_DAEMON 125
#define EXIT_CANNOT_INVOKE 126
#define EXIT_NOT_FOUND 127

#define INTERRUPTS_MAX 3

static struct run_args args;

static const struct cli_option options[] = {
    OPT_LIST(0, "add-host", &args.hosts, "NAME:ADDRESS", "A line of /etc/hosts"),
    OPT_LIST(0, "cap-add", &args.cap_adds, "CAPABILITY", "A capability more"),
    OPT_LIST(0, "cap-drop", &args.cap_drops, "CAPABILITY", "A capability less"),
    OPT_FLAG('d', "detach", &args.detach, "Run in the background and print the container's id"),
    OPT_LIST(0, "dns", &args.dns, "ADDRESS", "A DNS server"),
    OPT_LIST(0, "dns-option", &args.dns_options, "OPTION", "An option of resolv.conf(5)"),
    OPT_LIST(0, "dns-opt", &args.dns_options, "OPTION", NULL),
    OPT_LIST(0, "dns-search", &args.dns_searches, "DOMAIN", "A domain to search names in"),
    OPT_LIST(0, "driver-opt", &args.endpoint.driver_opts, "KEY=VALUE",
             "An option for the first network's driver"),
    OPT_FLAG(0, "dry-run", &args.dry_run, "Print the commands this comes down to, do nothing"),
    OPT_STRING(0, "egress-burst", &args.endpoint.egress_burst, "SIZE",
               "How much it may send at once on the first network, e.g. 256k"),
    OPT_STRING(0, "egress-rate", &args.endpoint.egress_rate, "RATE",
               "The most that it sends on the first network, e.g. 10mbit"),
    OPT_STRING(0, "entrypoint", &args.entrypoint, "PROGRAM",
               "The program that gets COMMAND as its arguments"),
    OPT_LIST('e', "env", &args.env, "NAME[=VALUE]",
             "An environment variable; without a value, weft's own"),
    OPT_LIST(0, "env-file", &args.env_files, "FILE", "A file with an environment variable a line"),
    OPT_STRING('h', "hostname", &args.hostname, "NAME", "The container's host name"),
    OPT_LIST(0, "expose", &args.exposed, "PORT[-END][/PROTOCOL]",
             "A port that the program listens on, for --publish-all"),
    OPT_STRING(0, "ingress-burst", &args.endpoint.ingress_burst, "SIZE",
               "How much it may get at once on the first network, e.g. 256k"),
    OPT_STRING(0, "ingress-rate", &args.endpoint.ingress_rate, "RATE",
               "The most that it gets on the first network, e.g. 10mbit"),
    OPT_STRING(0, "ip", &args.endpoint.ip, "ADDRESS", "The IPv4 address on the first network"),
    OPT_STRING(0, "ip6", &args.endpoint.ip6, "ADDRESS", "The IPv6 address on the first network"),
    OPT_LIST('l', "label", &args.labels, "KEY=VALUE", "Metadata to keep with the container"),
    OPT_LIST(0, "link", &args.links, "CONTAINER[:NAME]",
             "Another name for a container of the first network, for this one alone"),
    OPT_LIST(0, "link-local-ip", &args.endpoint.link_local_ips, "ADDRESS",
             "A link-local address on the first network as well"),
    OPT_STRING(0, "mac-address", &args.endpoint.mac_address, "ADDRESS",
               "The MAC address on the first network"),
    OPT_STRING(0, "name", &args.name, "NAME", "The container's name"),
    OPT_LIST(0, "network", &args.networks, "NETWORK",
             "A network to be on: its name, bridge, host, none, container:NAME, or docker's long "
             "form name=NETWORK,KEY=VALUE… with the keys alias, driver-opt, gw-priority, ip, ip6, "
             "link-local-ip and mac-address"),
    OPT_LIST(0, "net", &args.networks, "NETWORK", NULL),
    OPT_LIST(0, "network-alias", &args.endpoint.aliases, "NAME",
             "Another name on the first network"),
    OPT_LIST(0, "net-alias", &args.endpoint.aliases, "NAME", NULL),
    OPT_FLAG(0, "privileged", &args.privileged, "Give all privileges"),
    OPT_LIST(
        'p', "publish", &args.published, "SPEC",
        "[HOSTIP:][HOSTPORT:]PORT[/PROTOCOL]: a port, or a range of them, to be reached at the "
        "host"),
    OPT_FLAG('P', "publish-all", &args.publish_all,
             "Publish all exposed ports at free ports of the host"),
    OPT_FLAG(0, "read-only", &args.read_only, "Mount the root file system read-only"),
    OPT_FLAG(0, "rm", &args.remove, "Remove the container when it has ended"),
    OPT_STRING(0, "rootfs", &args.rootfs, "DIRECTORY",
               "The root file system (default: the host's, with a private writable layer)"),
    OPT_STRING(0, "runtime", &args.runtime, "NAME", "The OCI runtime to use"),
    OPT_STRING(0, "stop-signal", &args.stop_signal, "SIGNAL",
               "The signal that stop sends (default: TERM)"),
    OPT_NUMBER(0, "stop-timeout", &args.stop_timeout, "SECONDS",
               "How long stop waits before it kills"),
    OPT_LIST(0, "sysctl", &args.sysctls, "KEY=VALUE", "A sysctl of the container"),
    OPT_STRING('u', "user", &args.user, "USER[:GROUP]", "Who runs the command: name or number"),
    OPT_LIST('v', "volume", &args.volumes, "SOURCE:TARGET[:OPTIONS]",
             "A file or directory of the host to mount"),
    OPT_STRING('w', "workdir", &args.workdir, "DIRECTORY", "The working directory"),
    OPT_END,
};

static int create(struct client *daemon, strv command, char **ret_id, struct weft_error *err)
{
    _cleanup_json_ json_t *body = NULL, *reply = NULL;
    _cleanup_strbuf_ struct strbuf url = {0};
    int r;

    r = run_body(&args, command, &body, err);
    if (r < 0)
        return r;
    url_path(&url, "containers", "create");
    if (args.name)
        url_query(&url, "name", args.name);
    r = send_change(daemon, "POST", &url, body, args.dry_run, &reply, err);
    if (r < 0)
        return r;
    report_warnings(reply, "Warnings");
    return json_get_strdup(reply, "Id", ret_id, err);
}

static int start(struct client *daemon, const char *id, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf url = {0};

    url_path(&url, "containers", id, "start");
    return client_call(daemon, "POST", strbuf_text(&url), NULL, NULL, err);
}

static int attach(struct client *output, const char *id, int *ret_fd, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf url = {0};

    url_path(&url, "containers", id, "attach");
    url_query(&url, "stream", "1");
    url_query(&url, "stdout", "1");
    url_query(&url, "stderr", "1");
    return client_hijack(output, "POST", strbuf_text(&url), NULL, ret_fd, err);
}

/* Returns when the daemon has begun to wait; the exit code comes with wait_end. */
static int wait_begin(struct client *waiter, const char *id, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf url = {0};

    url_path(&url, "containers", id, "wait");
    url_query(&url, "condition", args.remove ? "removed" : "next-exit");
    return client_begin(waiter, "POST", strbuf_text(&url), NULL, err);
}

static int wait_end(struct client *waiter, struct weft_error *err)
{
    _cleanup_json_ json_t *reply = NULL, *error = NULL;
    const char *message = NULL;
    int64_t status = EXIT_DAEMON;
    int r;

    r = client_finish(waiter, &reply, err);
    if (r == 0)
        r = json_get_i64(reply, "StatusCode", &status, err);
    if (r < 0)
        return r;
    error = json_incref(json_object_get(reply, "Error"));
    (void)json_get_string(error, "Message", &message, NULL);
    if (!str_is_empty(message))
        return weft_fail(err, WEFT_INTERNAL, "%s", message);
    return (int)(status & 0xff);
}

struct forwarding {
    struct client *daemon;
    const char *id;
    int interrupts;
};

/* Passes the signal on. Whoever insists gets away although the container does not listen. */
static int forward_signal(void *arg, int signal, struct weft_error *err)
{
    struct forwarding *f = arg;
    _cleanup_strbuf_ struct strbuf url = {0};

    if ((signal == SIGINT || signal == SIGTERM) && ++f->interrupts == INTERRUPTS_MAX)
        return weft_fail(err, WEFT_INTERNAL, "interrupted %d times: container %.*s is left to run",
                         INTERRUPTS_MAX, ID_SHORT, f->id);
    url_path(&url, "containers", f->id, "kill");
    url_query(&url, "signal", sigabbrev_np(signal));
    /* It may have ended meanwhile: then so will the stream. */
    (void)client_call(f->daemon, "POST", strbuf_text(&url), NULL, NULL, NULL);
    return 0;
}

static int open_signals(int *ret_fd, struct weft_error *err)
{
    static const int forwarded[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
        sigaddset(&set, forwarded[i]);
    return signals_open(&set, ret_fd, err);
}

/* What a failing start means, told as docker run does: by the runtime's own (lower-case) words. */
static int start_failure(const struct weft_error *err)
{
    static const struct {
        const char *words;
        int status;
    } known[] = {
        {"executable file not found", EXIT_NOT_FOUND},
        {"no such file or directory", EXIT_NOT_FOUND},
        {"permission denied", EXIT_CANNOT_INVOKE},
        {"is a directory", EXIT_CANNOT_INVOKE},
        {"exec format error", EXIT_CANNOT_INVOKE},
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (strstr(err->text, known[i].words))
            return known[i].status;
    return EXIT_DAEMON;
}

static int start_or_status(struct client *daemon, const char *id, struct weft_error *err)
{
    if (start(daemon, id, err) == 0)
        return 0;
    report_error(err);
    return start_failure(err);
}

static int run_attached(struct client *daemon, const char *id, struct weft_error *err)
{
    _cleanup_client_ struct client *output = client_another(daemon);
    _cleanup_client_ struct client *waiter = client_another(daemon);
    _cleanup_close_ int stream = -1, signals = -1;
    struct forwarding forwarding = {.daemon = daemon, .id = id};
    struct session session;
    int r;

    if (!output || !waiter)
        return weft_oom(err);
    r = attach(output, id, &stream, err);
    if (r == 0)
        r = wait_begin(waiter, id, err);
    if (r == 0)
        r = open_signals(&signals, err);
    if (r == 0)
        r = start_or_status(daemon, id, err);
    if (r != 0)
        return r;
    session = (struct session){
        .fd = stream,
        .multiplexed = true,
        .input = -1,
        .signals = signals,
        .on_signal = forward_signal,
        .arg = &forwarding,
    };
    r = session_run(&session, err);
    return r < 0 ? r : wait_end(waiter, err);
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_free_ char *id = NULL;
    int r;

    r = create(daemon, operands, &id, err);
    if (r < 0 || args.dry_run)
        return r;
    if (!id)
        return weft_fail(err, WEFT_INTERNAL, "weftd created a container without an id");
    if (!args.detach)
        return run_attached(daemon, id, err);
    r = start_or_status(daemon, id, err);
    if (r == 0)
        puts(id);
    return r;
}

const struct command cmd_run = {
    .name = "run",
    .summary = "Run a command in a new container.",
    .operands = "COMMAND [ARG...]",
    .example = "weft run --rm --network web --name hello -- python3 -m http.server",
    .options = {options},
    .stop_at_operand = true,
    .failure = EXIT_DAEMON,
    .run = run,
};
