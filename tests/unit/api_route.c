/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/route.h"

static const char *handled;  /* by which of the handlers below, and … */
static char handled_ref[64]; /* … what its request was about */

static int note(struct request *rq, const char *name)
{
    handled = name;
    snprintf(handled_ref, sizeof handled_ref, "%s", rq->ref ? rq->ref : "-");
    free(rq->ref);
    rq->ref = NULL;
    return 0;
}

static int on_list(struct request *rq, struct weft_error *err _unused_)
{
    return note(rq, "list");
}

static int on_create(struct request *rq, struct weft_error *err _unused_)
{
    return note(rq, "create");
}

static int on_inspect(struct request *rq, struct weft_error *err _unused_)
{
    return note(rq, "inspect");
}

static int on_connect(struct request *rq, struct weft_error *err)
{
    note(rq, "connect");
    return weft_fail(err, WEFT_CONFLICT, "as asked");
}

/* In the place of the program's own. */
const struct route routes[] = {
    {"GET", "/networks", on_list},
    {"POST", "/networks/create", on_create},
    {"GET", "/networks/{ref}", on_inspect},
    {"POST", "/networks/{ref}/connect", on_connect},
    {NULL, NULL, NULL},
};

static void test_match(void **state _unused_)
{
    const char *ref = "";
    size_t len = 0;

    assert_true(route_match("/networks", "/networks", &ref, &len));
    assert_null(ref);
    assert_false(route_match("/networks", "/networks/", &ref, &len));
    assert_false(route_match("/networks", "/network", &ref, &len));

    assert_true(route_match("/networks/{ref}", "/networks/web", &ref, &len));
    assert_int_equal(len, 3);
    assert_memory_equal(ref, "web", 3);
    assert_false(route_match("/networks/{ref}", "/networks/", &ref, &len));
    assert_false(route_match("/networks/{ref}", "/networks", &ref, &len));
    assert_false(route_match("/networks/{ref}", "/networks/web/connect", &ref, &len));

    assert_true(route_match("/exec/{id}/start", "/exec/0a/start", &ref, &len));
    assert_int_equal(len, 2);
    assert_memory_equal(ref, "0a", 2);
    assert_false(route_match("/exec/{id}/start", "/exec/0a/stop", &ref, &len));
    assert_false(route_match("/exec/{id}/start", "/exec//start", &ref, &len));
    assert_false(route_match("/exec/{id}/start", "/exec/0a/start/", &ref, &len));
}

static void expect_version(const char *path, const char *expected)
{
    struct weft_error err = {0};
    const char *rest = route_strip_version(path, &err);

    assert_non_null(rest);
    assert_string_equal(rest, expected);
}

static void expect_bad_version(const char *path, const char *sentence)
{
    struct weft_error err = {0};

    assert_null(route_strip_version(path, &err));
    assert_int_equal(err.code, WEFT_INVALID);
    assert_string_equal(err.text, sentence);
}

static void test_version(void **state _unused_)
{
    expect_version("/networks", "/networks");
    expect_version("/v1.41/networks", "/networks");
    expect_version("/v1.48/networks/v1.2/x", "/networks/v1.2/x");
    expect_version("/version", "/version");
    expect_version("/volumes/x", "/volumes/x");
    expect_version("/v1.41", "/v1.41");
    expect_version("", "");
    expect_bad_version("/v1.40/info",
                       "client version 1.40 is too old. Minimum supported API version is 1.41, "
                       "please upgrade your client to a newer version");
    expect_bad_version("/v1.5/info",
                       "client version 1.5 is too old. Minimum supported API version is 1.41, "
                       "please upgrade your client to a newer version");
    expect_bad_version("/v1.49/info",
                       "client version 1.49 is too new. Maximum supported API version is 1.48");
    expect_bad_version("/v2/info",
                       "client version 2 is too new. Maximum supported API version is 1.48");
    expect_bad_version("/v1.4.1/info",
                       "client version 1.4.1 is too old. Minimum supported API version is 1.41, "
                       "please upgrade your client to a newer version");
}

static int dispatch(const char *method, const char *path, struct weft_error *err)
{
    struct request rq = {.method = method, .path = path};

    handled = NULL;
    return route_dispatch(&rq, err);
}

static void test_dispatch(void **state _unused_)
{
    struct weft_error err = {0};

    assert_int_equal(dispatch("GET", "/v1.45/networks", &err), 0);
    assert_string_equal(handled, "list");
    assert_string_equal(handled_ref, "-");
    assert_int_equal(dispatch("POST", "/networks/create", &err), 0);
    assert_string_equal(handled, "create");
    assert_int_equal(dispatch("GET", "/networks/create", &err), 0);
    assert_string_equal(handled, "inspect");
    assert_string_equal(handled_ref, "create");
    assert_int_equal(dispatch("POST", "/networks/web/connect", &err), -EEXIST);
    assert_string_equal(handled, "connect");
    assert_string_equal(handled_ref, "web");
}

static void test_unknown(void **state _unused_)
{
    struct weft_error err = {0};

    assert_int_equal(dispatch("DELETE", "/networks", &err), -ENOENT);
    assert_null(handled);
    assert_string_equal(err.text, "page not found");
    assert_int_equal(dispatch("GET", "/", &err), -ENOENT);
    assert_int_equal(dispatch("GET", "", &err), -ENOENT);
    assert_int_equal(dispatch("GET", "/imagesque", &err), -ENOENT);
    assert_int_equal(dispatch("POST", "/v1.43/images/create", &err), -EOPNOTSUPP);
    assert_string_equal(err.text, "weft does not serve POST /images/create");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_dispatch),
        cmocka_unit_test(test_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
