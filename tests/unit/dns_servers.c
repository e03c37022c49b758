/* SPDX-License-Identifier: Apache-2.0 */

/* What a resolv.conf says. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/dns.h"

static void test_everything(void **state _unused_)
{
    _cleanup_resolv_conf_ struct resolv_conf conf = {0};

    assert_int_equal(resolv_conf_parse("# a comment\n"
                                       "; another\n"
                                       "nameserver 192.0.2.1\n"
                                       "  nameserver\t2001:db8::1 # said behind it\n"
                                       "nameserver fe80::1%7\n"
                                       "domain lost.test\n"
                                       "search one.test two.test\n"
                                       "options ndots:2 edns0\n"
                                       "options trust-ad\n"
                                       "sortlist 10.0.0.0",
                                       &conf),
                     0);
    assert_int_equal(conf.count, 3);
    assert_string_equal(addr_text(&conf.servers[0].addr), "192.0.2.1");
    assert_string_equal(addr_text(&conf.servers[1].addr), "2001:db8::1");
    assert_int_equal(conf.servers[1].scope, 0);
    assert_string_equal(addr_text(&conf.servers[2].addr), "fe80::1");
    assert_int_equal(conf.servers[2].scope, 7);
    assert_string_equal(conf.texts[2], "fe80::1%7");
    assert_int_equal(strv_length(conf.search), 2);
    assert_string_equal(conf.search[1], "two.test");
    assert_int_equal(strv_length(conf.options), 3);
    assert_string_equal(conf.options[2], "trust-ad");
}

static void test_domain_counts_if_last(void **state _unused_)
{
    _cleanup_resolv_conf_ struct resolv_conf conf = {0};

    assert_int_equal(resolv_conf_parse("search a b\ndomain c.test\n", &conf), 0);
    assert_int_equal(strv_length(conf.search), 1);
    assert_string_equal(conf.search[0], "c.test");
}

static void test_nonsense(void **state _unused_)
{
    _cleanup_resolv_conf_ struct resolv_conf conf = {0};
    char longest[4096];

    memset(longest, 'x', sizeof longest - 1);
    memcpy(longest, "nameserver ", 11);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(resolv_conf_parse(longest, &conf), 0);
    assert_int_equal(resolv_conf_parse("nameserver\nnameserver 1.2.3\nnameserver %\nsearch\n\n\r\n"
                                       "options\nnameserverx 192.0.2.1\n",
                                       &conf),
                     0);
    assert_int_equal(conf.count, 0);
    assert_int_equal(strv_length(conf.search), 0);
    assert_int_equal(strv_length(conf.options), 0);
}

static void test_no_more_than_eight(void **state _unused_)
{
    _cleanup_resolv_conf_ struct resolv_conf conf = {0};

    for (int i = 1; i < 12; i++) {
        char line[64];

        snprintf(line, sizeof line, "nameserver 192.0.2.%d\n", i);
        assert_int_equal(resolv_conf_parse(line, &conf), 0);
    }
    assert_int_equal(conf.count, HOST_SERVERS_MAX);
    assert_string_equal(conf.texts[7], "192.0.2.8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_domain_counts_if_last),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_no_more_than_eight),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
