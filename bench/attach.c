/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What weft adds to the kernel's own time: making and removing networks, connecting and
 * disconnecting a sandbox, and memory (see README.md).
 *
 * Networks "bench", on which all endpoints lie, and "quiet", an internal one. Sandbox "extra" is on
 * quiet for good and joins and leaves bench, so that its default route comes and goes. The floor
 * does the same in the same namespace and on the same bridge, in turn with weft, so that both meet
 * the same kernel and the same disturbances.
 *
 * To be run in network, mount and process namespaces of its own: the script bench/attach.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/json.h"
#include "cni.h"
#include "daemon.h"
#include "floor.h"
#include "space.h"
#include "stats.h"

#define NETWORK_ROUNDS 30
#define REST_MS 150
#define CNI_ROUNDS 30
#define CREATE_TARGET_MS 3.0
#define REMOVE_TARGET_MS 10.0
#define TARGET_RATIO 1.5
#define TARGET_EXTRA_MS 0.3
#define TARGET_MEMORY_MB 12.0

#define BRIDGE "bench0"
#define FLOOR_LINK "floor0"
#define INSIDE_LINK "eth1" /* eth0 is on quiet */

struct options {
    const char *weftd, *run_dir, *state_dir;
    unsigned rounds;
    unsigned sizes[16];
    size_t size_count;
};

struct bench {
    struct options options;
    struct daemon daemon;
    struct floor_socket host;   /* in the namespace that is the host */
    struct floor_socket inside; /* in the one of the extra sandbox: only to look */
    int host_ns;
    char *extra; /* path of the extra sandbox's namespace */
    struct floor_endpoint floor;
    bool has_cni;
    struct cni cni;
    unsigned attached;
};

/* ---- setting up ---- */

static uint32_t address_text(const char *text)
{
    struct in_addr a;

    if (inet_pton(AF_INET, text, &a) != 1)
        die("%s is not an address", text);
    return a.s_addr;
}

/* The namespace of a sandbox of this name, made anew. */
static char *make_space(const struct bench *b, const char *name)
{
    char *path = str_printf("%s/ns/%s", b->options.run_dir, name);
    int r = path ? space_make(path) : -ENOMEM;

    if (r < 0)
        die("cannot make a network namespace: %s", strerror(-r));
    return path;
}

static void attach(struct bench *b, const char *netns, const char *name, const char *network)
{
    daemon_call(&b->daemon, "POST", "/weft/attach",
                json_pack("{s:s, s:s, s:s}", "Netns", netns, "Name", name, "Network", network));
}

static void create_networks(struct bench *b)
{
    daemon_call(&b->daemon, "POST", "/networks/create",
                json_pack("{s:s, s:{s:s}, s:{s:[{s:s, s:s, s:s}]}}", "Name", "bench", "Options",
                          "com.docker.network.bridge.name", BRIDGE, "IPAM", "Config", "Subnet",
                          "10.98.0.0/16", "IPRange", "10.98.0.0/17", "Gateway", "10.98.0.1"));
    daemon_call(&b->daemon, "POST", "/networks/create",
                json_pack("{s:s, s:b, s:{s:[{s:s}]}}", "Name", "quiet", "Internal", 1, "IPAM",
                          "Config", "Subnet", "10.99.0.0/24"));
}

static int open_in_space(const struct bench *b, const char *path, struct floor_socket *ret)
{
    int fd = space_open(path);
    int r = fd < 0 ? fd : space_enter(fd);

    if (r == 0)
        r = floor_open(ret);
    if (r == 0)
        r = space_enter(b->host_ns);
    if (r < 0)
        die("cannot enter %s: %s", path, strerror(-r));
    return fd;
}

static void prepare(struct bench *b)
{
    _cleanup_free_ char *dir = str_printf("%s/ns", b->options.run_dir);

    if (mkdir(dir, 0700) < 0)
        die("cannot make %s: %s", dir, strerror(errno));
    b->host_ns = space_open_current();
    if (b->host_ns < 0 || floor_open(&b->host) < 0)
        die("cannot open a netlink socket");
    daemon_start(b->options.weftd, b->options.run_dir, b->options.state_dir, &b->daemon);
    create_networks(b);
    b->extra = make_space(b, "extra");
    attach(b, b->extra, "extra", "quiet");
    (void)close(open_in_space(b, b->extra, &b->inside));
    b->floor = (struct floor_endpoint){
        .bridge_index = floor_link_index(&b->host, BRIDGE),
        .host_link = FLOOR_LINK,
        .ifname = INSIDE_LINK,
        .mac = {0x02, 0x42, 10, 98, 200, 1},
        .address.s_addr = address_text("10.98.200.1"),
        .gateway.s_addr = address_text("10.98.0.1"),
        .prefix_len = 16,
    };
    b->has_cni = cni_find(b->options.run_dir, BRIDGE, b->extra, &b->cni);
}

/* ---- networks ---- */

static double time_create(struct bench *b)
{
    json_t *body = json_pack("{s:s}", "Name", "passing");
    double start = clock_ms();

    daemon_call(&b->daemon, "POST", "/networks/create", body);
    return clock_ms() - start;
}

static double time_remove(struct bench *b)
{
    double start = clock_ms();

    daemon_call(&b->daemon, "DELETE", "/networks/passing", NULL);
    return clock_ms() - start;
}

/* The kernel goes on removing a bridge when it can no longer be seen, and makes everybody who
 * changes links wait: so one network is made when it is at rest, and one at once after a removal.
 */
static void time_networks(struct bench *b, struct samples *create, struct samples *remove,
                          struct samples *again)
{
    const struct timespec rest = {.tv_nsec = REST_MS * 1000000};

    for (unsigned i = 0; i < NETWORK_ROUNDS; i++) {
        samples_add(create, time_create(b));
        samples_add(remove, time_remove(b));
        samples_add(again, time_create(b));
        (void)time_remove(b);
        (void)nanosleep(&rest, NULL);
    }
}

static void time_floor_networks(struct bench *b, struct samples *create, struct samples *remove,
                                struct samples *call)
{
    const struct floor_bridge bridge = {
        .name = FLOOR_LINK,
        .mac = {0x02, 0x42, 10, 97, 0, 1},
        .address.s_addr = address_text("10.97.0.1"),
        .prefix_len = 24,
    };

    for (unsigned i = 0; i < NETWORK_ROUNDS; i++) {
        double start = clock_ms(), gone = 0;
        int r = floor_make_bridge(&b->host, &bridge);

        samples_add(create, clock_ms() - start);
        start = clock_ms();
        if (r == 0)
            r = floor_remove_link(&b->host, bridge.name, &gone);
        samples_add(remove, gone - start);
        samples_add(call, clock_ms() - start);
        if (r < 0)
            die("the floor's bridge: %s", strerror(-r));
    }
}

static const char *yes(bool is_met)
{
    return is_met ? "yes" : "NO";
}

static void print_network(const char *what, struct samples *weft, struct samples *floor,
                          double target)
{
    double w = samples_median(weft), f = samples_median(floor);

    printf("%-9s  %7.3f %7.3f  %7.3f %7.3f  %+7.3f  %7.3f  %s%s\n", what, w,
           samples_percentile(weft, 95), f, samples_percentile(floor, 95), w - f, target,
           yes(w <= target), f > target ? " (nor is it by the floor)" : "");
}

static void bench_networks(struct bench *b)
{
    struct samples create = {0}, remove = {0}, again = {0};
    struct samples floor_create = {0}, floor_remove = {0}, call = {0};

    time_networks(b, &create, &remove, &again);
    time_floor_networks(b, &floor_create, &floor_remove, &call);
    printf("Networks: %d made and removed, milliseconds\n\n", NETWORK_ROUNDS);
    printf("            weft            floor            weft    median\n");
    printf("            median     p95   median     p95  - floor  at most  met\n");
    print_network("create", &create, &floor_create, CREATE_TARGET_MS);
    print_network("remove", &remove, &floor_remove, REMOVE_TARGET_MS);
    printf(
        "\nThe link is gone then; the kernel's call to delete it returns after %.3f (p95 %.3f)\n",
        samples_median(&call), samples_percentile(&call, 95));
    samples_clear(&call);
    samples_clear(&create);
    samples_clear(&remove);
    samples_clear(&floor_create);
    samples_clear(&floor_remove);
}

/* ---- endpoints ---- */

struct times {
    struct samples weft_connect, weft_disconnect;
    struct samples floor_connect, floor_disconnect;
    struct samples netlink; /* of floor_connect: without entering the namespace */
    struct samples call;    /* of floor_disconnect: until the kernel's call returned */
    struct samples cni_add, cni_del;
};

static void expect_inside_link(const struct bench *b, bool there, const char *who)
{
    if ((floor_link_index(&b->inside, INSIDE_LINK) > 0) != there)
        die("%s: link " INSIDE_LINK " is %sthere", who, there ? "not " : "");
}

static void round_weft(struct bench *b, struct times *t)
{
    json_t *connect = json_pack("{s:s}", "Container", "extra");
    json_t *disconnect = json_pack("{s:s}", "Container", "extra");
    double start = clock_ms();

    daemon_call(&b->daemon, "POST", "/networks/bench/connect", connect);
    samples_add(&t->weft_connect, clock_ms() - start);
    expect_inside_link(b, true, "weft's connect");
    start = clock_ms();
    daemon_call(&b->daemon, "POST", "/networks/bench/disconnect", disconnect);
    samples_add(&t->weft_disconnect, clock_ms() - start);
    expect_inside_link(b, false, "weft's disconnect");
}

/* Like weft, it keeps no descriptor of a namespace, and enters it for a socket. */
static void round_floor(struct bench *b, struct times *t)
{
    struct floor_socket inside;
    double start = clock_ms(), netlink, gone = 0;
    int fd = open_in_space(b, b->extra, &inside);
    int r;

    netlink = clock_ms();
    r = floor_connect(&b->host, fd, &inside, &b->floor);
    samples_add(&t->netlink, clock_ms() - netlink);
    floor_close(&inside);
    (void)close(fd);
    samples_add(&t->floor_connect, clock_ms() - start);
    expect_inside_link(b, true, "the floor's connect");
    start = clock_ms();
    if (r == 0)
        r = floor_remove_link(&b->host, FLOOR_LINK, &gone);
    samples_add(&t->floor_disconnect, gone - start);
    samples_add(&t->call, clock_ms() - start);
    if (r < 0)
        die("the floor's endpoint: %s", strerror(-r));
    expect_inside_link(b, false, "the floor's disconnect");
}

static void run_cni(struct bench *b, const char *command, struct samples *ret)
{
    double start = clock_ms();
    int r = cni_run(&b->cni, command, INSIDE_LINK);

    samples_add(ret, clock_ms() - start);
    if (r != 0)
        die("%s %s failed (%d)", b->cni.plugin, command, r);
}

static void attach_up_to(struct bench *b, unsigned size, struct samples *ret)
{
    for (; b->attached < size; b->attached++) {
        _cleanup_free_ char *name = str_printf("s%u", b->attached + 1);
        _cleanup_free_ char *path = make_space(b, name);
        double start = clock_ms();

        attach(b, path, name, "bench");
        samples_add(ret, clock_ms() - start);
    }
}

static void print_operation(unsigned size, const char *what, struct samples *weft,
                            struct samples *floor)
{
    double w = samples_median(weft), f = samples_median(floor);
    double limit = TARGET_RATIO * f + TARGET_EXTRA_MS;

    printf("%9u  %-10s  %7.3f %7.3f  %7.3f %7.3f  %5.2f  %+7.3f  %7.3f  %s\n", size, what, w,
           samples_percentile(weft, 95), f, samples_percentile(floor, 95), w / f, w - f, limit,
           yes(w <= limit));
}

/* What is told of a size besides, once all sizes have been measured. Medians. */
struct size_facts {
    double attach, netlink, call, cni_add, cni_del;
    struct memory memory;
};

static double take_median(struct samples *s)
{
    double median = s->count ? samples_median(s) : 0;

    samples_clear(s);
    return median;
}

static void bench_endpoints(struct bench *b, unsigned size, struct size_facts *ret)
{
    struct times t = {0};

    for (unsigned i = 0; i < b->options.rounds; i++) {
        if (i % 2)
            round_floor(b, &t);
        round_weft(b, &t);
        if (i % 2 == 0)
            round_floor(b, &t);
        if (b->has_cni && i < CNI_ROUNDS) {
            run_cni(b, "ADD", &t.cni_add);
            run_cni(b, "DEL", &t.cni_del);
        }
    }
    print_operation(size, "connect", &t.weft_connect, &t.floor_connect);
    print_operation(size, "disconnect", &t.weft_disconnect, &t.floor_disconnect);
    samples_clear(&t.weft_connect);
    samples_clear(&t.weft_disconnect);
    samples_clear(&t.floor_connect);
    samples_clear(&t.floor_disconnect);
    ret->netlink = take_median(&t.netlink);
    ret->call = take_median(&t.call);
    ret->cni_add = take_median(&t.cni_add);
    ret->cni_del = take_median(&t.cni_del);
}

static void print_sizes(const struct bench *b, const struct size_facts *facts)
{
    printf("\nBesides, medians in milliseconds: attaching the sandboxes that each size takes; the\n"
           "floor's connect without entering the namespace, and its disconnect until the kernel's\n"
           "call returns; the CNI bridge plugin%s\n\n",
           b->has_cni ? "" : " (not installed)");
    printf("endpoints   attach  netlink     call  CNI ADD  CNI DEL\n");
    for (size_t i = 0; i < b->options.size_count; i++)
        printf("%9u  %7.3f  %7.3f  %7.3f  %7.3f  %7.3f\n", b->options.sizes[i], facts[i].attach,
               facts[i].netlink, facts[i].call, facts[i].cni_add, facts[i].cni_del);
}

static void print_memory(const struct bench *b, const struct size_facts *facts)
{
    printf("\nMemory of weftd, in MB of 1,000,000 bytes; VmRSS at most %.0f\n\n", TARGET_MEMORY_MB);
    printf("endpoints  VmRSS  RssAnon    Pss  met\n");
    for (size_t i = 0; i < b->options.size_count; i++) {
        const struct memory *m = &facts[i].memory;
        double rss = (double)m->rss * 1024 / 1e6;

        printf("%9u  %5.2f  %7.2f  %5.2f  %s\n", b->options.sizes[i], rss,
               (double)m->anon * 1024 / 1e6, (double)m->pss * 1024 / 1e6,
               yes(rss <= TARGET_MEMORY_MB));
    }
}

static void bench_sizes(struct bench *b)
{
    struct size_facts facts[ARRAY_SIZE(b->options.sizes)] = {0};

    printf("\nConnect and disconnect: %u rounds, milliseconds; limit: %.1f x the floor's median + "
           "%.1f\n\n",
           b->options.rounds, TARGET_RATIO, TARGET_EXTRA_MS);
    printf("                        weft            floor                    weft\n");
    printf("endpoints  operation    median     p95   median     p95  ratio  - floor    limit"
           "  met\n");
    for (size_t i = 0; i < b->options.size_count; i++) {
        struct samples attached = {0};

        attach_up_to(b, b->options.sizes[i], &attached);
        bench_endpoints(b, b->options.sizes[i], &facts[i]);
        facts[i].attach = take_median(&attached);
        facts[i].memory = daemon_memory(&b->daemon);
        (void)fflush(stdout);
    }
    print_sizes(b, facts);
    print_memory(b, facts);
}

/* ---- the program ---- */

static unsigned parse_number(const char *text)
{
    int64_t number;

    if (str_to_i64(text, 1, 1000000, &number) < 0)
        die("%s is not a number from 1 up", text);
    return (unsigned)number;
}

static void parse_options(int argc, char **argv, struct options *ret)
{
    static const unsigned default_sizes[] = {1, 100, 900};
    int option;

    *ret = (struct options){.rounds = 200};
    while ((option = getopt(argc, argv, "r:")) >= 0) {
        if (option != 'r')
            die("usage: bench-attach [-r ROUNDS] WEFTD RUN_DIR STATE_DIR [SIZE...]");
        ret->rounds = parse_number(optarg);
    }
    if (argc - optind < 3 || argc - optind > 3 + (int)ARRAY_SIZE(ret->sizes))
        die("usage: bench-attach [-r ROUNDS] WEFTD RUN_DIR STATE_DIR [SIZE...]");
    ret->weftd = argv[optind++];
    ret->run_dir = argv[optind++];
    ret->state_dir = argv[optind++];
    for (; optind < argc; optind++)
        ret->sizes[ret->size_count++] = parse_number(argv[optind]);
    if (ret->size_count == 0) {
        memcpy(ret->sizes, default_sizes, sizeof default_sizes);
        ret->size_count = ARRAY_SIZE(default_sizes);
    }
}

int main(int argc, char **argv)
{
    struct bench b = {0};

    parse_options(argc, argv, &b.options);
    prepare(&b);
    bench_networks(&b);
    (void)fflush(stdout);
    bench_sizes(&b);
    daemon_stop(&b.daemon);
    floor_close(&b.inside);
    floor_close(&b.host);
    (void)close(b.host_ns);
    cni_clear(&b.cni);
    free(b.extra);
    return EXIT_SUCCESS;
}
