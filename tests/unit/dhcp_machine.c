/* SPDX-License-Identifier: Apache-2.0 */

/* The client's machine against a server and a clock that the tests are. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "dhcp/machine.h"

#define SENT_KEPT 64

struct sent {
    struct dhcp_request request;
    int64_t at;
};

struct world {
    struct dhcp_machine machine;
    int64_t now;
    uint32_t random;
    struct sent sent[SENT_KEPT];
    size_t sent_count;
    bool silent; /* the server */
    bool naks;
    bool mute; /* it makes offers and nothing else */
    bool unplugged;
    const char *gives; /* the server's address for the client */
    uint32_t seconds;
    const char *refuse; /* the address that the owner does not want */
    unsigned bound, failed, lost;
    struct dhcp_lease lease;
    struct weft_error err;
};

static struct addr parse(const char *text)
{
    struct addr addr;

    assert_int_equal(addr_parse(text, &addr, NULL), 0);
    return addr;
}

static int hook_accept(void *arg, const struct dhcp_lease *lease, struct weft_error *err)
{
    struct world *w = arg;

    if (w->refuse && strcmp(addr_text(&lease->addr), w->refuse) == 0)
        return weft_fail(err, WEFT_CONFLICT, "%s is not wanted", w->refuse);
    return 0;
}

static void hook_bound(void *arg, const struct dhcp_lease *lease)
{
    struct world *w = arg;

    w->bound++;
    w->lease = *lease;
}

static void hook_failed(void *arg, const struct weft_error *err)
{
    struct world *w = arg;

    w->failed++;
    w->err = *err;
}

static void hook_lost(void *arg, const struct weft_error *err)
{
    struct world *w = arg;

    w->lost++;
    w->err = *err;
}

static const struct dhcp_client_hooks world_hooks = {hook_accept, hook_bound, hook_failed,
                                                     hook_lost};

static int world_send(void *sender, const struct dhcp_request *request, struct weft_error *err)
{
    struct world *w = sender;

    if (w->unplugged)
        return weft_fail_errno(err, ENETDOWN, "cannot send on eth0");
    assert_true(w->sent_count < SENT_KEPT);
    w->sent[w->sent_count++] = (struct sent){*request, w->now};
    return 0;
}

static uint32_t world_random(void *sender)
{
    struct world *w = sender;

    return w->random = w->random * 1103515245 + 12345;
}

static struct dhcp_reply answer_of(const struct world *w, enum dhcp_type type)
{
    struct dhcp_reply reply = {.type = type, .xid = w->machine.xid, .mac = w->machine.who.mac};

    reply.lease = (struct dhcp_lease){.addr = parse(w->gives),
                                      .len = 24,
                                      .server = parse("192.0.2.1"),
                                      .seconds = w->seconds,
                                      .renew = w->seconds / 2,
                                      .rebind = w->seconds / 8 * 7};
    return reply;
}

/* The server hears what was sent last. */
static void serve(struct world *w)
{
    const struct dhcp_request *request = &w->sent[w->sent_count - 1].request;
    struct addr given = parse(w->gives);
    struct dhcp_reply reply;

    if (w->silent || (w->mute && request->type != DHCP_DISCOVER))
        return;
    if (request->type == DHCP_DISCOVER)
        reply = answer_of(w, DHCP_OFFER);
    else if (request->type != DHCP_REQUEST)
        return;
    else if (w->naks || !addr_equal(&request->requested, &given))
        reply = answer_of(w, DHCP_NAK);
    else
        reply = answer_of(w, DHCP_ACK);
    dhcp_machine_receive(&w->machine, &reply, w->now);
}

/* Whatever was sent since is heard by the server, and what that leads to. */
static void settle(struct world *w, size_t from)
{
    while (from < w->sent_count) {
        from = w->sent_count;
        serve(w);
    }
}

static void run_until(struct world *w, int64_t end)
{
    while (dhcp_machine_deadline(&w->machine) <= end) {
        size_t before = w->sent_count;

        if (dhcp_machine_deadline(&w->machine) > w->now)
            w->now = dhcp_machine_deadline(&w->machine);
        dhcp_machine_wake(&w->machine, w->now);
        settle(w, before);
    }
    w->now = end;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    w->machine = (struct dhcp_machine){.who.mac = {{2, 0, 0, 0, 0, 1}},
                                       .link = "eth0",
                                       .hooks = &world_hooks,
                                       .arg = w,
                                       .send = world_send,
                                       .random = world_random,
                                       .sender = w,
                                       .next = DHCP_NEVER,
                                       .give_up = DHCP_NEVER};
    w->now = 1000000;
    w->gives = "192.0.2.50";
    w->seconds = 3600;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void acquire(struct world *w)
{
    struct addr any = {0};

    dhcp_machine_acquire(&w->machine, &any, w->now);
    if (w->sent_count > 0)
        settle(w, 0);
}

static const struct dhcp_request *last(const struct world *w)
{
    return &w->sent[w->sent_count - 1].request;
}

/* ---- the first lease ---- */

static void a_lease(void **state)
{
    struct world *w = *state;

    acquire(w);
    assert_int_equal(w->bound, 1);
    assert_int_equal(w->sent_count, 2);
    assert_int_equal(w->sent[0].request.type, DHCP_DISCOVER);
    assert_int_equal(last(w)->type, DHCP_REQUEST);
    assert_string_equal(addr_text(&last(w)->requested), "192.0.2.50");
    assert_string_equal(addr_text(&last(w)->server), "192.0.2.1");
    assert_int_equal(dhcp_machine_deadline(&w->machine), w->now + 1800000);
}

static void an_address_is_asked_for(void **state)
{
    struct world *w = *state;
    struct addr wanted = parse("192.0.2.50");

    dhcp_machine_acquire(&w->machine, &wanted, w->now);
    assert_string_equal(addr_text(&last(w)->requested), "192.0.2.50");
}

static void nobody_answers(void **state)
{
    struct world *w = *state;
    int64_t begin = w->now;

    w->silent = true;
    acquire(w);
    run_until(w, begin + 9999);
    assert_int_equal(w->failed, 0);
    assert_in_range(w->sent_count, 3, 5);
    run_until(w, begin + 10000);
    assert_int_equal(w->failed, 1);
    assert_string_equal(w->err.text, "no DHCP server answered on eth0 within 10 s");
    assert_int_equal(dhcp_machine_deadline(&w->machine), DHCP_NEVER);
    for (size_t i = 0; i < w->sent_count; i++)
        assert_int_equal(last(w)->xid, w->sent[i].request.xid);
}

static void the_link_is_down(void **state)
{
    struct world *w = *state;

    w->unplugged = true;
    acquire(w);
    run_until(w, w->now + 10000);
    assert_int_equal(w->failed, 1);
    assert_non_null(strstr(w->err.text, "cannot send on eth0"));
}

static void an_offer_without_more(void **state)
{
    struct world *w = *state;

    w->mute = true;
    acquire(w);
    run_until(w, w->now + 10000);
    assert_int_equal(w->failed, 1);
    assert_non_null(strstr(w->err.text, "192.0.2.1 on eth0 offered 192.0.2.50"));
}

static void a_server_that_only_refuses(void **state)
{
    struct world *w = *state;
    int64_t begin = w->now;

    w->naks = true;
    acquire(w);
    run_until(w, begin + 10000);
    assert_int_equal(w->failed, 1);
    assert_int_equal(w->bound, 0);
    assert_non_null(strstr(w->err.text, "192.0.2.1 on eth0 refuses 192.0.2.50"));
}

static void an_offer_of_no_use(void **state)
{
    struct world *w = *state;
    int64_t begin = w->now;

    w->refuse = "192.0.2.50";
    acquire(w);
    run_until(w, begin + 1500);
    assert_int_equal(w->failed, 1);
    assert_string_equal(w->err.text, "192.0.2.50 is not wanted");
    for (size_t i = 0; i < w->sent_count; i++)
        assert_int_equal(w->sent[i].request.type, DHCP_DISCOVER);
}

static void another_server_has_a_better_one(void **state)
{
    struct world *w = *state;
    struct dhcp_reply other;

    w->refuse = "192.0.2.50";
    acquire(w);
    w->now += 200;
    w->gives = "192.0.2.51";
    other = answer_of(w, DHCP_OFFER);
    dhcp_machine_receive(&w->machine, &other, w->now);
    settle(w, w->sent_count - 1);
    assert_int_equal(w->bound, 1);
    assert_int_equal(w->failed, 0);
}

static void what_is_for_others(void **state)
{
    struct world *w = *state;
    struct dhcp_reply reply;

    w->silent = true;
    acquire(w);
    reply = answer_of(w, DHCP_OFFER);
    reply.xid ^= 1;
    dhcp_machine_receive(&w->machine, &reply, w->now);
    reply = answer_of(w, DHCP_OFFER);
    reply.mac.bytes[5] ^= 1;
    dhcp_machine_receive(&w->machine, &reply, w->now);
    reply = answer_of(w, DHCP_OFFER);
    reply.has_id = true;
    reply.id = (const uint8_t *)"?";
    reply.id_length = 1;
    dhcp_machine_receive(&w->machine, &reply, w->now);
    reply = answer_of(w, DHCP_ACK); /* of what was never asked for */
    dhcp_machine_receive(&w->machine, &reply, w->now);
    reply = answer_of(w, DHCP_NAK);
    dhcp_machine_receive(&w->machine, &reply, w->now);
    assert_int_equal(w->machine.state, DHCP_SELECTING);
    assert_int_equal(w->sent_count, 1);
    assert_int_equal(w->bound, 0);
}

static void another_address_than_offered(void **state)
{
    struct world *w = *state;
    struct dhcp_reply reply;

    w->mute = true;
    acquire(w);
    w->gives = "192.0.2.99";
    reply = answer_of(w, DHCP_ACK);
    dhcp_machine_receive(&w->machine, &reply, w->now);
    assert_int_equal(w->bound, 0);
}

/* It became of no use between offer and acknowledgement. */
static void what_was_taken_meanwhile_is_declined(void **state)
{
    struct world *w = *state;
    struct dhcp_reply reply;

    w->mute = true;
    acquire(w);
    w->refuse = "192.0.2.50";
    reply = answer_of(w, DHCP_ACK);
    dhcp_machine_receive(&w->machine, &reply, w->now);
    assert_int_equal(last(w)->type, DHCP_DECLINE);
    assert_string_equal(addr_text(&last(w)->requested), "192.0.2.50");
    assert_int_equal(w->bound, 0);
}

/* ---- keeping it ---- */

static void it_is_renewed(void **state)
{
    struct world *w = *state;
    int64_t begin = w->now;

    acquire(w);
    run_until(w, begin + 1799999);
    assert_int_equal(w->sent_count, 2);
    run_until(w, begin + 1800000);
    assert_int_equal(w->sent_count, 3);
    assert_int_equal(last(w)->type, DHCP_REQUEST);
    assert_string_equal(addr_text(&last(w)->requested), "192.0.2.50");
    assert_false(addr_is_set(&last(w)->server));
    assert_false(addr_is_set(&last(w)->own));
    assert_int_equal(w->bound, 2);
    run_until(w, begin + 24 * 3600000);
    assert_int_equal(w->bound, 48 + 1);
    assert_int_equal(w->lost, 0);
}

static void a_lease_for_ever(void **state)
{
    struct world *w = *state;

    w->seconds = DHCP_FOREVER;
    acquire(w);
    assert_int_equal(w->bound, 1);
    assert_int_equal(dhcp_machine_deadline(&w->machine), DHCP_NEVER);
}

static void the_server_goes_and_comes_back(void **state)
{
    struct world *w = *state;
    int64_t begin = w->now;
    size_t requests = 0;

    acquire(w);
    w->silent = true;
    run_until(w, begin + 3149999);
    for (size_t i = 2; i < w->sent_count; i++)
        requests += w->sent[i].request.type == DHCP_REQUEST;
    assert_int_equal(requests, w->sent_count - 2);
    assert_in_range(requests, 3, 8);
    run_until(w, begin + 3160000); /* T2 */
    assert_int_equal(last(w)->type, DHCP_DISCOVER);
    assert_string_equal(addr_text(&last(w)->requested), "192.0.2.50");
    assert_int_equal(w->lost, 0);
    w->silent = false;
    run_until(w, begin + 3250000);
    assert_int_equal(w->bound, 2);
    assert_int_equal(w->lost, 0);
}

static void it_runs_out(void **state)
{
    struct world *w = *state;
    int64_t begin = w->now;

    acquire(w);
    w->silent = true;
    run_until(w, begin + 3599999);
    assert_int_equal(w->lost, 0);
    run_until(w, begin + 3600000);
    assert_int_equal(w->lost, 1);
    assert_non_null(strstr(w->err.text, "has run out"));
    run_until(w, begin + 4000000);
    assert_int_equal(w->lost, 1);
    assert_int_equal(w->failed, 0);
    w->silent = false;
    w->gives = "192.0.2.77";
    run_until(w, begin + 4100000);
    assert_int_equal(w->bound, 2);
    assert_string_equal(addr_text(&w->lease.addr), "192.0.2.77");
}

static void the_server_takes_it_back(void **state)
{
    struct world *w = *state;
    int64_t begin = w->now;

    acquire(w);
    w->gives = "192.0.2.77";
    run_until(w, begin + 1800000);
    assert_int_equal(w->bound, 2);
    assert_int_equal(w->lost, 0);
    assert_string_equal(addr_text(&w->lease.addr), "192.0.2.77");
}

static void the_server_takes_it_back_for_nothing(void **state)
{
    struct world *w = *state;
    int64_t begin = w->now;
    size_t before;

    acquire(w);
    w->naks = true;
    run_until(w, begin + 1800000 + 9999);
    assert_int_equal(w->lost, 0);
    run_until(w, begin + 1800000 + 10000);
    assert_int_equal(w->lost, 1);
    assert_non_null(strstr(w->err.text, "was taken back"));
    before = w->sent_count;
    run_until(w, w->now + 600000);
    assert_true(w->sent_count - before < 50); /* it is not hammered */
    assert_int_equal(w->failed, 0);
}

static void another_server_has_no_say(void **state)
{
    struct world *w = *state;
    struct dhcp_reply reply;

    acquire(w);
    w->silent = true;
    run_until(w, w->now + 1800000);
    reply = answer_of(w, DHCP_NAK);
    reply.lease.server = parse("192.0.2.9");
    dhcp_machine_receive(&w->machine, &reply, w->now);
    assert_int_equal(w->machine.state, DHCP_RENEWING);
}

/* The time of the lease counts from the last request, not from when renewing began. */
static void late_answers_are_whole_leases(void **state)
{
    struct world *w = *state;
    int64_t begin = w->now;

    acquire(w);
    w->silent = true;
    run_until(w, begin + 2900000);
    w->silent = false;
    run_until(w, begin + 3100000);
    assert_int_equal(w->bound, 2);
    assert_true(w->machine.expiry > begin + 2900000 + 3600000);
}

/* ---- going on ---- */

static struct dhcp_lease hour(void)
{
    return (struct dhcp_lease){.addr = parse("192.0.2.50"),
                               .len = 24,
                               .server = parse("192.0.2.1"),
                               .seconds = 3600,
                               .renew = 1800,
                               .rebind = 3150};
}

static void a_lease_is_taken_up(void **state)
{
    struct world *w = *state;
    struct dhcp_lease lease = hour();
    int64_t begin = w->now;

    dhcp_machine_resume(&w->machine, &lease, 600000, w->now);
    run_until(w, begin + 1199999);
    assert_int_equal(w->sent_count, 0);
    run_until(w, begin + 1200000);
    assert_int_equal(w->bound, 1);
    assert_int_equal(last(w)->type, DHCP_REQUEST);
}

static void one_that_has_run_out_is_asked_for_once_more(void **state)
{
    struct world *w = *state;
    struct dhcp_lease lease = hour();

    dhcp_machine_resume(&w->machine, &lease, INT64_C(9000000000), w->now);
    run_until(w, w->now);
    assert_int_equal(w->bound, 1);
    assert_int_equal(w->lost, 0);
}

static void and_is_lost_without_an_answer(void **state)
{
    struct world *w = *state;
    struct dhcp_lease lease = hour();
    int64_t begin = w->now;

    w->silent = true;
    dhcp_machine_resume(&w->machine, &lease, 9000000, w->now);
    run_until(w, begin + 9999);
    assert_int_equal(w->lost, 0);
    assert_int_equal(last(w)->type, DHCP_DISCOVER);
    run_until(w, begin + 10000);
    assert_int_equal(w->lost, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_lease),
        TEST(an_address_is_asked_for),
        TEST(nobody_answers),
        TEST(the_link_is_down),
        TEST(an_offer_without_more),
        TEST(a_server_that_only_refuses),
        TEST(an_offer_of_no_use),
        TEST(another_server_has_a_better_one),
        TEST(what_is_for_others),
        TEST(another_address_than_offered),
        TEST(what_was_taken_meanwhile_is_declined),
        TEST(it_is_renewed),
        TEST(a_lease_for_ever),
        TEST(the_server_goes_and_comes_back),
        TEST(it_runs_out),
        TEST(the_server_takes_it_back),
        TEST(the_server_takes_it_back_for_nothing),
        TEST(another_server_has_no_say),
        TEST(late_answers_are_whole_leases),
        TEST(a_lease_is_taken_up),
        TEST(one_that_has_run_out_is_asked_for_once_more),
        TEST(and_is_lost_without_an_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
