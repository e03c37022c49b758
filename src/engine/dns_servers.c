/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The host's servers: what /etc/resolv.conf says, and word of every change to it.
 *
 * Where systemd-resolved's stub is all that it names, the servers behind the stub are taken from
 * the file that resolved keeps for such needs (systemd-resolved.service(8)): containers cannot
 * reach the stub, and what it would do is done here.
 *
 * The file is mostly replaced, not written, and often a symbolic link, or a chain of them. So what
 * is watched are directories: that of every link on the way, and that of the file. Of a directory
 * that does not exist, the nearest one above it that does. The file itself is watched too: where it
 * is a bind mount, what is written to it is not seen in the directory.
 */

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "engine/dns.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLVED_CONF "/run/systemd/resolve/resolv.conf"
#define FILE_MAX (1 << 20)
#define LINKS_MAX 8
#define WATCHES_MAX (2 * (LINKS_MAX + 2))
#define SETTLE_MS 20

/* ---- resolv.conf(5) ---- */

void resolv_conf_clear(struct resolv_conf *conf)
{
    strv_free(conf->search);
    strv_free(conf->options);
    *conf = (struct resolv_conf){0};
}

/* A link's number or name behind the address. */
static uint32_t parse_scope(const char *text)
{
    int64_t number;

    if (str_to_i64(text, 1, UINT32_MAX, &number) == 0)
        return (uint32_t)number;
    return if_nametoindex(text);
}

static void add_server(struct resolv_conf *conf, const char *word)
{
    struct dns_server *server = &conf->servers[conf->count];
    char text[SERVER_TEXT_MAX];
    char *scope;

    if (conf->count == HOST_SERVERS_MAX || str_copy(text, sizeof text, word) < 0)
        return;
    scope = strchr(text, '%');
    if (scope)
        *scope++ = '\0';
    if (addr_parse(text, &server->addr, NULL) < 0)
        return;
    server->scope = scope ? parse_scope(scope) : 0;
    (void)str_copy(conf->texts[conf->count++], SERVER_TEXT_MAX, word);
}

static int add_words(strv *list, char *rest)
{
    int r = 0;

    for (char *word = strtok_r(NULL, " \t", &rest); r == 0 && word;
         word = strtok_r(NULL, " \t", &rest))
        r = strv_add(list, word);
    return r;
}

static int parse_line(char *line, struct resolv_conf *conf)
{
    char *rest = NULL, *word = strtok_r(line, " \t", &rest);

    if (!word || *word == '#' || *word == ';')
        return 0;
    if (strcmp(word, "nameserver") == 0) {
        word = strtok_r(NULL, " \t", &rest);
        if (word)
            add_server(conf, word);
        return 0;
    }
    if (strcmp(word, "options") == 0)
        return add_words(&conf->options, rest);
    if (strcmp(word, "search") != 0 && strcmp(word, "domain") != 0)
        return 0;
    /* The last of them counts. */
    strv_free(TAKE_PTR(conf->search));
    return add_words(&conf->search, rest);
}

int resolv_conf_parse(const char *text, struct resolv_conf *ret)
{
    _cleanup_free_ char *copy = strdup(text);
    char *rest = NULL;
    int r = copy ? 0 : -ENOMEM;

    for (char *line = r < 0 ? NULL : strtok_r(copy, "\r\n", &rest); r == 0 && line;
         line = strtok_r(NULL, "\r\n", &rest))
        r = parse_line(line, ret);
    return r;
}

static bool is_stub(const struct resolv_conf *conf)
{
    for (size_t i = 0; i < conf->count; i++)
        if (strcmp(conf->texts[i], "127.0.0.53") != 0 && strcmp(conf->texts[i], "127.0.0.54") != 0)
            return false;
    return conf->count > 0;
}

static int read_conf(const char *path, struct resolv_conf *ret)
{
    _cleanup_free_ char *text = NULL;
    int r = file_read(path, FILE_MAX, &text, NULL, NULL);

    if (r < 0)
        return r == -ENOMEM ? r : 0;
    return resolv_conf_parse(text, ret);
}

int resolv_conf_read(struct resolv_conf *ret)
{
    _cleanup_resolv_conf_ struct resolv_conf behind = {0};
    int r = read_conf(RESOLV_CONF, ret);

    if (r < 0 || !is_stub(ret))
        return r;
    r = read_conf(RESOLVED_CONF, &behind);
    if (r < 0 || behind.count == 0)
        return r;
    resolv_conf_clear(ret);
    *ret = TAKE_GENERIC(behind, (struct resolv_conf){0});
    return 0;
}

/* ---- watching ---- */

struct watched {
    uv_fs_event_t event;
    struct dns_watch *watch;
    char *name; /* in the directory */
};

struct dns_watch {
    struct engine *engine;
    void (*changed)(struct engine *e);
    struct watched *watched[WATCHES_MAX];
    size_t count;
    uv_timer_t *settle;
    char *known; /* what the files said when last looked at */
};

static void watched_closed(uv_handle_t *handle)
{
    struct watched *w = handle->data;

    free(w->name);
    free(w);
}

static void settled(uv_timer_t *timer);

static void noticed(uv_fs_event_t *event, const char *name, int events _unused_,
                    int status _unused_)
{
    const struct watched *w = event->data;

    if (!name || strcmp(name, w->name) == 0)
        uv_timer_start(w->watch->settle, settled, SETTLE_MS, 0);
}

/* path: a directory, or a file. */
static void watch_one(struct dns_watch *watch, const char *path, const char *name)
{
    struct watched *w = watch->count < WATCHES_MAX ? calloc(1, sizeof *w) : NULL;

    if (!w)
        return;
    w->watch = watch;
    w->name = strdup(name);
    uv_fs_event_init(watch->engine->loop, &w->event);
    w->event.data = w;
    if (!w->name || uv_fs_event_start(&w->event, noticed, path, 0) < 0) {
        uv_close((uv_handle_t *)&w->event, watched_closed);
        return;
    }
    watch->watched[watch->count++] = w;
}

/* Cuts the last name off a path; what is left is never empty. */
static const char *cut_name(char *path)
{
    char *slash = strrchr(path, '/');

    if (slash == path) { /* the root stays */
        memmove(path + 1, path, strlen(path) + 1);
        slash++;
    }
    *slash = '\0';
    return slash + 1;
}

/* The place where a path's last name is, or would be. */
static void watch_place(struct dns_watch *watch, const char *path)
{
    char dir[PATH_MAX + 2];
    const char *name;
    struct stat st;

    if (str_copy(dir, PATH_MAX, path) < 0)
        return;
    name = cut_name(dir);
    while (stat(dir, &st) < 0 && strcmp(dir, "/") != 0)
        name = cut_name(dir);
    watch_one(watch, dir, name);
}

/* Where a symbolic link leads, in its own place; false: it is none. */
static bool follow_link(char path[static PATH_MAX])
{
    char target[PATH_MAX], dir[PATH_MAX + 2];
    ssize_t n = readlink(path, target, sizeof target - 1);
    int length;

    if (n < 0)
        return false;
    target[n] = '\0';
    if (*target == '/')
        return str_copy(path, PATH_MAX, target) == 0;
    (void)str_copy(dir, PATH_MAX, path);
    (void)cut_name(dir);
    length = snprintf(path, PATH_MAX, "%.2000s/%.2000s", dir, target);
    return length < PATH_MAX;
}

static void watch_path(struct dns_watch *watch, const char *file)
{
    char path[PATH_MAX];
    int links = 0;

    (void)str_copy(path, sizeof path, file);
    do
        watch_place(watch, path);
    while (++links < LINKS_MAX && follow_link(path));
    watch_one(watch, path, strrchr(path, '/') + 1);
}

static void unwatch_all(struct dns_watch *watch)
{
    while (watch->count > 0)
        uv_close((uv_handle_t *)&watch->watched[--watch->count]->event, watched_closed);
}

/* Everything of the files that matters, to be compared. */
static char *look(void)
{
    _cleanup_resolv_conf_ struct resolv_conf conf = {0};
    _cleanup_strbuf_ struct strbuf out = {0};

    if (resolv_conf_read(&conf) < 0)
        return NULL;
    for (size_t i = 0; i < conf.count; i++)
        strbuf_printf(&out, "%s%s%%%u", i ? ", " : "", conf.texts[i], conf.servers[i].scope);
    for (char **word = conf.search; word && *word; word++)
        strbuf_printf(&out, " search %s", *word);
    for (char **word = conf.options; word && *word; word++)
        strbuf_printf(&out, " option %s", *word);
    return strbuf_take(&out);
}

/* What is watched depends on what is there, so it is looked at after the watches are set. */
static void settled(uv_timer_t *timer)
{
    struct dns_watch *watch = timer->data;
    char *now;

    unwatch_all(watch);
    watch_path(watch, RESOLV_CONF);
    watch_path(watch, RESOLVED_CONF);
    now = look();
    if (!now || str_equal(now, watch->known)) {
        free(now);
        return;
    }
    free(watch->known);
    watch->known = now;
    watch->changed(watch->engine);
}

int dns_watch_start(struct engine *e, void (*changed)(struct engine *e), struct dns_watch **ret,
                    struct weft_error *err)
{
    struct dns_watch *watch = calloc(1, sizeof *watch);

    if (!watch)
        return weft_oom(err);
    watch->engine = e;
    watch->changed = changed;
    watch->settle = calloc(1, sizeof *watch->settle);
    if (!watch->settle) {
        free(watch);
        return weft_oom(err);
    }
    uv_timer_init(e->loop, watch->settle);
    watch->settle->data = watch;
    watch_path(watch, RESOLV_CONF);
    watch_path(watch, RESOLVED_CONF);
    watch->known = look();
    *ret = watch;
    return 0;
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle);
}

void dns_watch_stop(struct dns_watch *watch)
{
    if (!watch)
        return;
    unwatch_all(watch);
    uv_close((uv_handle_t *)watch->settle, timer_closed);
    free(watch->known);
    free(watch);
}
