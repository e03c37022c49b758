/* SPDX-License-Identifier: Apache-2.0 */

/* Where plugins are found. */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/file.h"
#include "base/json.h"
#include "plugin/plugin.h"

#define SOCKET_DIR "/run/docker/plugins"
#define FILE_MAX 65536 /* bytes */
/* What Unix sockets are asked for: the name goes nowhere. */
#define LOCAL_URL "http://plugin.localhost"

static const char *const file_dirs[] = {"/etc/docker/plugins", "/usr/lib/docker/plugins"};

void plugin_address_clear(struct plugin_address *address)
{
    free(address->socket);
    free(address->url);
    free(address->ca);
    free(address->cert);
    free(address->key);
    memset(address, 0, sizeof *address);
}

/* ---- addresses ---- */

static int set_socket(struct plugin_address *ret, const char *path, struct weft_error *err)
{
    if (path[0] != '/')
        return weft_fail(err, WEFT_INVALID, "the socket's path \"%s\" must be absolute", path);
    if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return weft_fail(err, WEFT_INVALID, "the socket's path %s is too long", path);
    ret->socket = strdup(path);
    ret->url = strdup(LOCAL_URL);
    return ret->socket && ret->url ? 0 : weft_oom(err);
}

/* Host and port, up to the path, which is not the plugin's to choose. */
static int set_host(struct plugin_address *ret, const char *scheme, const char *rest,
                    struct weft_error *err)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]%";
    size_t len = strcspn(rest, "/");

    if (len == 0 || strspn(rest, letters) < len)
        return weft_fail(err, WEFT_INVALID, "\"%s\" has no host and port that make sense", rest);
    ret->url = str_printf("%s://%.*s", scheme, (int)len, rest);
    return ret->url ? 0 : weft_oom(err);
}

static int set_address(struct plugin_address *ret, const char *text, struct weft_error *err)
{
    if (str_starts_with(text, "unix://"))
        return set_socket(ret, text + strlen("unix://"), err);
    if (str_starts_with(text, "tcp://"))
        return set_host(ret, "http", text + strlen("tcp://"), err);
    if (str_starts_with(text, "http://"))
        return set_host(ret, "http", text + strlen("http://"), err);
    if (str_starts_with(text, "https://"))
        return set_host(ret, "https", text + strlen("https://"), err);
    return weft_fail(err, WEFT_INVALID,
                     "address \"%s\" begins with none of unix://, tcp://, http:// and https://",
                     text);
}

/* ---- files ---- */

static int read_spec(const char *path, struct plugin_address *ret, struct weft_error *err)
{
    static const char space[] = " \t\r\n";
    _cleanup_free_ char *text = NULL;
    char *begin;
    int r = file_read(path, FILE_MAX, &text, NULL, err);

    if (r < 0)
        return r;
    begin = text + strspn(text, space);
    for (size_t len = strlen(begin); len > 0 && strchr(space, begin[len - 1]); len--)
        begin[len - 1] = '\0';
    ret->insecure = true;
    return set_address(ret, begin, err);
}

static int read_tls(const json_t *tls, struct plugin_address *ret, struct weft_error *err)
{
    int r = json_get_bool(tls, "InsecureSkipVerify", &ret->insecure, err);

    if (r == 0)
        r = json_get_strdup(tls, "CAFile", &ret->ca, err);
    if (r == 0)
        r = json_get_strdup(tls, "CertFile", &ret->cert, err);
    if (r == 0)
        r = json_get_strdup(tls, "KeyFile", &ret->key, err);
    if (r < 0)
        return r;
    ret->insecure = ret->insecure || !ret->ca;
    if (!ret->cert != !ret->key)
        return weft_fail(err, WEFT_INVALID, "TLSConfig must have both of CertFile and KeyFile");
    /* Who asks for TLS must not get a plain connection instead. */
    if (!str_starts_with(ret->url, "https://"))
        return weft_fail(err, WEFT_INVALID, "TLSConfig needs an address that begins with https://");
    return 0;
}

static int read_json(const char *path, struct plugin_address *ret, struct weft_error *err)
{
    _cleanup_json_ json_t *doc = NULL;
    const char *address = "";
    json_t *tls = NULL;
    int r = json_parse_file(path, &doc, err);

    if (r < 0)
        return r;
    if (!json_is_object(doc))
        return weft_fail(err, WEFT_INVALID, "it must be a JSON object");
    r = json_get_string(doc, "Addr", &address, err);
    if (r == 0)
        r = json_get_object(doc, "TLSConfig", &tls, err);
    if (r == 0)
        r = set_address(ret, address, err);
    if (r < 0)
        return r;
    ret->insecure = !tls;
    return tls ? read_tls(tls, ret, err) : 0;
}

/* ---- looking ---- */

typedef int read_fn(const char *path, struct plugin_address *ret, struct weft_error *err);

static int read_socket(const char *path, struct plugin_address *ret, struct weft_error *err)
{
    return set_socket(ret, path, err);
}

/* 1: there is such a file, and *ret says what it says; 0: there is none; or -errno. */
static int try_file(const char *path, read_fn *read, struct plugin_address *ret,
                    struct weft_error *err)
{
    _cleanup_plugin_address_ struct plugin_address found = {0};
    struct stat st;
    int r;

    if (stat(path, &st) < 0 || S_ISSOCK(st.st_mode) != (read == read_socket))
        return 0;
    r = read(path, &found, err);
    if (r < 0) {
        weft_error_prefix(err, "%s", path);
        return r;
    }
    *ret = found;
    found = (struct plugin_address){0};
    return 1;
}

/* DIR/NAME.EXT, then DIR/NAME/NAME.EXT. As try_file. */
static int try_dir(const char *root, const char *dir, const char *name, const char *ext,
                   read_fn *read, struct plugin_address *ret, struct weft_error *err)
{
    _cleanup_free_ char *flat = str_printf("%s%s/%s%s", root, dir, name, ext);
    _cleanup_free_ char *deep = str_printf("%s%s/%s/%s%s", root, dir, name, name, ext);
    int r;

    if (!flat || !deep)
        return weft_oom(err);
    r = try_file(flat, read, ret, err);
    return r == 0 ? try_file(deep, read, ret, err) : r;
}

int plugin_find(const char *root, const char *name, struct plugin_address *ret,
                struct weft_error *err)
{
    int r = name_check("plugin", name, err);

    if (r < 0)
        return r;
    r = try_dir(root, SOCKET_DIR, name, ".sock", read_socket, ret, err);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(file_dirs); i++) {
        r = try_dir(root, file_dirs[i], name, ".spec", read_spec, ret, err);
        if (r == 0)
            r = try_dir(root, file_dirs[i], name, ".json", read_json, ret, err);
    }
    if (r != 0)
        return r < 0 ? r : 0;
    return weft_fail(err, WEFT_NOT_FOUND,
                     "plugin %s not found: there is no %s.sock in " SOCKET_DIR
                     ", and no %s.spec or %s.json in %s or %s",
                     name, name, name, name, file_dirs[0], file_dirs[1]);
}
