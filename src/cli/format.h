/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * --format: a small part of Go's text/template, over JSON.
 *
 *     literal text
 *     {{.A.B}}  {{.}}  {{$}}  {{$v.A}}  {{"text"}}      values; . is the current one, $ the first
 *     {{json X}}  {{index X "key" 0}}  {{len X}}  {{println X Y}}
 *     {{(index .A "key").B}}                            an expression in brackets
 *     {{range X}}…{{end}}  {{range $k, $v := X}}…{{end}}
 *
 * Fields match the JSON's keys, else ignoring case (docker's templates say .ID for "Id"). A field
 * that is not there is an error; an index that is not there in an object prints nothing. Anything
 * else of Go's language is refused by name.
 */

#include <jansson.h>

#include "base/error.h"
#include "base/strbuf.h"

/* Appends what the template makes of value. 0, -EINVAL (err says where it fails), -ENOMEM. */
int format_render(const char *template, const json_t *value, struct strbuf *out,
                  struct weft_error *err);

/* docker's lists take the two characters \t and \n for a tab and a newline. A copy with those
 * replaced, for the caller to free; NULL when memory ran out. */
char *format_unescape(const char *template);
