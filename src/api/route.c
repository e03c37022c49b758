/* SPDX-License-Identifier: Apache-2.0 */
#include "api/route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/reply.h"

bool route_match(const char *pattern, const char *path, const char **ret, size_t *ret_len)
{
    const char *open = strchr(pattern, '{');
    size_t before = open ? (size_t)(open - pattern) : strlen(pattern);
    size_t length;

    if (!open) {
        *ret = NULL;
        return strcmp(pattern, path) == 0;
    }
    if (strncmp(pattern, path, before) != 0)
        return false;
    length = strcspn(path + before, "/");
    if (length == 0 || strcmp(strchr(open, '}') + 1, path + before + length) != 0)
        return false;
    *ret = path + before;
    *ret_len = length;
    return true;
}

/* "MAJOR.MINOR" as one number that can be compared; a missing minor is 0. −1: not a version. */
static int64_t parse_version(const char *text)
{
    int64_t parts[2] = {0, 0};
    char copy[16], *dot;

    if (str_copy(copy, sizeof copy, text) < 0)
        return -1;
    dot = strchr(copy, '.');
    if (dot)
        *dot++ = '\0';
    if (str_to_i64(copy, 0, 9999, &parts[0]) < 0 ||
        (dot && str_to_i64(dot, 0, 9999, &parts[1]) < 0))
        return -1;
    return parts[0] * 10000 + parts[1];
}

const char *route_strip_version(const char *path, struct weft_error *err)
{
    const char *rest = str_starts_with(path, "/v") ? strchr(path + 2, '/') : NULL;
    char version[16];
    int64_t number;

    if (!rest || strspn(path + 2, "0123456789.") != (size_t)(rest - path - 2))
        return path;
    snprintf(version, sizeof version, "%.*s", (int)(rest - path - 2), path + 2);
    number = parse_version(version);
    if (number < parse_version(API_VERSION_MIN)) {
        weft_fail(err, WEFT_INVALID,
                  "client version %s is too old. Minimum supported API version is %s, please "
                  "upgrade your client to a newer version",
                  version, API_VERSION_MIN);
        return NULL;
    }
    if (number > parse_version(API_VERSION)) {
        weft_fail(err, WEFT_INVALID,
                  "client version %s is too new. Maximum supported API version is %s", version,
                  API_VERSION);
        return NULL;
    }
    return rest;
}

/* Docker serves more than networks and containers: a client should learn that weft does not, rather
 * than wonder about a wrong path. */
static int fail_unknown(const char *method, const char *path, struct weft_error *err)
{
    static const char *const resources[] = {
        "auth",   "build",  "commit",  "configs", "distribution", "grpc",
        "images", "nodes",  "plugins", "secrets", "services",     "session",
        "swarm",  "system", "tasks",   "volumes", "containers",
    };
    size_t length = *path == '/' ? strcspn(path + 1, "/") : 0;

    for (size_t i = 0; i < ARRAY_SIZE(resources); i++)
        if (strlen(resources[i]) == length && strncmp(path + 1, resources[i], length) == 0)
            return weft_fail(err, WEFT_UNSUPPORTED, "weft does not serve %s %s", method, path);
    return weft_fail(err, WEFT_NOT_FOUND, "page not found");
}

int route_dispatch(struct request *rq, struct weft_error *err)
{
    const char *path = route_strip_version(rq->path, err);
    const char *ref;
    size_t length;

    if (!path)
        return -EINVAL;
    for (const struct route *r = routes; r->method; r++) {
        if (strcmp(r->method, rq->method) != 0 || !route_match(r->pattern, path, &ref, &length))
            continue;
        if (ref && !(rq->ref = strndup(ref, length)))
            return weft_oom(err);
        return r->handle(rq, err);
    }
    return fail_unknown(rq->method, path, err);
}
