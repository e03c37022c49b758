/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Errands to plugins: what outside_remote.c (network drivers) and outside_remote_ipam.c (IPAM
 * drivers) have in common. Private to these.
 *
 * An errand is a script: steps, each a method of the plugin that is called with what the step puts
 * together and whose answer the step heeds, until it has nothing to ask any more. Asking ends at
 * the first failure. Telling (letters, written before the first is sent) goes on, for the rest may
 * still be told; unless nobody is there.
 */

#include "engine/outside.h"
#include "plugin/plugin.h"

#define NETWORK_DRIVER "NetworkDriver"
#define IPAM_DRIVER "IpamDriver"

/* What a plugin said of itself. */
struct remote_plugin {
    struct remote_plugin *next;
    char *name;
    bool driver_known, ipam_known; /* it was asked */
    bool global;                   /* driver: what it gives is one for many hosts */
    bool checks_gateways;          /* driver: it is asked whether networks need gateways */
    bool requires_mac;             /* IPAM: it wants to know for whom it gives an address */
    bool requires_replay;          /* IPAM: it remembers nothing itself */
    uint64_t missed; /* when it could not be told of something, in ms of the loop; 0: it could */
};
/* NULL when memory ran out. */
struct remote_plugin *remote_plugin(struct engine *e, const char *name);

struct remote_run;
struct remote_step {
    const char *subsystem; /* NULL: the script's */
    const char *method;    /* NULL: of the letter */
    /* A plugin that does not know the method (lenient: or refuses) is passed over; what is heeded
     * then is NULL. */
    bool optional, lenient;
    /* Puts together what to send (*ret NULL: nothing, else the run's). 1: to be sent; 0: there is
     * nothing to ask, or no more; -errno. */
    int (*ask)(struct remote_run *run, json_t **ret, struct weft_error *err);
    /* 0, and it is asked again if `again`; or -errno with what is wrong with the answer. May be
     * NULL. */
    int (*heed)(struct remote_run *run, const json_t *answer, struct weft_error *err);
    bool again;
};
struct remote_script {
    const char *subsystem;
    const struct remote_step *steps;
    size_t count;
};
struct remote_run {
    struct remote_run *next;
    struct errand *er;
    const struct remote_script *script;
    size_t step;
    size_t round;    /* the step's own; 0 when it begins */
    json_t *letters; /* to be told: [{"Method", "Body", "Optional"}]; or the script's own */
    bool telling;
    bool skip4, skip6; /* the driver wants no gateway */
    struct plugin_call *call;
    int result; /* telling: the first failure */
    struct weft_error err;
};

/* Runs the script; then errand_done. */
void remote_ask(struct errand *er, const struct remote_script *script);
/* Sends the letters, which are taken (NULL: memory ran out). */
void remote_tell(struct errand *er, const char *subsystem, json_t *letters);
/* Adds one; body is taken. */
int remote_write(json_t *letters, const char *method, json_t *body, bool optional);
/* Sends one to a plugin, and does not wait: what fails is logged. body is taken. */
void remote_notify(struct engine *e, const char *plugin, const char *subsystem, const char *method,
                   json_t *body);
/* weftd ends. */
void remote_stop(struct engine *e);

/* The object under key in *holder, which is made where it is missing; borrowed. NULL when memory
 * ran out. */
json_t *remote_state(json_t **holder, const char *key);

/* {"NetworkID", "EndpointID"} */
json_t *remote_endpoint_body(const struct endpoint *ep);

/* Steps for both. */
int remote_ask_driver_capabilities(struct remote_run *run, json_t **ret, struct weft_error *err);
int remote_heed_driver_capabilities(struct remote_run *run, const json_t *answer,
                                    struct weft_error *err);
/* remote_endpoint.c: what is answered to CreateEndpoint and Join goes into the errand. */
int remote_heed_create_endpoint(struct remote_run *run, const json_t *answer,
                                struct weft_error *err);
int remote_heed_join(struct remote_run *run, const json_t *answer, struct weft_error *err);

/* An address with its length: "10.0.0.1/24". *ret is untouched when there is none. */
int remote_parse_cidr(const json_t *answer, const char *key, int family, struct prefix *ret,
                      struct weft_error *err);
/* Options of CreateNetwork. New reference. */
json_t *remote_network_options(const struct network *net);
