/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A host of the program's own, for the kernel layer against a real kernel: network and mount
 * namespaces, which need root. To be included behind cmocka.h.
 */

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "kernel/kernel.h"
#include "kernel_facts.h"

#define SKIPPED 77 /* to meson */

static struct kernel *k;
static struct weft_error err;

static const struct kstate_ns *const known[] = {&web, &db, &pinned};

static inline void diff(struct fact_set *before, struct fact_set *after, struct plan *plan)
{
    fact_set_own(before);
    assert_int_equal(plan_diff(before, after, plan), 0);
}

static inline void ok(int r)
{
    if (r < 0)
        fail_msg("%s", err.text);
}

static inline void change(struct fact_set *before, struct fact_set *after)
{
    _cleanup_plan_ struct plan plan = {0};

    diff(before, after, &plan);
    ok(kernel_apply(k, &plan, &err));
}

static inline void observe(const struct fact_set *desired, struct fact_set *ret)
{
    ok(kernel_observe(k, known, ARRAY_SIZE(known), desired, ret, &err));
}

static inline char *snapshot(const struct fact_set *desired)
{
    _cleanup_fact_set_ struct fact_set seen = {0};
    _cleanup_strbuf_ struct strbuf text = {0};

    observe(desired, &seen);
    fact_set_print(&seen, &text);
    return strbuf_take(&text);
}

static inline void assert_same_snapshot(const struct fact_set *desired, const char *before)
{
    _cleanup_free_ char *now = snapshot(desired);

    assert_string_equal(now, before);
}

/* The kernel has all of it, and nothing of weft's besides. */
static inline void assert_holds(struct fact_set *desired)
{
    _cleanup_fact_set_ struct fact_set seen = {0};
    _cleanup_plan_ struct plan plan = {0};
    _cleanup_strbuf_ struct strbuf text = {0};

    observe(desired, &seen);
    assert_int_equal(plan_diff(&seen, desired, &plan), 0);
    plan_explain(&plan, &text);
    assert_string_equal(strbuf_text(&text), "");
}

/* Observes, and mends what is wrong; returns how many operations it took. */
static inline size_t mend(struct fact_set *desired)
{
    _cleanup_fact_set_ struct fact_set seen = {0};
    _cleanup_plan_ struct plan plan = {0};

    observe(desired, &seen);
    assert_int_equal(plan_diff(&seen, desired, &plan), 0);
    ok(kernel_apply(k, &plan, &err));
    assert_holds(desired);
    return plan.count;
}

static inline void run(const char *command)
{
    if (system(command) != 0)
        fail_msg("%s", command);
}

/* What a command prints. */
static inline char *output(const char *command)
{
    FILE *f = popen(command, "re");
    _cleanup_strbuf_ struct strbuf text = {0};
    char line[512];

    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        strbuf_puts(&text, line);
    pclose(f);
    return strbuf_take(&text);
}

static inline int set_up(void **state)
{
    (void)state;
    ok(kernel_open(&k, &err));
    return 0;
}

/* Heals to nothing: every test leaves the host as it was. */
static inline int tear_down(void **state)
{
    _cleanup_fact_set_ struct fact_set seen = {0}, none = {0};
    _cleanup_plan_ struct plan plan = {0};

    (void)state;
    kernel_set_fault(k, KERNEL_FAULT_NONE, 0);
    observe(&none, &seen);
    assert_int_equal(plan_diff(&seen, &none, &plan), 0);
    assert_int_equal(kernel_apply_lenient(k, &plan), 0);
    assert_holds(&none);
    run("echo 0 >/proc/sys/net/ipv4/ip_forward");
    kernel_close(k);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Once a program, before its tests; false if this is not to be had here. */
static inline bool make_host(void)
{
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        perror("cannot make a host to test on");
        return false;
    }
    if (mount("test", "/run", "tmpfs", 0, NULL) < 0 || dir_make(BASE_DIR, 0755, &err) < 0) {
        perror("cannot prepare " BASE_DIR);
        return false;
    }
    log_set_level(LOG_LEVEL_ERROR);
    return true;
}
