/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Remembering over a restart how the base ruleset was when weft loaded it: then a start can tell
 * whether somebody changed it meanwhile, and leave it alone if nobody did.
 */

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "engine/state.h"
#include "firewall/firewall.h"

#define SETTING "rules" /* "VERSION MARK" */

/* The ruleset that this weftd has. 0 or -errno. */
static int own_rules(struct fact_nft_base *ret, struct weft_error *err)
{
    _cleanup_fact_set_ struct fact_set facts = {0};

    if (firewall_render_base(&facts) < 0)
        return weft_oom(err);
    *ret = facts.facts[0].base;
    return 0;
}

int rules_recall(struct engine *e, struct weft_error *err)
{
    _cleanup_free_ char *text = NULL;
    struct fact_nft_base base;
    char version[sizeof base.version];
    uint64_t mark;
    int r = own_rules(&base, err);

    if (r == 0)
        r = store_get_setting(e->store, SETTING, &text, err);
    if (r < 0 || !text || sscanf(text, "%23s %" SCNx64, version, &mark) != 2)
        return r;
    if (strcmp(version, base.version) == 0)
        kernel_expect_rules(e->kernel, base.text, mark);
    return 0;
}

void rules_remember(struct engine *e)
{
    uint64_t mark = kernel_rules_mark(e->kernel);
    struct weft_error err = {0};
    struct fact_nft_base base;
    char text[sizeof base.version + 20];

    if (mark == 0)
        return;
    if (own_rules(&base, &err) == 0) {
        (void)snprintf(text, sizeof text, "%s %" PRIx64, base.version, mark);
        (void)store_put_setting(e->store, SETTING, text, &err);
    }
    if (*err.text)
        log_warning("the next start will load the ruleset again: %s", err.text);
}
