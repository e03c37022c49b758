/* SPDX-License-Identifier: Apache-2.0 */

/* Network namespaces of a real kernel: made, pinned, told apart, swept and left again. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel_host.h"

static void test_a_namespace_of_somebody_else_is_pinned(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};
    struct netns_identity theirs, ours, host;

    (void)state;
    run("touch " BASE_DIR "/theirs && unshare --net=" BASE_DIR "/theirs true");
    network_facts(&all);
    add(&all, (struct fact){.kind = FACT_NETNS, .ns = &pinned});
    add_veth(&all, &pinned, "vethpin", "02:00:00:00:00:04", 1400);
    change(&none, &all);
    assert_holds(&all);
    ok(kernel_netns_identify(pinned.origin, &theirs, &err));
    ok(kernel_netns_identify(pinned.path, &ours, &err));
    ok(kernel_netns_identify_host(k, &host, &err));
    assert_memory_equal(&theirs, &ours, sizeof ours);
    assert_memory_not_equal(&theirs, &host, sizeof host);
    change(&all, &none);
    ok(kernel_netns_identify(pinned.origin, &theirs, &err));
    run("umount " BASE_DIR "/theirs && rm " BASE_DIR "/theirs");

    assert_int_equal(kernel_netns_identify(pinned.path, &ours, &err), -ENOENT);
    assert_int_equal(err.code, WEFT_NOT_FOUND);
    assert_true(kernel_netns_identify("/etc/passwd", &ours, &err) < 0);
    assert_int_equal(err.code, WEFT_INVALID);
    assert_true(kernel_netns_identify("/proc/self/ns/mnt", &ours, &err) < 0);
    assert_int_equal(err.code, WEFT_INVALID);
}

static void test_sweeping_keeps_what_is_kept(void **state)
{
    static const struct kstate_ns *const keep[] = {&db};
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};
    struct netns_identity id;

    (void)state;
    add(&all, (struct fact){.kind = FACT_NETNS, .ns = &web});
    add(&all, (struct fact){.kind = FACT_NETNS, .ns = &db});
    change(&none, &all);
    run("touch " NETNS_DIR "/stale");
    run("mount --bind " NETNS_DIR "/web " NETNS_DIR "/web"); /* one mount on another */
    ok(kernel_netns_sweep(NETNS_DIR, keep, ARRAY_SIZE(keep), &err));
    assert_int_not_equal(access(web.path, F_OK), 0);
    assert_int_not_equal(access(NETNS_DIR "/stale", F_OK), 0);
    ok(kernel_netns_identify(db.path, &id, &err));
    ok(kernel_netns_sweep(BASE_DIR "/nowhere", keep, ARRAY_SIZE(keep), &err));
}

static void test_a_namespace_is_made_once(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};
    _cleanup_plan_ struct plan plan = {0};

    (void)state;
    run("mkdir -p " NETNS_DIR " && touch " NETNS_DIR "/web"); /* of a crash before the mount */
    add(&all, (struct fact){.kind = FACT_NETNS, .ns = &web});
    diff(&none, &all, &plan);
    ok(kernel_apply(k, &plan, &err));
    assert_holds(&all);
    assert_int_equal(kernel_apply(k, &plan, &err), -EEXIST);
    assert_holds(&all);
}

static void test_the_thread_comes_back_to_the_host(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0}, seen = {0};
    struct stat before, after;

    (void)state;
    assert_int_equal(stat("/proc/thread-self/ns/net", &before), 0);
    network_facts(&all);
    endpoint_facts(&all);
    change(&none, &all);
    observe(&all, &seen);
    assert_int_equal(stat("/proc/thread-self/ns/net", &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_namespace_of_somebody_else_is_pinned),
        TEST(test_sweeping_keeps_what_is_kept),
        TEST(test_a_namespace_is_made_once),
        TEST(test_the_thread_comes_back_to_the_host),
    };

    return make_host() ? cmocka_run_group_tests(tests, NULL, NULL) : SKIPPED;
}
