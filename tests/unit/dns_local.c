/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dns/local.h"
#include "dns_feed.h"
#include "dns_make.h"

static const char services_text[] = "# comment\n"
                                    "http\t80/tcp\twww WWW-http # web\n"
                                    "http 8008/udp\n"
                                    "odd\n"
                                    "odd 7\n"
                                    "odd 7/\n"
                                    "odd 70000/tcp\n"
                                    "odd x/tcp\n"
                                    "http 81/tcp\n"
                                    "\n"
                                    "   diameter   3868/sctp\r\n"
                                    "last 99/tcp";

struct fixture {
    struct dns_table *table;
    struct dns_services *services;
    uint8_t buf[DNS_MESSAGE_MAX];
    size_t length; /* of the last answer */
};

static struct dns_services *load_services(const char *text)
{
    char path[] = "/tmp/weft-services-XXXXXX";
    int fd = mkstemp(path);
    struct dns_services *services = NULL;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    assert_int_equal(dns_services_load_from(path, &services), 0);
    unlink(path);
    return services;
}

/* web and db on front; web, db and two more of the alias pool on back; "inner" is internal. */
static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct dns_table *t;

    assert_non_null(f);
    *state = f;
    assert_int_equal(dns_table_new(NULL, &f->table), 0);
    f->services = load_services(services_text);
    t = f->table;
    feed_network(t, "n1", "front", "172.18.0.1", "fd18::1", "172.18.0.0/16 fd18::/64");
    feed_network(t, "n2", "Back.Yard_2", "172.19.0.1", "", "172.19.0.0/16");
    feed_network(t, "n3", "!inner", "", "fd20::1", "172.20.0.0/16 fd20::/64");
    feed_sandbox_with(t, "web", true, "n1 n2", "n1:db:base", "");
    feed_sandbox(t, "db", "n2 n1");
    feed_sandbox(t, "p", "n2");
    feed_sandbox(t, "q", "n2");
    feed_sandbox_with(t, "in", false, "n3", "", "");
    feed_endpoint(t, "n1", "web", "172.18.0.2", "fd18::2", "web", "80/tcp 8008/udp 3868/sctp");
    feed_endpoint(t, "n2", "web", "172.19.0.2", "", "web pool", "80/tcp");
    feed_endpoint(t, "n1", "db", "172.18.0.3", "", "db", "5432/tcp");
    feed_endpoint(t, "n2", "db", "172.19.0.3", "", "db pool", "5432/tcp");
    feed_endpoint(t, "n2", "p", "172.19.0.4", "fd19::4", "p pool", "80/tcp");
    feed_endpoint(t, "n3", "in", "172.20.0.2", "fd20::2", "in", "");
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    dns_table_free(f->table);
    dns_services_free(f->services);
    free(f);
    return 0;
}

/* What an answer says, or "forward". edns: 0: none. */
static const char *ask_as(struct fixture *f, const struct dns_scope *scope, const char *name,
                          unsigned type, unsigned edns, size_t limit)
{
    struct dns_query q;
    struct packet p;

    packet_query(&p, name, type, edns);
    assert_int_equal(dns_query_parse(p.buf, p.length, &q), 0);
    f->length = dns_local_answer(scope, f->services, p.buf, &q, f->buf, limit);
    assert_true(f->length <= limit);
    if (f->length == 0)
        return "forward";
    assert_memory_equal(f->buf, p.buf, 2);
    assert_memory_equal(f->buf + 12, p.buf + 12, q.question_end - 12);
    assert_true(dns_get16(f->buf + 2) & DNS_FLAG_RD);
    return packet_text(f->buf, f->length);
}

/* Asks as a sandbox, with the room that UDP has. */
static const char *ask(struct fixture *f, const char *sandbox, const char *name, unsigned type)
{
    struct dns_scope scope = {.table = f->table, .sandbox = dns_table_sandbox(f->table, sandbox)};

    assert_non_null(scope.sandbox);
    return ask_as(f, &scope, name, type, 0, DNS_UDP_SIZE);
}

static void addresses_of_a_name(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(ask(f, "web", "db", DNS_TYPE_A), "NOERROR aa: db A 172.18.0.3");
    assert_string_equal(ask(f, "db", "db", DNS_TYPE_A), "NOERROR aa: db A 172.19.0.3");
    assert_string_equal(ask(f, "db", "web.front", DNS_TYPE_AAAA),
                        "NOERROR aa: web.front AAAA fd18::2");
    assert_string_equal(ask(f, "web", "WeB.Back.Yard_2.weft", DNS_TYPE_A),
                        "NOERROR aa: WeB.Back.Yard_2.weft A 172.19.0.2");
    assert_string_equal(ask(f, "web", "web", DNS_TYPE_ANY),
                        "NOERROR aa: web A 172.18.0.2, web AAAA fd18::2");
    assert_string_equal(ask(f, "web", "base", DNS_TYPE_A), "NOERROR aa: base A 172.18.0.3");
    assert_string_equal(ask(f, "web", "base.front.weft", DNS_TYPE_A),
                        "NOERROR aa: base.front.weft A 172.18.0.3");
}

static void a_known_name_without_what_was_asked(void **state)
{
    static const unsigned types[] = {DNS_TYPE_AAAA, DNS_TYPE_MX,  DNS_TYPE_TXT, DNS_TYPE_SRV,
                                     DNS_TYPE_PTR,  DNS_TYPE_SOA, DNS_TYPE_NS,  65};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        assert_string_equal(ask(f, "web", "db", types[i]), "NOERROR aa");
}

static void the_order_rotates(void **state)
{
    struct fixture *f = *state;

    for (unsigned round = 0; round < 2; round++) {
        assert_string_equal(ask(f, "web", "pool", DNS_TYPE_A),
                            "NOERROR aa: pool A 172.19.0.2, pool A 172.19.0.3, pool A 172.19.0.4");
        assert_string_equal(ask(f, "db", "pool", DNS_TYPE_A),
                            "NOERROR aa: pool A 172.19.0.3, pool A 172.19.0.4, pool A 172.19.0.2");
        assert_string_equal(ask(f, "p", "pool", DNS_TYPE_A),
                            "NOERROR aa: pool A 172.19.0.4, pool A 172.19.0.2, pool A 172.19.0.3");
    }
    assert_string_equal(ask(f, "p", "pool", DNS_TYPE_AAAA), "NOERROR aa: pool AAAA fd19::4");
    /* A type that has no order takes no turn. */
    assert_string_equal(ask(f, "p", "pool", DNS_TYPE_MX), "NOERROR aa");
    assert_string_equal(ask(f, "p", "pool", DNS_TYPE_ANY),
                        "NOERROR aa: pool A 172.19.0.2, pool A 172.19.0.3, pool A 172.19.0.4, "
                        "pool AAAA fd19::4");
    assert_string_equal(ask(f, "p", "pool", DNS_TYPE_ANY),
                        "NOERROR aa: pool A 172.19.0.3, pool A 172.19.0.4, pool AAAA fd19::4, "
                        "pool A 172.19.0.2");
}

/* getaddrinfo(3) asks for both at once: of two endpoints, each is to be the first in turn. */
static void the_order_rotates_for_pairs_of_queries(void **state)
{
    struct fixture *f = *state;

    feed_endpoint(f->table, "n1", "web", "172.18.0.2", "fd18::2", "web pair", "");
    feed_endpoint(f->table, "n1", "db", "172.18.0.3", "fd18::3", "db pair", "");
    for (unsigned round = 0; round < 2; round++) {
        assert_string_equal(ask(f, "web", "pair", DNS_TYPE_A),
                            "NOERROR aa: pair A 172.18.0.2, pair A 172.18.0.3");
        assert_string_equal(ask(f, "web", "pair", DNS_TYPE_AAAA),
                            "NOERROR aa: pair AAAA fd18::2, pair AAAA fd18::3");
        assert_string_equal(ask(f, "web", "pair", DNS_TYPE_A),
                            "NOERROR aa: pair A 172.18.0.3, pair A 172.18.0.2");
        assert_string_equal(ask(f, "web", "pair", DNS_TYPE_AAAA),
                            "NOERROR aa: pair AAAA fd18::3, pair AAAA fd18::2");
    }
}

static void an_alias_that_does_not_fit(void **state)
{
    struct fixture *f = *state;
    struct dns_scope scope = {.table = f->table, .all = true};
    const char *text;

    for (unsigned i = 0; i < 200; i++) {
        char id[16], addr[32];

        snprintf(id, sizeof id, "m%u", i);
        snprintf(addr, sizeof addr, "172.19.1.%u", i);
        feed_sandbox(f->table, id, "n2");
        feed_endpoint(f->table, "n2", id, addr, "", "many", "80/tcp");
    }
    text = ask_as(f, &scope, "many", DNS_TYPE_A, 0, DNS_UDP_SIZE);
    assert_true(strncmp(text, "NOERROR aa tc: many A 172.19.1.0, ", 34) == 0);
    assert_int_equal(f->length, 12 + 10 + 30 * 16);
    text = ask_as(f, &scope, "many", DNS_TYPE_A, 1232, 1232);
    assert_true(strncmp(text, "NOERROR aa tc: many A 172.19.1.1, ", 34) == 0);
    assert_non_null(strstr(text, " + opt 1232"));
    assert_int_equal(f->length, 12 + 10 + 74 * 16 + 11);
    text = ask_as(f, &scope, "many", DNS_TYPE_A, 0, DNS_MESSAGE_MAX);
    assert_true(strncmp(text, "NOERROR aa: many A 172.19.1.2, ", 31) == 0);
    assert_int_equal(f->length, 12 + 10 + 200 * 16);
    text = ask_as(f, &scope, "_80._tcp.many", DNS_TYPE_SRV, 0, DNS_UDP_SIZE);
    assert_true(strncmp(text, "NOERROR aa tc: ", 15) == 0);
    assert_null(strstr(text, "+"));
    text = ask_as(f, &scope, "_80._tcp.many", DNS_TYPE_SRV, 0, DNS_MESSAGE_MAX);
    assert_int_equal(dns_get16(f->buf + 6), 200);
    assert_int_equal(dns_get16(f->buf + 10), 200);
}

static void names_of_the_host(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(ask(f, "web", "host.docker.internal", DNS_TYPE_A),
                        "NOERROR aa: host.docker.internal A 172.18.0.1");
    assert_string_equal(ask(f, "web", "Gateway.docker.internal", DNS_TYPE_AAAA),
                        "NOERROR aa: Gateway.docker.internal AAAA fd18::1");
    assert_string_equal(ask(f, "db", "gateway.docker.internal", DNS_TYPE_A),
                        "NOERROR aa: gateway.docker.internal A 172.19.0.1");
    /* The nearest network has one, not of this family. */
    assert_string_equal(ask(f, "db", "gateway.docker.internal", DNS_TYPE_AAAA), "NOERROR aa");
    assert_string_equal(ask(f, "in", "host.docker.internal", DNS_TYPE_A), "NOERROR aa");
    assert_string_equal(ask(f, "in", "host.docker.internal", DNS_TYPE_ANY),
                        "NOERROR aa: host.docker.internal AAAA fd20::1");
    assert_string_equal(ask(f, "in", "host.docker.internal", DNS_TYPE_MX), "NOERROR aa");
}

static void reverse_lookups(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(ask(f, "web", "3.0.18.172.in-addr.arpa", DNS_TYPE_PTR),
                        "NOERROR aa: 3.0.18.172.in-addr.arpa PTR db.front");
    assert_string_equal(ask(f, "web", "4.0.19.172.IN-ADDR.arpa", DNS_TYPE_PTR),
                        "NOERROR aa: 4.0.19.172.IN-ADDR.arpa PTR p.back.yard_2");
    assert_string_equal(ask(f, "web", "2.0.18.172.in-addr.arpa", DNS_TYPE_ANY),
                        "NOERROR aa: 2.0.18.172.in-addr.arpa PTR web.front");
    assert_string_equal(ask(f, "web", "2.0.18.172.in-addr.arpa", DNS_TYPE_A), "NOERROR aa");
    /* The host's side. */
    assert_string_equal(ask(f, "web", "1.0.18.172.in-addr.arpa", DNS_TYPE_PTR),
                        "NOERROR aa: 1.0.18.172.in-addr.arpa PTR host.docker.internal");
    /* Nobody's, but inside. */
    assert_string_equal(ask(f, "web", "9.0.18.172.in-addr.arpa", DNS_TYPE_PTR), "NXDOMAIN aa");
    assert_string_equal(ask(f, "web", "9.0.18.172.in-addr.arpa", DNS_TYPE_A), "NXDOMAIN aa");
    /* Of a network that it is not on, of the world's, and no whole address. */
    assert_string_equal(ask(f, "p", "3.0.18.172.in-addr.arpa", DNS_TYPE_PTR), "forward");
    assert_string_equal(ask(f, "web", "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR), "forward");
    assert_string_equal(ask(f, "web", "18.172.in-addr.arpa", DNS_TYPE_PTR), "forward");
    assert_string_equal(ask(f, "in", "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR), "NXDOMAIN");
}

static void reverse_lookups_of_ipv6(void **state)
{
    struct fixture *f = *state;
    struct addr addr = feed_addr("fd18::2");
    struct dns_name name;
    char text[DNS_TEXT_MAX], expected[DNS_TEXT_MAX + 64];

    dns_name_from_addr(&addr, &name);
    dns_name_format(&name, text);
    snprintf(expected, sizeof expected, "NOERROR aa: %s PTR web.front", text);
    assert_string_equal(ask(f, "web", text, DNS_TYPE_PTR), expected);
    addr = feed_addr("fd18::9");
    dns_name_from_addr(&addr, &name);
    assert_string_equal(ask(f, "web", dns_name_text(&name), DNS_TYPE_PTR), "NXDOMAIN aa");
    addr = feed_addr("fd18:0:0:1::9");
    dns_name_from_addr(&addr, &name);
    assert_string_equal(ask(f, "web", dns_name_text(&name), DNS_TYPE_PTR), "forward");
}

/* An address whose endpoint has no name, and one whose network has none that DNS can say. */
static void reverse_lookups_of_what_has_no_name(void **state)
{
    struct fixture *f = *state;
    char name[ID_TEXT_MAX + 8];

    feed_endpoint(f->table, "n1", "web", "172.18.0.2", "", "", "");
    assert_string_equal(ask(f, "web", "2.0.18.172.in-addr.arpa", DNS_TYPE_PTR), "NXDOMAIN aa");
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    feed_network(f->table, "n1", name, "", "", "172.18.0.0/16");
    assert_string_equal(ask(f, "web", "3.0.18.172.in-addr.arpa", DNS_TYPE_PTR),
                        "NOERROR aa: 3.0.18.172.in-addr.arpa PTR db");
}

static void names_that_grow_too_long(void **state)
{
    struct fixture *f = *state;
    char name[251], expected[800];

    memset(name, 'x', sizeof name);
    name[63] = name[127] = name[191] = '.';
    name[250] = '\0';
    feed_endpoint(f->table, "n1", "web", "172.18.0.2", "", name, "80/tcp");
    snprintf(expected, sizeof expected, "NOERROR aa: 2.0.18.172.in-addr.arpa PTR %s", name);
    assert_string_equal(ask(f, "web", "2.0.18.172.in-addr.arpa", DNS_TYPE_PTR), expected);
    snprintf(expected, sizeof expected, "NOERROR aa: %s A 172.18.0.2", name);
    assert_string_equal(ask(f, "web", name, DNS_TYPE_A), expected);
    /* With its network's name, but not with ".weft" besides. */
    name[243] = '\0';
    snprintf(expected, sizeof expected, "%s short", name);
    feed_endpoint(f->table, "n1", "web", "172.18.0.2", "", expected, "80/tcp");
    snprintf(expected, sizeof expected, "NOERROR aa: 2.0.18.172.in-addr.arpa PTR %s.front", name);
    assert_string_equal(ask(f, "web", "2.0.18.172.in-addr.arpa", DNS_TYPE_PTR), expected);
    /* Nor do its addresses fit besides. */
    snprintf(expected, sizeof expected, "NOERROR aa: _80._tcp.short SRV 0 0 80 %s", name);
    assert_string_equal(ask(f, "web", "_80._tcp.short", DNS_TYPE_SRV), expected);
}

static void services(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(ask(f, "db", "_80._tcp.web.front", DNS_TYPE_SRV),
                        "NOERROR aa: _80._tcp.web.front SRV 0 0 80 web.front.weft"
                        " + web.front.weft A 172.18.0.2, web.front.weft AAAA fd18::2");
    assert_string_equal(ask(f, "web", "_HTTP._TCP.web", DNS_TYPE_SRV),
                        "NOERROR aa: _HTTP._TCP.web SRV 0 0 80 web.front.weft"
                        " + web.front.weft A 172.18.0.2, web.front.weft AAAA fd18::2");
    assert_string_equal(ask(f, "web", "_www-http._tcp.web.back.yard_2.weft", DNS_TYPE_SRV),
                        "NOERROR aa: _www-http._tcp.web.back.yard_2.weft"
                        " SRV 0 0 80 web.back.yard_2.weft + web.back.yard_2.weft A 172.19.0.2");
    assert_non_null(strstr(ask(f, "web", "_http._udp.web", DNS_TYPE_SRV), "SRV 0 0 8008 "));
    assert_non_null(strstr(ask(f, "web", "_diameter._sctp.web", DNS_TYPE_ANY), "SRV 0 0 3868 "));
    /* A link's alias leads to its target. */
    assert_string_equal(ask(f, "web", "_5432._tcp.base", DNS_TYPE_SRV),
                        "NOERROR aa: _5432._tcp.base SRV 0 0 5432 db.front.weft"
                        " + db.front.weft A 172.18.0.3");
    /* Those of an alias that serve; the first of them rotates. */
    assert_string_equal(ask(f, "web", "_80._tcp.pool", DNS_TYPE_SRV),
                        "NOERROR aa: _80._tcp.pool SRV 0 0 80 web.back.yard_2.weft, "
                        "_80._tcp.pool SRV 0 0 80 p.back.yard_2.weft"
                        " + web.back.yard_2.weft A 172.19.0.2, p.back.yard_2.weft A 172.19.0.4, "
                        "p.back.yard_2.weft AAAA fd19::4");
    assert_non_null(strstr(ask(f, "web", "_80._tcp.pool", DNS_TYPE_SRV),
                           "NOERROR aa: _80._tcp.pool SRV 0 0 80 p.back.yard_2.weft"));
}

static void services_that_are_none(void **state)
{
    static const char *const unknown[] = {
        "_81._tcp.web",
        "_80._udp.web",
        "_nope._tcp.web",
        "_0._tcp.web",
        "_65616._tcp.web",
        "_odd._tcp.web",
        "_http._tcp.db",
        "_8x._tcp.web",
        "_80._tcp.host.docker.internal",
        "_99999999999999999999999999._tcp.web",
    };
    static const char *const not_ours[] = {
        "_80._tcp.nobody", "_80._tcp",    "_._tcp.web",    "_80.web",
        "_80._icmp.web",   "80._tcp.web", "_80._tcpx.web", "_tcp.web",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
        assert_string_equal(ask(f, "web", unknown[i], DNS_TYPE_SRV), "NXDOMAIN aa");
    for (size_t i = 0; i < ARRAY_SIZE(not_ours); i++)
        assert_string_equal(ask(f, "web", not_ours[i], DNS_TYPE_SRV), "forward");
    assert_string_equal(ask(f, "web", "_80._tcp.web", DNS_TYPE_A), "NOERROR aa");
    assert_string_equal(ask(f, "web", "_81._tcp.web", DNS_TYPE_A), "NXDOMAIN aa");
    assert_string_equal(ask(f, "web", "_80._tcp.nobody.weft", DNS_TYPE_SRV), "NXDOMAIN aa");
}

static void the_list_of_services(void **state)
{
    struct fixture *f = *state;
    struct dns_services *s = NULL;

    assert_int_equal(dns_services_port(f->services, "http", 4, IPPROTO_TCP), 80); /* not 81 */
    assert_int_equal(dns_services_port(f->services, "www", 3, IPPROTO_TCP), 80);
    assert_int_equal(dns_services_port(f->services, "www", 3, IPPROTO_UDP), 0);
    assert_int_equal(dns_services_port(f->services, "diameter", 8, IPPROTO_SCTP), 3868);
    assert_int_equal(dns_services_port(f->services, "diameter", 8, IPPROTO_ICMP), 0);
    assert_int_equal(dns_services_port(f->services, "last", 4, IPPROTO_TCP), 99);
    assert_int_equal(dns_services_port(f->services, "odd", 3, IPPROTO_TCP), 0);
    assert_int_equal(dns_services_port(f->services, "ht", 2, IPPROTO_TCP), 0);
    assert_int_equal(dns_services_port(NULL, "http", 4, IPPROTO_TCP), 0);
    assert_int_equal(dns_services_load_from("/nonexistent/services", &s), 0);
    assert_int_equal(dns_services_port(s, "http", 4, IPPROTO_TCP), 0);
    dns_services_free(s);
    assert_int_equal(dns_services_load(&s), 0);
    dns_services_free(s);
    dns_services_free(NULL);
}

static void what_is_not_ours(void **state)
{
    struct fixture *f = *state;
    struct dns_scope all = {.table = f->table, .all = true};
    struct dns_scope one = {.table = f->table, .network = dns_table_network(f->table, "n1")};

    assert_string_equal(ask(f, "web", "example.com", DNS_TYPE_A), "forward");
    assert_string_equal(ask(f, "web", "nobody", DNS_TYPE_A), "forward");
    assert_string_equal(ask(f, "web", ".", DNS_TYPE_NS), "forward");
    assert_string_equal(ask(f, "in", "web", DNS_TYPE_A), "NXDOMAIN");
    assert_string_equal(ask(f, "in", "example.com", DNS_TYPE_A), "NXDOMAIN");
    assert_string_equal(ask(f, "in", "in", DNS_TYPE_A), "NOERROR aa: in A 172.20.0.2");
    assert_string_equal(ask_as(f, &all, "example.com", DNS_TYPE_A, 0, 512), "forward");
    assert_string_equal(ask_as(f, &all, "in", DNS_TYPE_A, 0, 512), "NOERROR aa: in A 172.20.0.2");
    assert_string_equal(ask_as(f, &one, "example.com", DNS_TYPE_A, 0, 512), "REFUSED");
    assert_string_equal(ask_as(f, &one, "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, 1232, 512),
                        "REFUSED + opt 1232");
    assert_string_equal(ask_as(f, &one, "p", DNS_TYPE_A, 0, 512), "REFUSED");
    assert_string_equal(ask_as(f, &one, "web.front.weft", DNS_TYPE_A, 0, 512),
                        "NOERROR aa: web.front.weft A 172.18.0.2");
    assert_string_equal(ask_as(f, &one, "9.0.18.172.in-addr.arpa", DNS_TYPE_PTR, 0, 512),
                        "NXDOMAIN aa");
}

static void below_weft(void **state)
{
    struct fixture *f = *state;
    struct dns_scope one = {.table = f->table, .network = dns_table_network(f->table, "n1")};

    assert_string_equal(ask(f, "web", "nobody.front.weft", DNS_TYPE_A), "NXDOMAIN aa");
    assert_string_equal(ask(f, "web", "x.WEFT", DNS_TYPE_A), "NXDOMAIN aa");
    assert_string_equal(ask(f, "web", "in.inner.weft", DNS_TYPE_A), "NXDOMAIN aa");
    assert_string_equal(ask(f, "web", "in.inner", DNS_TYPE_A), "forward");
    assert_string_equal(ask(f, "in", "x.weft", DNS_TYPE_A), "NXDOMAIN aa");
    assert_string_equal(ask_as(f, &one, "p.back.yard_2.weft", DNS_TYPE_A, 0, 512), "NXDOMAIN aa");
    /* What has names below it exists, but for networks that are not in scope. */
    assert_string_equal(ask(f, "web", "weft", DNS_TYPE_A), "NOERROR aa");
    assert_string_equal(ask(f, "web", "front.weft", DNS_TYPE_SOA), "NOERROR aa");
    assert_string_equal(ask(f, "web", "back.yard_2.weft", DNS_TYPE_A), "NOERROR aa");
    assert_string_equal(ask(f, "web", "inner.weft", DNS_TYPE_A), "NXDOMAIN aa");
    assert_string_equal(ask(f, "web", "xweft", DNS_TYPE_A), "forward");
}

static void edns_is_answered_with_edns(void **state)
{
    struct fixture *f = *state;
    struct dns_scope scope = {.table = f->table, .all = true};

    assert_string_equal(ask_as(f, &scope, "p", DNS_TYPE_A, 4096, 4096),
                        "NOERROR aa: p A 172.19.0.4 + opt 1232");
    assert_string_equal(ask_as(f, &scope, "x.weft", DNS_TYPE_A, 512, 512),
                        "NXDOMAIN aa + opt 1232");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(addresses_of_a_name),
        TEST(a_known_name_without_what_was_asked),
        TEST(the_order_rotates),
        TEST(the_order_rotates_for_pairs_of_queries),
        TEST(an_alias_that_does_not_fit),
        TEST(names_of_the_host),
        TEST(reverse_lookups),
        TEST(reverse_lookups_of_ipv6),
        TEST(reverse_lookups_of_what_has_no_name),
        TEST(names_that_grow_too_long),
        TEST(services),
        TEST(services_that_are_none),
        TEST(the_list_of_services),
        TEST(what_is_not_ours),
        TEST(below_weft),
        TEST(edns_is_answered_with_edns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
