/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "container/container.h"

/* "RTMIN+3", "RTMAX-1", "RTMIN": the range is the C library's to decide. 0 when it is none. */
static int realtime_signal(const char *name)
{
    int64_t offset = 0;
    int base, sign;

    if (strncasecmp(name, "RTMIN", 5) == 0)
        base = SIGRTMIN, sign = 1;
    else if (strncasecmp(name, "RTMAX", 5) == 0)
        base = SIGRTMAX, sign = -1;
    else
        return 0;
    name += 5;
    if (*name && (*name != (sign > 0 ? '+' : '-') ||
                  str_to_i64(name + 1, 0, SIGRTMAX - SIGRTMIN, &offset) < 0))
        return 0;
    return base + sign * (int)offset;
}

static int signal_by_name(const char *name)
{
    if (strncasecmp(name, "SIG", 3) == 0)
        name += 3;
    for (int i = 1; i < SIGRTMIN; i++) {
        const char *known = sigabbrev_np(i);

        if (known && strcasecmp(known, name) == 0)
            return i;
    }
    return realtime_signal(name);
}

int signal_parse(const char *text, int *ret, struct weft_error *err)
{
    int64_t number;
    int signo;

    if (str_to_i64(text, 1, SIGRTMAX, &number) == 0)
        signo = (int)number;
    else
        signo = signal_by_name(text);
    if (signo == 0)
        return weft_fail(err, WEFT_INVALID, "\"%s\" is not a signal", text);
    *ret = signo;
    return 0;
}
