/* SPDX-License-Identifier: Apache-2.0 */

/* What plugins answer, which is to be believed in nothing. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "plugin/plugin.h"

#define WORDS_MAX 300 /* bytes of what a plugin says that go into a sentence */

/* Length of the UTF-8 sequence at s, 0 if there is none (RFC 3629). */
static size_t sequence(const unsigned char *s, size_t left)
{
    size_t len = s[0] < 0x80       ? 1
                 : s[0] >> 5 == 6  ? 2
                 : s[0] >> 4 == 14 ? 3
                 : s[0] >> 3 == 30 ? 4
                                   : 0;

    if (len == 0 || len > left)
        return 0;
    for (size_t i = 1; i < len; i++)
        if (s[i] >> 6 != 2)
            return 0;
    return len;
}

/* A plugin's words as one line of clean text: sentences go into logs, terminals and JSON. */
static const char *clean(const char *text, size_t length, char buf[static WORDS_MAX + 1])
{
    size_t out = 0;

    for (size_t in = 0, len; in < length; in += len) {
        len = sequence((const unsigned char *)text + in, length - in);
        if (out + (len ? len : 1) > WORDS_MAX)
            break;
        if (len > 1) {
            memcpy(buf + out, text + in, len);
            out += len;
        } else {
            buf[out++] = len && text[in] >= ' ' && text[in] != 0x7f ? text[in] : len ? ' ' : '?';
            len = 1;
        }
    }
    while (out > 0 && buf[out - 1] == ' ')
        out--;
    buf[out] = '\0';
    return buf;
}
#define clean_text(text, length) clean((text), (length), (char[WORDS_MAX + 1]){0})

/* What it says is wrong: NULL if it says nothing. Network drivers spell it Err, IPAM drivers
 * Error; some say it as an object of their own. */
static const json_t *reported(const json_t *answer)
{
    static const char *const keys[] = {"Err", "Error"};

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        const json_t *value = json_object_get(answer, keys[i]);

        if (value && !json_is_null(value) && json_string_length(value) + !json_is_string(value))
            return value;
    }
    return NULL;
}

static int fail_reported(const json_t *value, struct weft_error *err)
{
    _cleanup_free_ char *text = NULL;

    if (json_is_string(value))
        return weft_fail(err, WEFT_INTERNAL, "%s",
                         clean_text(json_string_value(value), json_string_length(value)));
    text = json_text(value);
    return weft_fail(err, WEFT_INTERNAL, "%s",
                     text ? clean_text(text, strlen(text)) : "out of memory");
}

static int fail_status(long status, const char *body, size_t length, struct weft_error *err)
{
    const char *words = clean_text(body, length);

    if (status == 404)
        return weft_fail(err, WEFT_UNSUPPORTED, "the plugin does not know this method%s%s",
                         *words ? ": " : "", words);
    return weft_fail(err, WEFT_INTERNAL, "HTTP status %ld%s%s", status, *words ? ": " : "", words);
}

int plugin_parse_answer(long status, const char *body, size_t length, json_t **ret,
                        struct weft_error *err)
{
    _cleanup_json_ json_t *answer = NULL;
    struct weft_error reason;
    bool empty = length == strspn(body, " \t\r\n");
    int r = empty ? 0 : json_parse(body, length, &answer, &reason);

    if (r == 0 && json_is_object(answer) && reported(answer) && status != 404)
        return fail_reported(reported(answer), err);
    if (status != 200)
        return fail_status(status, body, length, err);
    if (r == -ENOMEM)
        return weft_oom(err);
    if (r < 0)
        return weft_fail(err, WEFT_INTERNAL, "the answer is %s: %s", reason.text,
                         clean_text(body, length));
    if (empty)
        answer = json_object();
    if (empty && !answer)
        return weft_oom(err);
    if (!json_is_object(answer))
        return weft_fail(err, WEFT_INTERNAL, "the answer is no JSON object: %s",
                         clean_text(body, length));
    *ret = TAKE_PTR(answer);
    return 0;
}
