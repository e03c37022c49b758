/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Building request targets: "/containers/web/logs?follow=1". */

#include "base/strbuf.h"

/* Appends "/" and each segment, percent-encoded (RFC 3986, section 2.1). */
void url_segments(struct strbuf *url, const char *first, ...) __attribute__((sentinel));
#define url_path(url, ...) url_segments((url), __VA_ARGS__, (char *)NULL)

/* Appends "?key=value", or "&key=value" when there is a query already; value is encoded. */
void url_query(struct strbuf *url, const char *key, const char *value);
