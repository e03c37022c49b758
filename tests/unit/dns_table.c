/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * The table and what it allocates with are compiled into this test, so that memory can run out in
 * them: at the allocation that brings budget to zero, and at all that follow.
 */
static long budget = -1; /* < 0: there is enough */

static bool has_memory(void)
{
    if (budget > 0)
        budget--;
    return budget != 0;
}

static void *test_table_malloc(size_t size)
{
    return has_memory() ? malloc(size) : NULL;
}

static void *test_table_calloc(size_t count, size_t size)
{
    return has_memory() ? calloc(count, size) : NULL;
}

static void *test_table_realloc(void *old, size_t size)
{
    return has_memory() ? realloc(old, size) : NULL;
}

static char *test_table_strdup(const char *text)
{
    return has_memory() ? strdup(text) : NULL;
}

#define malloc test_table_malloc
#define calloc test_table_calloc
#define realloc test_table_realloc
#define strdup test_table_strdup
#include "../../src/base/hash.c"
#include "../../src/dns/endpoint.c"
#include "../../src/dns/table.c"
#undef malloc
#undef calloc
#undef realloc
#undef strdup

#include "dns_feed.h"

struct seen {
    char text[256]; /* of the hooks' calls */
};

static void note(struct seen *seen, const char *what, const char *id)
{
    size_t length = strlen(seen->text);

    snprintf(seen->text + length, sizeof seen->text - length, "%s %s; ", what, id);
}

static void on_network_gone(void *arg, struct dns_network *net)
{
    note(arg, "network", net->id);
}

static void on_sandbox_gone(void *arg, struct dns_sandbox *sb)
{
    note(arg, "sandbox", sb->id);
}

static void on_servers_changed(void *arg, struct dns_sandbox *sb)
{
    char what[32];

    snprintf(what, sizeof what, "%zu servers", sb->server_count);
    note(arg, what, sb->id);
}

static void assert_seen(struct seen *seen, const char *text)
{
    assert_string_equal(seen->text, text);
    seen->text[0] = '\0';
}

static int setup(void **state)
{
    struct dns_table *t = NULL;

    assert_int_equal(dns_table_new(NULL, &t), 0);
    *state = t;
    return 0;
}

/* Two networks that a has in this order, b in the other; c on one. */
static int setup_three(void **state)
{
    struct dns_table *t;

    setup(state);
    t = *state;
    assert_int_equal(feed_network(t, "n1", "front", "172.18.0.1", "fd18::1",
                                  "172.18.0.0/16 fd18::/64"),
                     0);
    assert_int_equal(feed_network(t, "n2", "Back.Yard_2", "172.19.0.1", "", "172.19.0.0/16"), 0);
    assert_int_equal(feed_sandbox(t, "a", "n1 n2"), 0);
    assert_int_equal(feed_sandbox(t, "b", "n2 n1"), 0);
    assert_int_equal(feed_sandbox(t, "c", "n2"), 0);
    assert_int_equal(feed_endpoint(t, "n1", "a", "172.18.0.2", "fd18::2", "web www", ""), 0);
    assert_int_equal(feed_endpoint(t, "n2", "a", "172.19.0.2", "", "web www", ""), 0);
    assert_int_equal(feed_endpoint(t, "n1", "b", "172.18.0.3", "fd18::3", "db.1 store", ""), 0);
    assert_int_equal(feed_endpoint(t, "n2", "b", "172.19.0.3", "", "db.1 store", ""), 0);
    assert_int_equal(feed_endpoint(t, "n2", "c", "172.19.0.4", "", "cache store", ""), 0);
    return 0;
}

static int teardown(void **state)
{
    dns_table_free(*state);
    return 0;
}

static struct dns_scope scope_of(struct dns_table *t, const char *sandbox)
{
    struct dns_scope scope = {.table = t, .sandbox = dns_table_sandbox(t, sandbox)};

    assert_non_null(scope.sandbox);
    return scope;
}

/* What a name leads to: "NETWORK: ADDRESS ADDRESS", "NETWORK: host", or "-". */
static const char *found(const struct dns_scope *scope, const char *text)
{
    static char buf[1024];
    struct dns_found f;
    struct dns_name name;
    int length;

    assert_int_equal(dns_name_from_text(text, &name), 0);
    if (!dns_table_find(scope, &name, &f))
        return "-";
    length = snprintf(buf, sizeof buf, "%s:", f.network->id);
    if (f.host) {
        assert_ptr_equal(f.host, f.network);
        assert_int_equal(f.count, 0);
        snprintf(buf + length, sizeof buf - (size_t)length, " host");
        return buf;
    }
    assert_non_null(f.turns);
    for (size_t i = 0; i < f.count; i++)
        length += snprintf(buf + length, sizeof buf - (size_t)length, " %s",
                           addr_text(&f.endpoints[i]->ipv4));
    return buf;
}

static void an_empty_table(void **state)
{
    struct dns_table *t = *state;
    struct dns_scope all = {.table = t, .all = true}, nobody = {.table = t};
    size_t i = 0;

    assert_null(dns_table_network(t, "n1"));
    assert_null(dns_table_sandbox(t, "a"));
    assert_null(dns_table_next_network(t, &i));
    assert_null(dns_table_next_sandbox(t, &i));
    assert_int_equal(dns_table_endpoint_count(t), 0);
    assert_string_equal(found(&all, "web"), "-");
    assert_string_equal(found(&nobody, "web.front.weft"), "-");
    assert_string_equal(found(&all, "host.docker.internal"), "-");
    dns_table_free(NULL);
}

static void what_it_holds(void **state)
{
    struct dns_table *t = *state;
    struct dns_network *n1 = dns_table_network(t, "n1"), *net;
    struct dns_sandbox *a = dns_table_sandbox(t, "a");
    struct addr v4 = feed_addr("172.18.0.2"), v6 = feed_addr("fd18::3"), none = {0};
    unsigned networks = 0, sandboxes = 0;

    assert_string_equal(n1->name, "front");
    assert_true(n1->forwards);
    assert_int_equal(n1->endpoint_count, 2);
    assert_int_equal(n1->subnet_count, 2);
    assert_string_equal(dns_name_text(&dns_table_network(t, "n2")->suffix), "back.yard_2");
    assert_string_equal(a->name, "a");
    assert_int_equal(a->network_count, 2);
    assert_ptr_equal(a->networks[0], n1);
    assert_int_equal(dns_table_endpoint_count(t), 5);
    for (size_t i = 0; (net = dns_table_next_network(t, &i));)
        networks++;
    for (size_t i = 0; dns_table_next_sandbox(t, &i);)
        sandboxes++;
    assert_int_equal(networks, 2);
    assert_int_equal(sandboxes, 3);
    assert_ptr_equal(dns_network_endpoint(n1, &v4)->sandbox, a);
    assert_string_equal(dns_network_endpoint(n1, &v6)->sandbox->id, "b");
    assert_null(dns_network_endpoint(n1, &none));
    v4 = feed_addr("172.19.0.2");
    assert_null(dns_network_endpoint(n1, &v4));
}

static void the_nearest_network_answers_alone(void **state)
{
    struct dns_table *t = *state;
    struct dns_scope a = scope_of(t, "a"), b = scope_of(t, "b"), c = scope_of(t, "c");

    assert_string_equal(found(&a, "web"), "n1: 172.18.0.2");
    assert_string_equal(found(&b, "web"), "n2: 172.19.0.2");
    assert_string_equal(found(&a, "store"), "n1: 172.18.0.3");
    assert_string_equal(found(&b, "store"), "n2: 172.19.0.3 172.19.0.4");
    assert_string_equal(found(&a, "cache"), "n2: 172.19.0.4"); /* only the farther one has it */
    assert_string_equal(found(&a, "nobody"), "-");
    assert_string_equal(found(&c, "web.front"), "-"); /* c is not on front */
    assert_string_equal(found(&c, "web.front.weft"), "-");
}

static void long_forms(void **state)
{
    struct dns_table *t = *state;
    struct dns_scope a = scope_of(t, "a");

    assert_string_equal(found(&a, "web.front"), "n1: 172.18.0.2");
    assert_string_equal(found(&a, "Web.Front.WEFT"), "n1: 172.18.0.2");
    assert_string_equal(found(&a, "web.back.yard_2"), "n2: 172.19.0.2");
    assert_string_equal(found(&a, "db.1.Back.Yard_2.weft"), "n2: 172.19.0.3");
    assert_string_equal(found(&a, "db.1"), "n1: 172.18.0.3");
    assert_string_equal(found(&a, "web.weft"), "-");
    assert_string_equal(found(&a, "web.front.weft.weft"), "-");
    assert_string_equal(found(&a, "front"), "-");
    assert_string_equal(found(&a, "front.weft"), "-");
    assert_string_equal(found(&a, "weft"), "-");
    assert_string_equal(found(&a, "web.yard_2"), "-");
    assert_string_equal(found(&a, "."), "-");
}

/* A container may be called like a long form: as it is goes before. */
static void short_names_go_before_long_ones(void **state)
{
    struct dns_table *t = *state;
    struct dns_scope a = scope_of(t, "a");

    assert_int_equal(feed_endpoint(t, "n2", "c", "172.19.0.4", "", "web.front", ""), 0);
    assert_string_equal(found(&a, "web.front"), "n2: 172.19.0.4");
    assert_string_equal(found(&a, "web.front.weft"), "n1: 172.18.0.2");
    assert_string_equal(found(&a, "web.front.back.yard_2"), "n2: 172.19.0.4");
    /* And a network like the end of another. */
    assert_int_equal(feed_network(t, "n3", "weft", "", "", ""), 0);
    assert_int_equal(feed_sandbox(t, "a", "n1 n2 n3"), 0);
    assert_int_equal(feed_endpoint(t, "n3", "a", "172.20.0.9", "", "web odd", ""), 0);
    assert_string_equal(found(&a, "odd.weft"), "n3: 172.20.0.9");
    assert_string_equal(found(&a, "odd.weft.weft"), "n3: 172.20.0.9");
}

static void links(void **state)
{
    struct dns_table *t = *state;
    struct dns_scope a;

    assert_int_equal(
        feed_sandbox_with(t, "a", true, "n1 n2",
                          "n2:cache:Speedy n2:gone:web n9:web:x n1:..:y n2:store:cache", ""),
        0);
    a = scope_of(t, "a");
    assert_int_equal(a.sandbox->link_count, 3);
    assert_string_equal(found(&a, "speedy"), "n2: 172.19.0.4");
    assert_string_equal(found(&a, "speedy.back.yard_2"), "n2: 172.19.0.4");
    assert_string_equal(found(&a, "speedy.back.yard_2.weft"), "n2: 172.19.0.4");
    assert_string_equal(found(&a, "speedy.front"), "-");
    assert_string_equal(found(&a, "web"),
                        "n1: 172.18.0.2"); /* its target is not there: nothing hidden */
    assert_string_equal(found(&a, "cache"),
                        "n2: 172.19.0.3 172.19.0.4"); /* before the name itself */
    assert_string_equal(found(&(struct dns_scope){.table = t, .all = true}, "speedy"), "-");
    /* The target is looked up when it is asked for. */
    assert_int_equal(feed_endpoint(t, "n2", "c", "172.19.0.4", "", "gone", ""), 0);
    assert_string_equal(found(&a, "web"), "n2: 172.19.0.4");
    assert_string_equal(found(&a, "speedy"), "-");
    /* They go with their network. */
    assert_int_equal(feed_gone(t, DNS_MSG_NETWORK_GONE, "n2", NULL), 0);
    assert_int_equal(a.sandbox->link_count, 0);
    assert_string_equal(found(&a, "web"), "n1: 172.18.0.2");
}

static void names_of_the_host(void **state)
{
    struct dns_table *t = *state;
    struct dns_scope a = scope_of(t, "a"), c = scope_of(t, "c");

    assert_string_equal(found(&a, "host.docker.internal"), "n1: host");
    assert_string_equal(found(&c, "Gateway.Docker.internal"), "n2: host");
    assert_string_equal(found(&c, "docker.internal"), "-");
    /* The nearest that has any. */
    assert_int_equal(feed_network(t, "n1", "front", "", "", ""), 0);
    assert_string_equal(found(&a, "host.docker.internal"), "n2: host");
    assert_int_equal(feed_network(t, "n1", "front", "", "fd18::1", ""), 0);
    assert_string_equal(found(&a, "host.docker.internal"), "n1: host");
    /* A container of that name goes before. */
    assert_int_equal(feed_endpoint(t, "n2", "c", "172.19.0.4", "", "host.docker.internal", ""), 0);
    assert_string_equal(found(&a, "host.docker.internal"), "n2: 172.19.0.4");
}

static void what_the_host_sees(void **state)
{
    struct dns_table *t = *state;
    struct dns_scope all = {.table = t, .all = true};
    struct dns_scope one = {.table = t, .network = dns_table_network(t, "n2")};
    struct dns_name name;

    assert_string_equal(found(&all, "web"), "n1: 172.18.0.2");
    assert_string_equal(found(&all, "web.back.yard_2"), "n2: 172.19.0.2");
    assert_string_equal(found(&one, "web"), "n2: 172.19.0.2");
    assert_string_equal(found(&one, "web.front"), "-");
    assert_int_equal(dns_name_from_text("front", &name), 0);
    assert_true(dns_table_has_network(&all, &name));
    assert_false(dns_table_has_network(&one, &name));
}

/* "SANDBOX", "host of NETWORK", or "-"; and "+" when it is inside. */
static const char *owner(const struct dns_scope *scope, const char *text)
{
    static char buf[100];
    struct addr addr = feed_addr(text);
    struct dns_network *host;
    bool inside;
    const struct dns_endpoint *ep = dns_table_find_addr(scope, &addr, &host, &inside);

    assert_false(ep && host);
    snprintf(buf, sizeof buf, "%s%s%s", host ? "host of " : "",
             host ? host->id
             : ep ? ep->sandbox->id
                  : "-",
             inside ? " +" : "");
    return buf;
}

static void addresses(void **state)
{
    struct dns_table *t = *state;
    struct dns_scope a = scope_of(t, "a"), c = scope_of(t, "c");

    assert_string_equal(owner(&a, "172.18.0.3"), "b +");
    assert_string_equal(owner(&a, "fd18::3"), "b +");
    assert_string_equal(owner(&a, "172.19.0.4"), "c +");
    assert_string_equal(owner(&a, "172.18.0.1"), "host of n1 +");
    assert_string_equal(owner(&a, "fd18::1"), "host of n1 +");
    assert_string_equal(owner(&a, "172.18.200.1"), "- +");
    assert_string_equal(owner(&a, "fd18::1:0"), "- +");
    assert_string_equal(owner(&a, "192.0.2.1"), "-");
    assert_string_equal(owner(&c, "172.18.0.3"), "-"); /* not its network */
    assert_string_equal(owner(&c, "172.18.0.1"), "-");
}

static void endpoints_change(void **state)
{
    struct dns_table *t = *state;
    struct dns_scope a = scope_of(t, "a");
    struct addr addr = feed_addr("172.18.0.2");
    struct dns_endpoint *ep = dns_network_endpoint(dns_table_network(t, "n1"), &addr);

    assert_int_equal(feed_endpoint(t, "n1", "a", "172.18.0.9", "", "www new www WWW",
                                   "80/tcp 53/udp"),
                     0);
    assert_int_equal(dns_table_endpoint_count(t), 5);
    assert_string_equal(found(&a, "web"), "n2: 172.19.0.2");
    assert_string_equal(found(&a, "www"), "n1: 172.18.0.9");
    assert_string_equal(found(&a, "new"), "n1: 172.18.0.9");
    assert_string_equal(owner(&a, "172.18.0.2"), "- +");
    assert_string_equal(owner(&a, "fd18::2"), "- +");
    assert_string_equal(owner(&a, "172.18.0.9"), "a +");
    assert_int_equal(ep->name_count, 2);
    assert_string_equal((const char *)ep->names[0]->wire, "\3www");
    assert_int_equal(ep->port_count, 2);
    addr = feed_addr("172.18.0.9");
    assert_ptr_equal(dns_network_endpoint(dns_table_network(t, "n1"), &addr), ep);
    /* The same again changes nothing. */
    assert_int_equal(feed_endpoint(t, "n1", "a", "172.18.0.9", "", "www new", ""), 0);
    assert_string_equal(found(&a, "www"), "n1: 172.18.0.9");
    assert_string_equal(owner(&a, "172.18.0.9"), "a +");
}

static void names_that_dns_cannot_say(void **state)
{
    struct dns_table *t = *state;
    struct dns_scope c = scope_of(t, "c");
    char name[100], names[300];

    memset(name, 'x', 64);
    name[64] = '\0';
    snprintf(names, sizeof names, "%s a..b . x\\000y fine", name);
    assert_int_equal(feed_endpoint(t, "n2", "c", "172.19.0.4", "", names, ""), 0);
    assert_string_equal(found(&c, "fine"), "n2: 172.19.0.4");
    assert_string_equal(found(&c, "x\\000y"), "-");
    assert_string_equal(found(&c, "x"), "-");
    assert_int_equal(dns_table_network(t, "n2")->endpoints[2]->name_count, 1);
    /* A network of such a name has short names only. */
    assert_int_equal(feed_network(t, "n2", name, "", "", ""), 0);
    assert_string_equal(found(&c, "fine"), "n2: 172.19.0.4");
    assert_string_equal(found(&c, "fine.weft"), "-");
}

static void what_goes(void **state)
{
    struct dns_table *t = *state;
    struct dns_scope a = scope_of(t, "a");

    assert_int_equal(feed_gone(t, DNS_MSG_ENDPOINT_GONE, "n1", "b"), 0);
    assert_string_equal(found(&a, "store"), "n2: 172.19.0.3 172.19.0.4");
    assert_string_equal(owner(&a, "172.18.0.3"), "- +");
    assert_string_equal(found(&a, "web"), "n1: 172.18.0.2");
    assert_int_equal(feed_gone(t, DNS_MSG_SANDBOX_GONE, NULL, "b"), 0);
    assert_string_equal(found(&a, "store"), "n2: 172.19.0.4");
    assert_int_equal(dns_table_endpoint_count(t), 3);
    assert_null(dns_table_sandbox(t, "b"));
    assert_int_equal(feed_gone(t, DNS_MSG_NETWORK_GONE, "n1", NULL), 0);
    assert_string_equal(found(&a, "web"), "n2: 172.19.0.2");
    assert_int_equal(a.sandbox->network_count, 1);
    assert_int_equal(dns_table_endpoint_count(t), 2);
    /* What is not there has gone. */
    assert_int_equal(feed_gone(t, DNS_MSG_NETWORK_GONE, "n1", NULL), 0);
    assert_int_equal(feed_gone(t, DNS_MSG_SANDBOX_GONE, NULL, "b"), 0);
    assert_int_equal(feed_gone(t, DNS_MSG_ENDPOINT_GONE, "n1", "a"), 0);
    assert_int_equal(feed_gone(t, DNS_MSG_ENDPOINT_GONE, "n2", "b"), 0);
    assert_int_equal(dns_table_endpoint_count(t), 2);
}

static void what_is_not_there(void **state)
{
    struct dns_table *t = *state;
    char id[ID_TEXT_MAX + 1];

    assert_int_equal(feed_endpoint(t, "n9", "a", "", "", "x", ""), -ENOENT);
    assert_int_equal(feed_endpoint(t, "n1", "x", "", "", "x", ""), -ENOENT);
    assert_int_equal(dns_table_endpoint_count(t), 5);
    memset(id, 'f', sizeof id);
    id[ID_TEXT_MAX] = '\0';
    assert_int_equal(feed_network(t, id, "x", "", "", ""), -EINVAL);
    assert_int_equal(feed_sandbox(t, id, ""), -EINVAL);
    /* Networks that are not known are left out, and those named twice. */
    assert_int_equal(feed_sandbox(t, "a", "n9 n2 n2"), 0);
    assert_int_equal(dns_table_sandbox(t, "a")->network_count, 1);
    assert_int_equal(feed(t, DNS_MSG_SYNC), 0);
}

static void an_address_goes_over(void **state)
{
    struct dns_table *t = *state;
    struct dns_scope a = scope_of(t, "a");

    /* b's successor comes before b goes. */
    assert_int_equal(feed_sandbox(t, "d", "n1"), 0);
    assert_int_equal(feed_endpoint(t, "n1", "d", "172.18.0.3", "fd18::3", "next", ""), 0);
    assert_string_equal(owner(&a, "172.18.0.3"), "d +");
    assert_int_equal(feed_gone(t, DNS_MSG_SANDBOX_GONE, NULL, "b"), 0);
    assert_string_equal(owner(&a, "172.18.0.3"), "d +");
    assert_string_equal(owner(&a, "fd18::3"), "d +");
    assert_int_equal(feed_gone(t, DNS_MSG_SANDBOX_GONE, NULL, "d"), 0);
    assert_string_equal(owner(&a, "172.18.0.3"), "- +");
}

static void objects_keep_their_place(void **state)
{
    struct dns_table *t = *state;
    struct dns_network *net = dns_table_network(t, "n1");
    struct dns_sandbox *sb = dns_table_sandbox(t, "a");
    struct dns_scope a = scope_of(t, "a");
    int sockets;

    net->sockets = &sockets;
    sb->sockets = &sockets;
    sb->asking = 3;
    assert_int_equal(feed_network(t, "n1", "!renamed", "172.18.0.254", "", "172.18.0.0/24"), 0);
    assert_int_equal(feed_sandbox_with(t, "a", false, "n2 n1", "", "192.0.2.53"), 0);
    assert_ptr_equal(dns_table_network(t, "n1"), net);
    assert_ptr_equal(dns_table_sandbox(t, "a"), sb);
    assert_ptr_equal(net->sockets, &sockets);
    assert_ptr_equal(sb->sockets, &sockets);
    assert_int_equal(sb->asking, 3);
    assert_false(net->forwards);
    assert_false(sb->forwards);
    assert_int_equal(sb->server_count, 1);
    assert_string_equal(found(&a, "web"), "n2: 172.19.0.2");
    assert_string_equal(found(&a, "web.renamed"), "n1: 172.18.0.2");
    assert_string_equal(found(&a, "web.front"), "-");
    assert_string_equal(owner(&a, "172.18.0.254"), "host of n1 +");
    assert_string_equal(owner(&a, "172.18.1.1"), "-");
}

static void hooks(void **state)
{
    struct seen seen = {""};
    struct dns_table_hooks h = {.network_gone = on_network_gone,
                                .sandbox_gone = on_sandbox_gone,
                                .servers_changed = on_servers_changed,
                                .arg = &seen};
    struct dns_table *t = NULL;

    (void)state;
    assert_int_equal(dns_table_new(&h, &t), 0);
    feed_network(t, "n1", "front", "", "", "");
    feed_network(t, "n2", "back", "", "", "");
    assert_seen(&seen, "");
    feed_sandbox(t, "a", "n1");
    assert_seen(&seen, "0 servers a; ");
    feed_sandbox(t, "a", "n1 n2");
    assert_seen(&seen, "");
    feed_sandbox_with(t, "a", true, "n1", "", "192.0.2.1 192.0.2.2");
    assert_seen(&seen, "2 servers a; ");
    feed_sandbox_with(t, "a", false, "n2", "", "192.0.2.1 192.0.2.2");
    assert_seen(&seen, "");
    feed_sandbox_with(t, "a", false, "n2", "", "192.0.2.2 192.0.2.1");
    assert_seen(&seen, "2 servers a; ");
    feed_endpoint(t, "n1", "a", "", "", "web", "");
    feed_sandbox(t, "b", "n1");
    assert_seen(&seen, "0 servers b; ");
    feed_gone(t, DNS_MSG_SANDBOX_GONE, NULL, "a");
    assert_seen(&seen, "sandbox a; ");
    feed_gone(t, DNS_MSG_NETWORK_GONE, "n1", NULL);
    assert_seen(&seen, "network n1; ");
    feed_gone(t, DNS_MSG_NETWORK_GONE, "n1", NULL);
    assert_seen(&seen, "");
    feed(t, DNS_MSG_BEGIN);
    feed(t, DNS_MSG_END);
    assert_seen(&seen, "sandbox b; network n2; ");
    feed_sandbox(t, "c", "");
    feed_network(t, "n3", "x", "", "", "");
    assert_seen(&seen, "0 servers c; ");
    dns_table_free(t);
    assert_seen(&seen, "sandbox c; network n3; ");
}

/* What a weftd that starts again says, a day later. */
static void mark_and_sweep(void **state)
{
    struct dns_table *t = *state;
    struct dns_scope a = scope_of(t, "a");

    feed(t, DNS_MSG_END); /* without BEGIN: all is current */
    assert_int_equal(dns_table_endpoint_count(t), 5);
    feed(t, DNS_MSG_BEGIN);
    feed_network(t, "n1", "front", "172.18.0.1", "", "172.18.0.0/16");
    feed(t, DNS_MSG_BEGIN); /* the first one died on the way */
    feed_network(t, "n2", "back", "172.19.0.1", "", "172.19.0.0/16");
    feed_sandbox(t, "a", "n2");
    feed_endpoint(t, "n2", "a", "172.19.0.2", "", "web", "");
    feed_sandbox(t, "b", "n2");
    feed_sandbox(t, "d", "n2");
    feed_endpoint(t, "n2", "d", "172.19.0.3", "", "db", "");
    assert_string_equal(found(&a, "store"), "n2: 172.19.0.3 172.19.0.4"); /* still */
    feed(t, DNS_MSG_END);
    assert_null(dns_table_network(t, "n1"));
    assert_null(dns_table_sandbox(t, "c"));
    assert_non_null(dns_table_sandbox(t, "b"));
    assert_int_equal(dns_table_endpoint_count(t), 2);
    assert_string_equal(found(&a, "web"), "n2: 172.19.0.2");
    assert_string_equal(found(&a, "www"), "-");
    assert_string_equal(found(&a, "store"), "-");
    assert_string_equal(owner(&a, "172.19.0.3"), "d +"); /* it was b's */
    assert_int_equal(a.sandbox->network_count, 1);
    feed(t, DNS_MSG_END);
    assert_int_equal(dns_table_endpoint_count(t), 2);
    feed(t, DNS_MSG_BEGIN);
    feed(t, DNS_MSG_END);
    assert_int_equal(dns_table_endpoint_count(t), 0);
    assert_null(dns_table_network(t, "n2"));
}

/* One name of many, coming and going in no order; against a list. */
static void an_alias_of_many(void **state)
{
    enum { MANY = 300 };
    struct dns_table *t = *state;
    bool there[MANY] = {false};
    struct dns_name name;
    unsigned count = 0;

    feed_network(t, "n", "net", "", "", "10.0.0.0/8");
    assert_int_equal(dns_name_from_text("pool", &name), 0);
    for (unsigned step = 0; step < 4000; step++) {
        unsigned n = step * 2654435761u >> 16 & 0xffff, k = n % MANY;
        char id[16], own[16], addr[32];
        struct dns_found f = {.count = 0};
        struct dns_scope scope = {.table = t, .all = true};

        snprintf(id, sizeof id, "s%u", k);
        snprintf(own, sizeof own, "own-%u pool", k);
        snprintf(addr, sizeof addr, "10.0.%u.%u", k / 256, k % 256);
        if (there[k] && n & 0x400) {
            feed_gone(t, n & 0x800 ? DNS_MSG_SANDBOX_GONE : DNS_MSG_ENDPOINT_GONE, "n", id);
            there[k] = false;
            count--;
        } else {
            feed_sandbox(t, id, "n");
            assert_int_equal(feed_endpoint(t, "n", id, addr, "", own, ""), 0);
            count += !there[k];
            there[k] = true;
        }
        assert_int_equal(dns_table_find(&scope, &name, &f), count > 0);
        assert_int_equal(f.count, count);
        for (unsigned i = 0; i < f.count; i++) {
            const uint8_t *bytes = f.endpoints[i]->ipv4.bytes;

            assert_true(there[bytes[2] * 256 + bytes[3]]);
        }
        assert_int_equal(dns_table_endpoint_count(t), count);
        for (unsigned i = 0; i < count; i++)
            assert_int_equal(dns_table_network(t, "n")->endpoints[i]->index, i);
    }
    assert_true(count > 50);
}

/* What the table says to everything it may be asked. */
static void describe(struct dns_table *t, char *buf, size_t size)
{
    static const char *const names[] = {"web",       "www",       "store",
                                        "cache",     "db.1",      "fresh",
                                        "more",      "web.front", "web.back.yard_2",
                                        "web.other", "speedy"};
    static const char *const addrs[] = {"172.18.0.1", "172.18.0.2", "172.18.0.3", "172.18.0.9",
                                        "172.19.0.4", "fd18::2",    "fd18::9",    "10.9.0.1"};
    struct dns_scope scopes[] = {scope_of(t, "a"), scope_of(t, "c"), {.table = t, .all = true}};
    size_t at = 0;

    for (size_t s = 0; s < ARRAY_SIZE(scopes); s++) {
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
            at += (size_t)snprintf(buf + at, size - at, "%s=%s\n", names[i],
                                   found(&scopes[s], names[i]));
        for (size_t i = 0; i < ARRAY_SIZE(addrs); i++)
            at += (size_t)snprintf(buf + at, size - at, "%s=%s\n", addrs[i],
                                   owner(&scopes[s], addrs[i]));
    }
    at += (size_t)snprintf(buf + at, size - at, "%zu %zu %zu %d", dns_table_endpoint_count(t),
                           t->network_count, t->sandbox_count,
                           dns_table_sandbox(t, "d") || dns_table_network(t, "n3"));
    assert_true(at < size);
}

static int feed_one(struct dns_table *t, unsigned which)
{
    switch (which) {
    case 0:
        return feed_network(t, "n1", "other", "172.18.0.9", "", "10.9.0.0/16");
    case 1:
        return feed_network(t, "n3", "third", "10.9.0.1", "", "10.9.0.0/16");
    case 2:
        return feed_sandbox_with(t, "a", true, "n2", "n2:cache:speedy n2:web:x", "192.0.2.1");
    case 3:
        return feed_sandbox_with(t, "d", true, "n1 n2", "n1:web:x", "192.0.2.1");
    case 4:
        return feed_endpoint(t, "n1", "a", "172.18.0.9", "fd18::9", "store cache web fresh more",
                             "");
    default:
        return feed_endpoint(t, "n1", "c", "172.18.0.9", "fd18::9", "web fresh store more",
                             "1/tcp");
    }
}

/* So many more endpoints on n1, for tables and lists to be just full. */
static void fill(struct dns_table *t, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char id[16], v4[32], v6[32];

        snprintf(id, sizeof id, "s%u", i);
        snprintf(v4, sizeof v4, "172.18.1.%u", i);
        snprintf(v6, sizeof v6, "fd18::1:%x", i);
        assert_int_equal(feed_sandbox(t, id, "n1"), 0);
        assert_int_equal(feed_endpoint(t, "n1", id, v4, v6, id, ""), 0);
    }
}

static void assert_fails_whole(struct dns_table *t, unsigned which)
{
    static char before[4096], after[4096];
    unsigned failures = 0;
    int r;

    describe(t, before, sizeof before);
    for (long n = 1;; n++) {
        budget = n;
        r = feed_one(t, which);
        budget = -1;
        describe(t, after, sizeof after);
        if (r == 0)
            break;
        assert_int_equal(r, -ENOMEM);
        assert_string_equal(after, before);
        failures++;
    }
    assert_true(failures >= 3);
    assert_string_not_equal(after, before);
}

static void nothing_changes_when_memory_runs_out(void **state)
{
    (void)state;
    for (unsigned which = 0; which < 6; which++) {
        for (unsigned more = 0; more < 12; more++) {
            struct dns_table *t;

            setup_three((void **)&t);
            fill(t, more);
            assert_fails_whole(t, which);
            if (which == 4 || which == 5)
                assert_string_equal(owner(&(struct dns_scope){.table = t, .all = true}, "fd18::9"),
                                    which == 4 ? "a +" : "c +");
            dns_table_free(t);
        }
    }
}

static uint64_t cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Adding to and taking from an alias of a thousand costs no more than 20 µs: 100 here, for slow
 * machines and sanitizers. */
static void a_large_alias_is_cheap_to_change(void **state)
{
    enum { MANY = 1000, ROUNDS = 1000 };
    struct dns_table *t = *state;
    uint64_t start;

    feed_network(t, "n", "net", "", "", "10.0.0.0/8");
    for (unsigned i = 0; i < MANY; i++) {
        char id[16], addr[32];

        snprintf(id, sizeof id, "s%u", i);
        snprintf(addr, sizeof addr, "10.0.%u.%u", i / 256, i % 256);
        feed_sandbox(t, id, "n");
        assert_int_equal(feed_endpoint(t, "n", id, addr, "", "pool", ""), 0);
    }
    start = cpu_ns();
    for (unsigned i = 0; i < ROUNDS; i++) {
        char id[16];

        snprintf(id, sizeof id, "s%u", i % MANY);
        feed_gone(t, DNS_MSG_ENDPOINT_GONE, "n", id);
        feed_endpoint(t, "n", id, "10.9.9.9", "", "pool", "");
    }
    assert_true((cpu_ns() - start) / ROUNDS < 100000);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST_THREE(f) cmocka_unit_test_setup_teardown(f, setup_three, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_table),
        TEST_THREE(what_it_holds),
        TEST_THREE(the_nearest_network_answers_alone),
        TEST_THREE(long_forms),
        TEST_THREE(short_names_go_before_long_ones),
        TEST_THREE(links),
        TEST_THREE(names_of_the_host),
        TEST_THREE(what_the_host_sees),
        TEST_THREE(addresses),
        TEST_THREE(endpoints_change),
        TEST_THREE(names_that_dns_cannot_say),
        TEST_THREE(what_goes),
        TEST_THREE(what_is_not_there),
        TEST_THREE(an_address_goes_over),
        TEST_THREE(objects_keep_their_place),
        cmocka_unit_test(hooks),
        TEST_THREE(mark_and_sweep),
        TEST(an_alias_of_many),
        cmocka_unit_test(nothing_changes_when_memory_runs_out),
        TEST(a_large_alias_is_cheap_to_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
