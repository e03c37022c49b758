/* SPDX-License-Identifier: Apache-2.0 */

/* The machine with a clock and a socket. */

#include "dhcp/client.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/str.h"
#include "dhcp/machine.h"
#include "dhcp/port.h"

struct dhcp_client {
    struct dhcp_machine machine;
    struct dhcp_listener listener;
    struct dhcp_lan *lan;
    struct dhcp_port *port;
    uv_timer_t timer;
    char link[IFNAMSIZ];
    bool closed; /* the memory stays until the timer has gone */
};

static int64_t now_ms(struct dhcp_client *c)
{
    uv_update_time(c->lan->loop);
    return (int64_t)uv_now(c->lan->loop);
}

static int client_send(void *sender, const struct dhcp_request *request, struct weft_error *err)
{
    struct dhcp_client *c = sender;
    uint8_t frame[DHCP_FRAME_MAX];
    size_t length = dhcp_encode(&c->machine.who, request, frame);

    return dhcp_port_send(c->port, frame, length, err);
}

static uint32_t client_random(void *sender _unused_)
{
    uint32_t number = 0;

    (void)!getrandom(&number, sizeof number, 0);
    return number;
}

static void client_woken(uv_timer_t *timer);

/* After anything was told to the machine, which may have freed the client. */
static void client_settle(struct dhcp_client *c)
{
    int64_t deadline, now;

    if (c->closed)
        return;
    deadline = dhcp_machine_deadline(&c->machine);
    now = now_ms(c);
    if (deadline == DHCP_NEVER)
        uv_timer_stop(&c->timer);
    else
        uv_timer_start(&c->timer, client_woken, deadline > now ? (uint64_t)(deadline - now) : 0, 0);
}

static void client_woken(uv_timer_t *timer)
{
    struct dhcp_client *c = timer->data;

    dhcp_machine_wake(&c->machine, now_ms(c));
    client_settle(c);
}

static bool client_take(struct dhcp_listener *listener, const struct dhcp_reply *reply)
{
    struct dhcp_client *c =
        (struct dhcp_client *)((char *)listener - offsetof(struct dhcp_client, listener));

    if (reply->xid != c->machine.xid)
        return false;
    dhcp_machine_receive(&c->machine, reply, now_ms(c));
    client_settle(c);
    return true;
}

int dhcp_client_new(struct dhcp_lan *lan, const char *link, const struct dhcp_identity *who,
                    const struct dhcp_client_hooks *hooks, void *arg, struct dhcp_client **ret,
                    struct weft_error *err)
{
    struct dhcp_client *c = calloc(1, sizeof *c);
    int r;

    if (!c)
        return weft_oom(err);
    c->lan = lan;
    c->listener.take = client_take;
    (void)str_copy(c->link, sizeof c->link, link);
    c->machine = (struct dhcp_machine){.who = *who,
                                       .link = c->link,
                                       .hooks = hooks,
                                       .arg = arg,
                                       .send = client_send,
                                       .random = client_random,
                                       .sender = c,
                                       .next = DHCP_NEVER,
                                       .give_up = DHCP_NEVER};
    r = dhcp_port_join(lan, link, &c->listener, &c->port, err);
    if (r < 0) {
        free(c);
        return r;
    }
    uv_timer_init(lan->loop, &c->timer);
    c->timer.data = c;
    *ret = c;
    return 0;
}

void dhcp_client_acquire(struct dhcp_client *c, const struct addr *wanted)
{
    dhcp_machine_acquire(&c->machine, wanted, now_ms(c));
    client_settle(c);
}

void dhcp_client_resume(struct dhcp_client *c, const struct dhcp_lease *lease, int64_t age)
{
    dhcp_machine_resume(&c->machine, lease, age, now_ms(c));
    client_settle(c);
}

static void client_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void dhcp_client_free(struct dhcp_client *c)
{
    if (!c)
        return;
    c->closed = true;
    dhcp_port_leave(c->port, &c->listener);
    uv_close((uv_handle_t *)&c->timer, client_closed);
}
