/* SPDX-License-Identifier: Apache-2.0 */

/* Limits as facts, as commands, and where they are refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/strbuf.h"
#include "driver/driver.h"
#include "driver/shape.h"
#include "kstate/plan.h"
#include "model_make.h"

#define WEB "{'Name': 'web', 'Id': '" TEST_ID "'}"
#define ENDPOINT(options)                                                                          \
    "{'Id': '" TEST_ID "', 'IfName': 'eth0', 'Want': {'DriverOpts': {" options "}}}"
#define OPT(key, value) "'" key "': '" value "'"

static void render(const char *endpoint, struct fact_set *ret)
{
    _cleanup_network_ struct network *net = make_network(WEB);
    _cleanup_endpoint_ struct endpoint *ep = make_endpoint(endpoint, net);

    assert_int_equal(shape_render(ep, ret), 0);
}

static void expect_facts(const char *endpoint, const char *expected)
{
    _cleanup_fact_set_ struct fact_set facts = {0};
    _cleanup_strbuf_ struct strbuf text = {0};

    render(endpoint, &facts);
    fact_set_print(&facts, &text);
    assert_string_equal(strbuf_text(&text), expected);
}

static void limits_are_facts(void **state)
{
    (void)state;
    expect_facts(ENDPOINT(OPT("my.own", "5")), "");
    expect_facts(ENDPOINT(OPT(OPTION_INGRESS_RATE, "10mbit")),
                 "host: shape veth0123456 rate 10000000bit burst 81920\n");
}

/* A rate is changed in place. */
static void limits_are_commands(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, facts = {0}, slower = {0};
    _cleanup_strbuf_ struct strbuf text = {0};
    _cleanup_plan_ struct plan plan = {0}, change = {0};

    (void)state;
    render(ENDPOINT(OPT(OPTION_INGRESS_RATE, "10mbit") ", " OPT(OPTION_INGRESS_BURST, "1m")),
           &facts);
    assert_int_equal(plan_diff(&none, &facts, &plan), 0);
    plan_explain(&plan, &text);
    assert_string_equal(strbuf_text(&text),
                        "tc qdisc replace dev veth0123456 root handle 7766: tbf rate 10000000bit "
                        "burst 1048576b latency 50ms\n");

    strbuf_free(&text);
    render(ENDPOINT(OPT(OPTION_INGRESS_RATE, "5mbit") ", " OPT(OPTION_INGRESS_BURST, "1m")),
           &slower);
    assert_int_equal(plan_diff(&facts, &slower, &change), 0);
    plan_explain(&change, &text);
    assert_string_equal(strbuf_text(&text),
                        "tc qdisc replace dev veth0123456 root handle 7766: tbf rate 5000000bit "
                        "burst 1048576b latency 50ms\n");
}

static void redirects_are_commands(void **state)
{
    struct op op = {.verb = OP_ADD,
                    .fact = {.kind = FACT_REDIRECT, .redirect = {.link = "veth1", .to = "ifb1"}}};
    _cleanup_strbuf_ struct strbuf text = {0};

    (void)state;
    op_describe(&op, &text);
    assert_string_equal(strbuf_text(&text), "tc qdisc replace dev veth1 ingress");
    strbuf_free(&text);
    op = (struct op){.verb = OP_REMOVE, .fact = op.fact, .old = op.fact};
    op_describe(&op, &text);
    assert_string_equal(strbuf_text(&text), "tc qdisc del dev veth1 ingress");
    strbuf_free(&text);
    op.verb = OP_CHANGE;
    op_describe(&op, &text);
    assert_string_equal(strbuf_text(&text),
                        "tc filter replace dev veth1 parent ffff: protocol all pref 30566 handle "
                        "800::800 u32 match u32 0 0 action mirred egress redirect dev ifb1");
}

/* What is sent waits in an ifb of the endpoint's own. */
static void egress_has_its_own_link(void **state)
{
    _cleanup_fact_set_ struct fact_set facts = {0};
    const struct fact *f;

    (void)state;
    render(ENDPOINT(OPT(OPTION_EGRESS_RATE, "2mbit")), &facts);
    fact_set_sort(&facts);
    assert_int_equal(facts.count, 3);
    f = &facts.facts[0];
    assert_int_equal(f->kind, FACT_LINK);
    assert_int_equal(f->link.kind, LINK_IFB);
    assert_string_equal(f->link.name, "ifb0123456");
    assert_true(f->link.up);
    assert_int_equal(facts.facts[1].kind, FACT_SHAPE);
    assert_string_equal(facts.facts[1].shape.link, "ifb0123456");
    assert_int_equal(facts.facts[1].shape.rate, 2000000);
    assert_int_equal(facts.facts[2].kind, FACT_REDIRECT);
    assert_string_equal(facts.facts[2].redirect.link, "veth0123456");
    assert_string_equal(facts.facts[2].redirect.to, "ifb0123456");
}

/* The kernel keeps a burst as a time. */
static void a_burst_is_nearly_what_it_was(void **state)
{
    struct fact desired = {.kind = FACT_SHAPE, .shape = {.rate = 10000000000, .burst = 1000000}};
    struct fact seen = desired;

    (void)state;
    seen.shape.burst -= 80; /* 64 ns at 10 Gbit/s */
    assert_true(fact_satisfies(&seen, &desired));
    seen.shape.burst -= 80;
    assert_false(fact_satisfies(&seen, &desired));
    seen.shape = desired.shape;
    seen.shape.rate -= 8;
    assert_false(fact_satisfies(&seen, &desired));
}

static int check(const char *network, const char *link, const char *options, char *why)
{
    _cleanup_network_ struct network *net = make_network(network);
    _cleanup_endpoint_ struct endpoint *ep = make_endpoint(options, net);
    struct weft_error err = {0};
    int r;

    strcpy(net->link, link);
    r = shape_check(net, &ep->want.driver_opts, &err);
    strcpy(why, err.text);
    return r;
}

static void some_limits_are_refused(void **state)
{
    char why[sizeof((struct weft_error *)0)->text];

    (void)state;
    assert_int_equal(check(WEB, "br-web", ENDPOINT(OPT(OPTION_EGRESS_RATE, "1mbit")), why), 0);
    assert_int_equal(check(WEB, "", ENDPOINT(OPT("my.own", "5")), why), 0);
    assert_int_equal(check(WEB, "", ENDPOINT(OPT(OPTION_EGRESS_RATE, "1mbit")), why), -EINVAL);
    assert_string_equal(why, "endpoints of network web cannot be limited: driver bridge gives them "
                             "no link on the host");
    assert_int_equal(check(WEB, "br-web",
                           ENDPOINT(OPT(OPTION_INGRESS_RATE, "1mbit") ", " OPT(OPTION_INGRESS_BURST,
                                                                               "1500")),
                           why),
                     -EINVAL);
    assert_string_equal(why, OPTION_INGRESS_BURST
                        " 1500b is less than one packet of network web (1518 bytes)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_facts),
        cmocka_unit_test(limits_are_commands),
        cmocka_unit_test(redirects_are_commands),
        cmocka_unit_test(egress_has_its_own_link),
        cmocka_unit_test(a_burst_is_nearly_what_it_was),
        cmocka_unit_test(some_limits_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
