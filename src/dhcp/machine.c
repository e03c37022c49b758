/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation
 *
 *     acquire ──▶ SELECTING ──offer──▶ REQUESTING ──ack──▶ BOUND ──T1──▶ RENEWING
 *                   ▲  ▲                 │                   ▲             │ │
 *                   │  └──nak, silence───┘                   └────ack──────┘ │
 *                   └───────────────────────────────T2, nak──────────────────┘
 *
 * A lease is renewed by the REQUEST of a client that has just started and remembers its address
 * (RFC 2131, 4.3.2, INIT-REBOOT), not by one from the address itself: that would be answered to the
 * container, which has no client. From T2 on any server may answer to a DISCOVER, which asks for
 * the same address. The lease stays in use meanwhile, until it runs out; after a NAK, only as long
 * as a server needs to give another.
 *
 * A first lease is bounded in time, and so is asked for faster than RFC 2131, 4.1 has it (after 4,
 * 8, 16 s): after 1, 2, 4 s. Every wait is one quarter longer or shorter by chance, so that
 * machines that start together do not go on together.
 */

#include "dhcp/machine.h"

#include <string.h>

#define SECOND INT64_C(1000)
#define FIRST_WAIT SECOND
#define LONGEST_WAIT (64 * SECOND) /* RFC 2131, 4.1 */
#define ACQUIRE_WAIT (DHCP_ACQUIRE_SECONDS * SECOND)
#define RENEW_WAIT_MIN (60 * SECOND) /* RFC 2131, 4.4.5; leases of minutes have less */
#define ANSWER_WAIT (4 * SECOND)
#define OTHERS_WAIT SECOND /* for another server's offer, once one was of no use */
#define REQUESTS_MAX 3     /* unanswered, before an offer is given up */
#define NAKS_MAX 3         /* before a first lease is given up */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A quarter more or less. */
static int64_t vary(struct dhcp_machine *m, int64_t wait)
{
    return wait - wait / 4 + (int64_t)(m->random(m->sender) % (uint32_t)(wait / 2 + 1));
}

/* 1, 2, 4 … seconds. */
static int64_t backoff(unsigned tries)
{
    return tries > 6 ? LONGEST_WAIT : FIRST_WAIT << (tries > 0 ? tries - 1 : 0);
}

static bool is_acquiring(const struct dhcp_machine *m)
{
    return m->give_up != DHCP_NEVER;
}

static void send_request(struct dhcp_machine *m, struct dhcp_request *request, int64_t now)
{
    int64_t seconds = (now - m->began) / SECOND;

    request->xid = m->xid;
    request->seconds = (uint16_t)earlier(seconds, UINT16_MAX);
    (void)m->send(m->sender, request, &m->why);
    m->sent = now;
    m->tries++;
}

/* ---- the states ---- */

static void discover(struct dhcp_machine *m, int64_t now)
{
    struct dhcp_request request = {.type = DHCP_DISCOVER, .requested = m->wanted};

    send_request(m, &request, now);
    m->next = now + vary(m, backoff(m->tries));
}

/* Begins anew after a while. */
static void select_after(struct dhcp_machine *m, int64_t wait, int64_t now)
{
    m->state = DHCP_SELECTING;
    m->xid = m->random(m->sender);
    m->tries = 0;
    m->began = now;
    m->next = now + wait;
    if (wait == 0)
        discover(m, now);
}

static void request_offer(struct dhcp_machine *m, int64_t now)
{
    struct dhcp_request request = {.type = DHCP_REQUEST,
                                   .requested = m->offer.addr,
                                   .server = m->offer.server};

    send_request(m, &request, now);
    m->next = now + vary(m, backoff(m->tries));
}

/* Half of what is left until T2, again and again. */
static void request_same(struct dhcp_machine *m, int64_t now)
{
    struct dhcp_request request = {.type = DHCP_REQUEST, .requested = m->lease.addr};
    int64_t left = m->rebind - now;
    int64_t least = earlier(RENEW_WAIT_MIN, m->lease.seconds * SECOND / 16);

    send_request(m, &request, now);
    if (left <= 0)
        m->next = now + vary(m, ANSWER_WAIT);
    else
        m->next = now + earlier(left / 2 > least ? left / 2 : least, left);
}

static void renew(struct dhcp_machine *m, int64_t now)
{
    m->state = DHCP_RENEWING;
    m->xid = m->random(m->sender);
    m->tries = 0;
    m->began = now;
    request_same(m, now);
}

static void begin_lease(struct dhcp_machine *m, const struct dhcp_lease *lease, int64_t since)
{
    bool forever = lease->seconds == DHCP_FOREVER;

    m->lease = *lease;
    m->wanted = lease->addr;
    m->has_lease = true;
    m->state = DHCP_BOUND;
    m->naks = 0;
    m->give_up = DHCP_NEVER;
    m->why.code = WEFT_OK;
    m->renew = forever ? DHCP_NEVER : since + lease->renew * SECOND;
    m->rebind = forever ? DHCP_NEVER : since + lease->rebind * SECOND;
    m->expiry = forever ? DHCP_NEVER : since + lease->seconds * SECOND;
    m->next = m->renew;
}

static void fail(struct dhcp_machine *m)
{
    m->state = DHCP_IDLE;
    m->next = m->give_up = DHCP_NEVER;
    if (m->why.code == WEFT_OK)
        weft_fail(&m->why, WEFT_INTERNAL, "no DHCP server answered on %s within %d s", m->link,
                  DHCP_ACQUIRE_SECONDS);
    m->hooks->failed(m->arg, &m->why);
}

static void lose(struct dhcp_machine *m, int64_t now)
{
    struct weft_error err;

    weft_fail(&err, WEFT_INTERNAL, "the lease of %s from DHCP server %s on %s %s",
              addr_text(&m->lease.addr), addr_text(&m->lease.server), m->link,
              m->naks > 0 ? "was taken back" : "has run out");
    m->has_lease = false;
    m->expiry = DHCP_NEVER;
    if (m->state == DHCP_BOUND || m->state == DHCP_RENEWING)
        select_after(m, 0, now);
    m->hooks->lost(m->arg, &err);
}

/* ---- what came ---- */

static void take_offer(struct dhcp_machine *m, const struct dhcp_reply *reply, int64_t now)
{
    if (m->state != DHCP_SELECTING || m->tries == 0)
        return;
    if (m->hooks->accept(m->arg, &reply->lease, &m->why) < 0) {
        m->give_up = earlier(m->give_up, is_acquiring(m) ? now + OTHERS_WAIT : DHCP_NEVER);
        return;
    }
    m->state = DHCP_REQUESTING;
    m->offer = reply->lease;
    m->tries = 0;
    request_offer(m, now);
}

/* What the server has given is of no use after all. */
static void decline(struct dhcp_machine *m, const struct dhcp_lease *lease, int64_t now)
{
    struct dhcp_request request = {.type = DHCP_DECLINE,
                                   .requested = lease->addr,
                                   .server = lease->server,
                                   .text = "not of use"};

    send_request(m, &request, now);
    /* RFC 2131, 3.1, 5. */
    select_after(m, is_acquiring(m) ? FIRST_WAIT : 10 * SECOND, now);
}

static void take_ack(struct dhcp_machine *m, const struct dhcp_reply *reply, int64_t now)
{
    const struct addr *asked = m->state == DHCP_REQUESTING ? &m->offer.addr : &m->lease.addr;

    if ((m->state != DHCP_REQUESTING && m->state != DHCP_RENEWING) ||
        !addr_equal(&reply->lease.addr, asked) ||
        (m->state == DHCP_REQUESTING && !addr_equal(&reply->lease.server, &m->offer.server)))
        return;
    if (m->hooks->accept(m->arg, &reply->lease, &m->why) < 0) {
        decline(m, &reply->lease, now);
        return;
    }
    begin_lease(m, &reply->lease, m->sent);
    m->hooks->bound(m->arg, &m->lease);
}

/* A server that has no part in it may say no to a REQUEST that names none. */
static bool has_no_part(const struct dhcp_machine *m, const struct addr *server)
{
    const struct addr *ours = m->state == DHCP_REQUESTING ? &m->offer.server : &m->lease.server;

    return addr_is_set(server) && !addr_equal(server, ours);
}

static void take_nak(struct dhcp_machine *m, const struct dhcp_reply *reply, int64_t now)
{
    const struct addr *asked = m->state == DHCP_REQUESTING ? &m->offer.addr : &m->lease.addr;
    const struct addr *server = m->state == DHCP_REQUESTING ? &m->offer.server : &m->lease.server;

    if ((m->state != DHCP_REQUESTING && m->state != DHCP_RENEWING) ||
        has_no_part(m, &reply->lease.server))
        return;
    weft_fail(&m->why, WEFT_CONFLICT, "DHCP server %s on %s refuses %s%s%s", addr_text(server),
              m->link, addr_text(asked), *reply->text ? ": " : "", reply->text);
    m->naks++;
    if (m->has_lease)
        m->expiry = earlier(m->expiry, now + ACQUIRE_WAIT);
    if (is_acquiring(m) && m->naks >= NAKS_MAX)
        fail(m);
    else
        select_after(m, m->naks == 1 ? 0 : backoff(m->naks - 1), now);
}

void dhcp_machine_receive(struct dhcp_machine *m, const struct dhcp_reply *reply, int64_t now)
{
    if (reply->xid != m->xid || !mac_equal(&reply->mac, &m->who.mac) ||
        !dhcp_reply_is_for(reply, &m->who))
        return;
    switch (reply->type) {
    case DHCP_OFFER:
        take_offer(m, reply, now);
        break;
    case DHCP_ACK:
        take_ack(m, reply, now);
        break;
    case DHCP_NAK:
        take_nak(m, reply, now);
        break;
    default:
        break;
    }
}

/* ---- time ---- */

/* The server that made an offer does not stand to it. */
static void give_offer_up(struct dhcp_machine *m, int64_t now)
{
    weft_fail(&m->why, WEFT_INTERNAL,
              "DHCP server %s on %s offered %s and did not answer to the request for it",
              addr_text(&m->offer.server), m->link, addr_text(&m->offer.addr));
    select_after(m, 0, now);
}

static void go_on(struct dhcp_machine *m, int64_t now)
{
    switch (m->state) {
    case DHCP_SELECTING:
        discover(m, now);
        break;
    case DHCP_REQUESTING:
        if (m->tries < REQUESTS_MAX)
            request_offer(m, now);
        else
            give_offer_up(m, now);
        break;
    case DHCP_BOUND:
        renew(m, now);
        break;
    case DHCP_RENEWING:
        if (now >= m->rebind)
            select_after(m, 0, now);
        else
            request_same(m, now);
        break;
    case DHCP_IDLE:
        break;
    }
}

void dhcp_machine_wake(struct dhcp_machine *m, int64_t now)
{
    if (now >= m->give_up) {
        fail(m);
        return;
    }
    if (now >= m->next)
        go_on(m, now);
    if (m->has_lease && now >= m->expiry)
        lose(m, now);
}

int64_t dhcp_machine_deadline(const struct dhcp_machine *m)
{
    return earlier(m->next, earlier(m->give_up, m->has_lease ? m->expiry : DHCP_NEVER));
}

void dhcp_machine_acquire(struct dhcp_machine *m, const struct addr *wanted, int64_t now)
{
    m->wanted = *wanted;
    m->expiry = m->renew = m->rebind = DHCP_NEVER;
    m->give_up = now + ACQUIRE_WAIT;
    select_after(m, 0, now);
}

/* A lease that ran out while nobody looked after it is asked for once more before it is lost. */
void dhcp_machine_resume(struct dhcp_machine *m, const struct dhcp_lease *lease, int64_t age,
                         int64_t now)
{
    begin_lease(m, lease, now - age);
    if (m->expiry != DHCP_NEVER && m->expiry < now + ACQUIRE_WAIT)
        m->expiry = now + ACQUIRE_WAIT;
}
