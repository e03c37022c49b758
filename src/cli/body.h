/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Building requests. The body_… functions add a member to *object if there is something to add:
 * NULL, empty and false are the daemon's defaults already. When memory runs out they free *object
 * and set it to NULL, and do nothing on a NULL object, so that callers check once, at the end.
 */

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "cli/options.h"
#include "client/client.h"

/* Any value; steals it. NULL means that memory ran out. */
void body_add(json_t **object, const char *key, json_t *value);
/* The same for an object or array, dropping it when it is empty. */
void body_filled(json_t **object, const char *key, json_t *value);
/* text may be "" (which is sent) or NULL (which is not). */
void body_string(json_t **object, const char *key, const char *text);
void body_flag(json_t **object, const char *key, bool on);
void body_switch(json_t **object, const char *key, enum option_switch value);
void body_number(json_t **object, const char *key, const struct option_number *number);
void body_list(json_t **object, const char *key, strv list);
/* The pairs of --option as an object of strings. 0, -EINVAL, -ENOMEM. */
int body_pairs(json_t **object, const char *key, const char *option, strv pairs, bool needs_value,
               struct weft_error *err);

/* Adds "filters", docker's {"key":{"value":true}}, for the pairs of --filter. 0, -EINVAL, -ENOMEM.
 */
int url_filters(struct strbuf *url, strv filters, struct weft_error *err);

/* Sends a change. With dry_run asks what it would do instead, prints that and leaves *ret as it is.
 * ret may be NULL. */
int send_change(struct client *daemon, const char *method, struct strbuf *url, const json_t *body,
                bool dry_run, json_t **ret, struct weft_error *err);
