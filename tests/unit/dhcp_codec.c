/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "dhcp_make.h"

/* Exactly as long as it is: reading beyond is seen by the sanitizers. */
static int decode_as(const struct made *m, bool unsummed, struct dhcp_reply *ret)
{
    _cleanup_free_ uint8_t *copy = malloc(m->length ? m->length : 1);
    int r;

    assert_non_null(copy);
    memcpy(copy, m->frame, m->length);
    r = dhcp_decode(copy, m->length, unsummed, ret);
    ret->id = NULL;
    return r;
}

static int decode(const struct made *m, struct dhcp_reply *ret)
{
    return decode_as(m, false, ret);
}

static void assert_addr(const struct addr *addr, const char *text)
{
    assert_string_equal(addr_text(addr), text);
}

/* ---- what servers say ---- */

static void an_offer(void **state)
{
    struct dhcp_reply reply;
    struct made m;

    (void)state;
    made_answer(&m, 2);
    MADE_OPTION(&m, 26, 5, 0x78);
    MADE_OPTION(&m, 58, 0, 0, 0, 60);
    MADE_OPTION(&m, 59, 0, 0, 0, 90);
    made_end(&m);
    assert_int_equal(decode(&m, &reply), 0);
    assert_int_equal(reply.type, DHCP_OFFER);
    assert_int_equal(reply.xid, MADE_XID);
    assert_true(mac_equal(&reply.mac, &made_mac));
    assert_addr(&reply.lease.addr, "192.0.2.50");
    assert_addr(&reply.lease.gateway, "192.0.2.254");
    assert_addr(&reply.lease.server, "192.0.2.1");
    assert_string_equal(mac_text(&reply.lease.server_mac), "02:00:00:00:00:09");
    assert_int_equal(reply.lease.len, 24);
    assert_int_equal(reply.lease.mtu, 1400);
    assert_int_equal(reply.lease.seconds, 3600);
    assert_int_equal(reply.lease.renew, 60);
    assert_int_equal(reply.lease.rebind, 90);
    assert_int_equal(reply.lease.route_count, 0);
    assert_false(reply.has_id);
}

/* Servers that nobody can ask are passed over, and so is a domain that is none. */
static void who_answers_for_names(void **state)
{
    static const char domain[] = "lan.example";
    struct dhcp_reply reply;
    struct made m;

    (void)state;
    made_answer(&m, 5);
    MADE_OPTION(&m, 6, 127, 0, 0, 1, 192, 0, 2, 53, 192, 0, 2, 54, 9);
    made_option(&m, 15, domain, sizeof domain);
    made_end(&m);
    assert_int_equal(decode(&m, &reply), 0);
    assert_int_equal(reply.lease.dns_count, 2);
    assert_addr(&reply.lease.dns[0], "192.0.2.53");
    assert_addr(&reply.lease.dns[1], "192.0.2.54");
    assert_string_equal(reply.lease.domain, domain);

    made_answer(&m, 5);
    made_option(&m, 15, "a b\nnameserver 6.6.6.6", 23);
    made_end(&m);
    assert_int_equal(decode(&m, &reply), 0);
    assert_int_equal(reply.lease.dns_count, 0);
    assert_string_equal(reply.lease.domain, "");
}

static void times_that_make_no_sense(void **state)
{
    static const struct {
        uint8_t renew, rebind;
        uint32_t expected_renew, expected_rebind;
    } cases[] = {{0, 0, 1800, 3150}, {90, 60, 30, 60}, {60, 0, 60, 3150}, {60, 1, 60, 3150}};
    struct dhcp_reply reply;
    struct made m;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        made_answer(&m, 5);
        MADE_OPTION(&m, 58, 0, 0, 0, cases[i].renew);
        MADE_OPTION(&m, 59, 0, 0, 0, cases[i].rebind);
        made_end(&m);
        assert_int_equal(decode(&m, &reply), 0);
        assert_int_equal(reply.lease.renew, cases[i].expected_renew);
        assert_int_equal(reply.lease.rebind, cases[i].expected_rebind);
    }
}

static void the_shortest_leases_have_times(void **state)
{
    struct dhcp_reply reply;
    struct made m;

    (void)state;
    for (uint8_t seconds = 0; seconds < 20; seconds++) {
        made_begin(&m, 5);
        MADE_OPTION(&m, 54, MADE_SERVER);
        MADE_OPTION(&m, 51, 0, 0, 0, seconds);
        made_end(&m);
        assert_int_equal(decode(&m, &reply), seconds < 4 ? -EBADMSG : 0);
        if (seconds < 4)
            continue;
        assert_true(0 < reply.lease.renew && reply.lease.renew < reply.lease.rebind);
        assert_true(reply.lease.rebind < reply.lease.seconds);
    }
}

static void classless_routes_take_the_routers_place(void **state)
{
    struct dhcp_reply reply;
    struct made m;

    (void)state;
    made_answer(&m, 5);
    /* 0.0.0.0/0, 10.1.0.0/16 with host bits beyond, 198.51.100.0/25 on the link, the subnet. */
    MADE_OPTION(&m, 121, 0, 192, 0, 2, 1, 15, 10, 1, 192, 0, 2, 7, 25, 198, 51, 100, 0, 0, 0, 0, 0,
                24, 192, 0, 2, 0, 0, 0, 0);
    made_end(&m);
    assert_int_equal(decode(&m, &reply), 0);
    assert_addr(&reply.lease.gateway, "192.0.2.1");
    assert_int_equal(reply.lease.route_count, 2);
    assert_string_equal(prefix_text(&reply.lease.routes[0].destination), "10.0.0.0/15");
    assert_addr(&reply.lease.routes[0].via, "192.0.2.7");
    assert_string_equal(prefix_text(&reply.lease.routes[1].destination), "198.51.100.0/25");
    assert_false(addr_is_set(&reply.lease.routes[1].via));
}

static void routes_that_are_cut_off(void **state)
{
    struct dhcp_reply reply;
    struct made m;

    (void)state;
    made_answer(&m, 5);
    MADE_OPTION(&m, 121, 24, 10, 1, 2, 192, 0, 2, 7, 33, 1, 2, 3);
    made_end(&m);
    assert_int_equal(decode(&m, &reply), 0);
    assert_int_equal(reply.lease.route_count, 1);
    assert_false(addr_is_set(&reply.lease.gateway));
}

static void long_options_come_in_parts(void **state)
{
    struct dhcp_reply reply;
    struct made m;

    (void)state;
    made_answer(&m, 5);
    MADE_OPTION(&m, 121, 24, 10, 1);
    MADE_OPTION(&m, 121, 2, 192, 0, 2, 7);
    made_end(&m);
    assert_int_equal(decode(&m, &reply), 0);
    assert_int_equal(reply.lease.route_count, 1);
    assert_string_equal(prefix_text(&reply.lease.routes[0].destination), "10.1.2.0/24");
}

static void more_routes_than_are_kept(void **state)
{
    struct dhcp_reply reply;
    struct made m;

    (void)state;
    made_answer(&m, 5);
    for (uint8_t i = 0; i < 100; i++)
        MADE_OPTION(&m, 121, 24, 10, 1, i, 192, 0, 2, 7);
    made_end(&m);
    assert_int_equal(decode(&m, &reply), 0);
    assert_int_equal(reply.lease.route_count, DHCP_ROUTES_MAX);
}

static void options_in_other_fields(void **state)
{
    static const uint8_t in_file[] = {54, 4, MADE_SERVER, 255};
    static const uint8_t in_sname[] = {0, 0, 51, 4, 0, 0, 14, 16, 255};
    struct dhcp_reply reply;
    struct made m;

    (void)state;
    made_begin(&m, 5);
    MADE_OPTION(&m, 52, 3);
    memcpy(m.frame + BOOTP + 108, in_file, sizeof in_file);
    memcpy(m.frame + BOOTP + 44, in_sname, sizeof in_sname);
    made_end(&m);
    assert_int_equal(decode(&m, &reply), 0);
    assert_addr(&reply.lease.server, "192.0.2.1");
    assert_int_equal(reply.lease.seconds, 3600);
    assert_int_equal(reply.lease.len, 24); /* class C */

    /* Not without option 52. */
    m.frame[OPTIONS + 3] = 0;
    m.frame[OPTIONS + 4] = 0;
    m.frame[OPTIONS + 5] = 0;
    made_sums(&m);
    assert_int_equal(decode(&m, &reply), -EBADMSG);
}

static void a_refusal(void **state)
{
    struct dhcp_reply reply;
    struct made m;

    (void)state;
    made_begin(&m, 6);
    made_option(&m, 56, "not\nhere\x1b[2J\xff!", 14);
    made_end(&m);
    assert_int_equal(decode(&m, &reply), 0);
    assert_int_equal(reply.type, DHCP_NAK);
    assert_false(addr_is_set(&reply.lease.server));
    assert_string_equal(reply.text, "nothere[2J!");
}

static void whom_it_is_for(void **state)
{
    struct dhcp_identity who = {.id = {1, 2, 3}, .id_length = 3};
    struct dhcp_reply reply;
    struct made m;

    (void)state;
    made_answer(&m, 5);
    MADE_OPTION(&m, 61, 1, 2, 3);
    made_end(&m);
    assert_int_equal(dhcp_decode(m.frame, m.length, false, &reply), 0);
    assert_true(dhcp_reply_is_for(&reply, &who));
    who.id[2] = 4;
    assert_false(dhcp_reply_is_for(&reply, &who));
    who.id_length = 2;
    assert_false(dhcp_reply_is_for(&reply, &who));
    made_answer(&m, 5);
    made_end(&m);
    assert_int_equal(dhcp_decode(m.frame, m.length, false, &reply), 0);
    assert_true(dhcp_reply_is_for(&reply, &who));
}

static void checksums(void **state)
{
    struct dhcp_reply reply;
    struct made m;

    (void)state;
    made_answer(&m, 5);
    made_end(&m);
    m.frame[40] ^= 1;
    assert_int_equal(decode(&m, &reply), -EBADMSG);
    assert_int_equal(decode_as(&m, true, &reply), 0);
    m.frame[40] = m.frame[41] = 0; /* RFC 768: there is none */
    assert_int_equal(decode(&m, &reply), 0);
    m.frame[24] ^= 1; /* IPv4's */
    assert_int_equal(decode_as(&m, true, &reply), -EBADMSG);
}

/* ---- what is no answer ---- */

static void each_octet_counts(void **state)
{
    /* Of a frame whose checksums are right again after it: where, what. */
    static const struct {
        size_t at;
        uint8_t value;
        const char *what;
    } cases[] = {
        {12, 0x86, "another protocol than IPv4"},
        {BOOTP, 1, "a request"},
        {BOOTP + 1, 6, "other hardware"},
        {BOOTP + 2, 16, "a long address"},
        {BOOTP + 236, 0, "no cookie"},
        {BOOTP + 16, 0, "0.0.2.50"},
        {BOOTP + 16, 127, "127.0.2.50"},
        {BOOTP + 16, 224, "multicast"},
        {BOOTP + 19, 0, "the network's address"},
        {BOOTP + 19, 255, "the broadcast address"},
        {OPTIONS + 2, 1, "a DISCOVER"},
        {OPTIONS + 2, 9, "an unknown type"},
        {OPTIONS + 5, 0, "a server 0.0.2.1"},
        {OPTIONS + 18, 0, "a mask with holes"},
    };
    struct dhcp_reply reply;
    struct made m;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        made_answer(&m, 5);
        made_end(&m);
        assert_int_equal(decode(&m, &reply), 0);
        m.frame[cases[i].at] = cases[i].value;
        made_sums(&m);
        if (decode(&m, &reply) != -EBADMSG)
            fail_msg("%s is taken", cases[i].what);
    }
}

static void without_what_it_needs(void **state)
{
    struct dhcp_reply reply;
    struct made m;

    (void)state;
    made_begin(&m, 5);
    made_end(&m);
    assert_int_equal(decode(&m, &reply), -EBADMSG);
    made_begin(&m, 5);
    MADE_OPTION(&m, 54, MADE_SERVER);
    made_end(&m);
    assert_int_equal(decode(&m, &reply), -EBADMSG);
    made_begin(&m, 5);
    MADE_OPTION(&m, 51, 0, 0, 14, 16);
    made_end(&m);
    assert_int_equal(decode(&m, &reply), -EBADMSG);
}

/* Of the frame as it is: the length that IPv4 tells is not there. */
static void cut_off_anywhere(void **state)
{
    struct dhcp_reply reply;
    struct made m;
    size_t whole;

    (void)state;
    made_answer(&m, 5);
    made_end(&m);
    whole = m.length;
    for (m.length = 0; m.length < whole; m.length++)
        assert_int_equal(decode(&m, &reply), -EBADMSG);
    m.length = whole + 20; /* padding */
    assert_int_equal(decode(&m, &reply), 0);
}

static void an_option_that_is_cut_off(void **state)
{
    struct dhcp_reply reply;
    struct made m;

    (void)state;
    made_answer(&m, 5);
    m.frame[m.length++] = 26;
    m.frame[m.length++] = 200;
    made_sums(&m);
    assert_int_equal(decode(&m, &reply), 0);
    assert_int_equal(reply.lease.mtu, 0);
}

static void fragments_and_other_ports(void **state)
{
    struct dhcp_reply reply;
    struct made m;
    uint32_t sum;

    (void)state;
    made_answer(&m, 5);
    made_end(&m);
    m.frame[20] = 0x20;
    m.frame[24] = m.frame[25] = 0;
    sum = made_sum(m.frame + 14, 20, 0) ^ 0xffff;
    m.frame[24] = (uint8_t)(sum >> 8);
    m.frame[25] = (uint8_t)sum;
    assert_int_equal(decode_as(&m, true, &reply), -EBADMSG);
    made_sums(&m);
    m.frame[37] = 69;
    assert_int_equal(decode_as(&m, true, &reply), -EBADMSG);
    made_sums(&m);
    m.frame[35] = 68;
    assert_int_equal(decode_as(&m, true, &reply), -EBADMSG);
}

/* ---- what is said ---- */

static const struct dhcp_identity web = {.mac = {{2, 1, 2, 3, 4, 5}},
                                         .id = {1, 2, 1, 2, 3, 4, 5},
                                         .id_length = 7,
                                         .hostname = "web"};

/* Data of an option of a frame, NULL: it has none. */
static const uint8_t *option_of(const uint8_t *frame, size_t length, uint8_t code, uint8_t *ret)
{
    for (size_t at = OPTIONS; at + 1 < length && frame[at] != 255; at += 2U + frame[at + 1])
        if (frame[at] == code) {
            *ret = frame[at + 1];
            return frame + at + 2;
        }
    return NULL;
}

static void assert_sums(const uint8_t *frame, size_t length)
{
    uint32_t udp = (uint32_t)length - 34;

    assert_int_equal(frame[14 + 2] << 8 | frame[14 + 3], length - 14);
    assert_int_equal(frame[34 + 4] << 8 | frame[34 + 5], udp);
    assert_int_equal(made_sum(frame + 14, 20, 0), 0xffff);
    assert_int_equal(made_sum(frame + 34, udp, made_sum(frame + 26, 8, 17 + udp)), 0xffff);
}

static void a_discover(void **state)
{
    static const uint8_t broadcast[] = {255, 255, 255, 255, 255, 255};
    static const uint8_t ip_ends[] = {0, 0, 0, 0, 255, 255, 255, 255};
    struct dhcp_request request = {.type = DHCP_DISCOVER, .xid = MADE_XID, .seconds = 3};
    uint8_t frame[DHCP_FRAME_MAX], size = 0;
    size_t length = dhcp_encode(&web, &request, frame);
    const uint8_t *parameters = option_of(frame, length, 55, &size);

    (void)state;
    assert_sums(frame, length);
    assert_true(length >= 14 + 20 + 8 + 300);
    assert_memory_equal(frame, broadcast, 6);
    assert_memory_equal(frame + 6, web.mac.bytes, 6);
    assert_memory_equal(frame + 26, ip_ends, 8);
    assert_memory_equal(frame + BOOTP + 28, web.mac.bytes, 6);
    assert_int_equal(frame[BOOTP + 9], 3);
    assert_int_equal(frame[BOOTP + 10], 0x80);
    assert_non_null(parameters);
    assert_non_null(memchr(parameters, 121, size));
    assert_memory_equal(option_of(frame, length, 12, &size), "web", 3);
    assert_memory_equal(option_of(frame, length, 61, &size), web.id, 7);
    assert_null(option_of(frame, length, 50, &size));
    assert_null(option_of(frame, length, 54, &size));
}

static void a_request(void **state)
{
    struct dhcp_request request = {.type = DHCP_REQUEST, .xid = 1};
    uint8_t frame[DHCP_FRAME_MAX], size;
    size_t length;

    (void)state;
    addr_parse("192.0.2.50", &request.requested, NULL);
    addr_parse("192.0.2.1", &request.server, NULL);
    length = dhcp_encode(&web, &request, frame);
    assert_sums(frame, length);
    assert_memory_equal(option_of(frame, length, 50, &size), request.requested.bytes, 4);
    assert_memory_equal(option_of(frame, length, 54, &size), request.server.bytes, 4);
    assert_int_equal(frame[30], 255); /* all servers hear it */
}

static void a_release(void **state)
{
    struct dhcp_request request = {.type = DHCP_RELEASE, .server_mac = {{2, 0, 0, 0, 0, 9}}};
    uint8_t frame[DHCP_FRAME_MAX], size;
    size_t length;

    (void)state;
    addr_parse("192.0.2.50", &request.own, NULL);
    addr_parse("192.0.2.1", &request.server, NULL);
    length = dhcp_encode(&web, &request, frame);
    assert_sums(frame, length);
    assert_memory_equal(frame, request.server_mac.bytes, 6);
    assert_memory_equal(frame + 26, request.own.bytes, 4);
    assert_memory_equal(frame + 30, request.server.bytes, 4);
    assert_memory_equal(frame + BOOTP + 12, request.own.bytes, 4);
    assert_int_equal(frame[BOOTP + 10], 0);
    assert_null(option_of(frame, length, 55, &size));
    assert_null(option_of(frame, length, 12, &size));
}

static void host_names(void **state)
{
    static const char *const cases[][2] = {{"web", "web"},     {"web_1.front", "web-1-front"},
                                           {"-_x-", "x"},      {"...", ""},
                                           {"\xc3\xa9t", "t"}, {"", ""}};
    char ret[DHCP_HOSTNAME_MAX + 1], many[300];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        dhcp_hostname(cases[i][0], ret);
        assert_string_equal(ret, cases[i][1]);
    }
    memset(many, 'x', sizeof many);
    many[sizeof many - 1] = '\0';
    dhcp_hostname(many, ret);
    assert_int_equal(strlen(ret), DHCP_HOSTNAME_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_offer),
        cmocka_unit_test(who_answers_for_names),
        cmocka_unit_test(times_that_make_no_sense),
        cmocka_unit_test(the_shortest_leases_have_times),
        cmocka_unit_test(classless_routes_take_the_routers_place),
        cmocka_unit_test(routes_that_are_cut_off),
        cmocka_unit_test(long_options_come_in_parts),
        cmocka_unit_test(more_routes_than_are_kept),
        cmocka_unit_test(options_in_other_fields),
        cmocka_unit_test(a_refusal),
        cmocka_unit_test(whom_it_is_for),
        cmocka_unit_test(checksums),
        cmocka_unit_test(each_octet_counts),
        cmocka_unit_test(without_what_it_needs),
        cmocka_unit_test(cut_off_anywhere),
        cmocka_unit_test(an_option_that_is_cut_off),
        cmocka_unit_test(fragments_and_other_ports),
        cmocka_unit_test(a_discover),
        cmocka_unit_test(a_request),
        cmocka_unit_test(a_release),
        cmocka_unit_test(host_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
