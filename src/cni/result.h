/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What CNI plugins print (CNI specification 0.4.0, 1.0.0 and 1.1.0, section 5): results of ADD and
 * VERSION, and errors. Pure: no I/O.
 */

#include <jansson.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "cni/config.h"

struct cni_route {
    struct prefix destination;
    struct addr via; /* none: on the link itself */
};

/* What an attachment has: the parts of a result that are about its interface in the container. */
struct cni_result {
    json_t *doc;              /* the whole, as it was printed */
    struct prefix ipv4, ipv6; /* the first of each family, with host bits; none: none */
    /* Where the default route of a family leads; none: there is no such route. */
    struct addr gateway4, gateway6;
    struct cni_route *routes; /* beside the default routes */
    size_t route_count;
    struct mac mac;                      /* zero: not said */
    uint32_t mtu;                        /* bytes; 0: not said */
    strv nameservers, searches, options; /* dns; domain is the first of searches */
};

/* Parses the length bytes that ADD printed for the interface ifname. Refuses what is not a result
 * of a version that weft speaks: the sentence says what is wrong in it. 0 or -errno. */
int cni_result_parse(const char *text, size_t length, const char *ifname, struct cni_result **ret,
                     struct weft_error *err);
void cni_result_free(struct cni_result *result);
DEFINE_CLEANUP(struct cni_result *, cni_result_free)
#define _cleanup_cni_result_ _cleanup_(cni_result_free_p)

/* Parses what VERSION printed: bits of enum cni_version. 0 or -errno. */
int cni_versions_parse(const char *text, size_t length, unsigned *ret, struct weft_error *err);

/* How a plugin that was not content ended, and what it printed. */
struct cni_failure {
    int status, signo; /* signo 0: it exited by itself */
    const char *out, *err;
    size_t out_length;
};
/* The sentence about it: code, msg and details of the error object, or else how it ended and the
 * last line that it wrote. Returns -errno. Network configurations that are wrong are WEFT_INVALID,
 * what may work later (11, 50, 51) WEFT_EXHAUSTED. */
int cni_failure(const struct cni_failure *failure, struct weft_error *err);
