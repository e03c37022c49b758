/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A large change needs much memory for a moment: the request, facts before and after, the plan, the
 * answer. The large arrays are mappings of their own, which go back to the system when they are
 * freed; the C library would stop making them so after it has seen some. Of the small parts, what
 * is allocated meanwhile and stays lies above the rest, so the library would keep that. It is told
 * to give it back once the answer is out.
 */

#include <malloc.h>
#include <stdlib.h>

#include "engine/state.h"

#define TRIM_DELAY_MS 100
#define MAPPING_BYTES (128 * 1024) /* the library's own default, fixed */
#define LARGE_CHANGE 256           /* operations: about half a megabyte */

void memory_start(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, MAPPING_BYTES);
}

static void trim(uv_timer_t *timer _unused_)
{
    malloc_trim(0);
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle);
}

void memory_settle(struct engine *e, size_t operations)
{
    if (operations < LARGE_CHANGE)
        return;
    if (!e->trim) {
        e->trim = malloc(sizeof *e->trim);
        if (!e->trim)
            return;
        uv_timer_init(e->loop, e->trim);
    }
    if (!uv_is_active((uv_handle_t *)e->trim))
        uv_timer_start(e->trim, trim, TRIM_DELAY_MS, 0);
}

void memory_stop(struct engine *e)
{
    if (e->trim)
        uv_close((uv_handle_t *)TAKE_PTR(e->trim), timer_closed);
}
