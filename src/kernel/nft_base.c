/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The base ruleset is loaded by libnftables, in a child process that alone maps the library. It is
 * needed when weftd starts and when somebody tampered with the ruleset, but would cost the daemon
 * 0.9 MB of memory for being linked, and 3.4 MB after its first use; the child costs 1 ms.
 *
 * Table inet weft is also the administrator's: the chains `before` and `after` hold rules of
 * theirs, and sets and chains that these rules speak of must be in the same table. Reloading in
 * place leaves all of it alone. Replacing reads the table's listing first and puts those chains,
 * and what they speak of, into the new table, in the same transaction.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "kernel/nft.h"
#include "kstate/nft_text.h"

#define LIBRARY "libnftables.so.1"

/* Adding before deleting lets the deletion succeed when there is no table. */
#define REMOVE_TABLES                                                                              \
    "add table inet " NFT_TABLE "\ndelete table inet " NFT_TABLE "\n"                              \
    "add table bridge " NFT_TABLE "\ndelete table bridge " NFT_TABLE "\n"
#define LIST_TABLE "list table inet " NFT_TABLE "\n"

struct library {
    struct nft_ctx *(*ctx_new)(uint32_t flags);
    int (*buffer_output)(struct nft_ctx *ctx);
    int (*buffer_error)(struct nft_ctx *ctx);
    const char *(*get_output)(struct nft_ctx *ctx);
    const char *(*get_error)(struct nft_ctx *ctx);
    int (*run)(struct nft_ctx *ctx, const char *filename);
    struct nft_ctx *ctx;
};

/* What the child does. Writes what is wrong to fd, nothing if nothing is. */
typedef void child_fn(const struct library *nft, const char *text, int fd);

static int open_library(struct library *ret)
{
    void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

    if (!handle)
        return -ENOENT;
    ret->ctx_new = (__typeof__(ret->ctx_new))dlsym(handle, "nft_ctx_new");
    ret->buffer_output = (__typeof__(ret->buffer_output))dlsym(handle, "nft_ctx_buffer_output");
    ret->buffer_error = (__typeof__(ret->buffer_error))dlsym(handle, "nft_ctx_buffer_error");
    ret->get_output = (__typeof__(ret->get_output))dlsym(handle, "nft_ctx_get_output_buffer");
    ret->get_error = (__typeof__(ret->get_error))dlsym(handle, "nft_ctx_get_error_buffer");
    ret->run = (__typeof__(ret->run))dlsym(handle, "nft_run_cmd_from_filename");
    return ret->ctx_new && ret->buffer_output && ret->buffer_error && ret->get_output &&
                   ret->get_error && ret->run
               ? 0
               : -ENOENT;
}

/* A file that holds the commands. nft is not given the text itself, because then its errors would
 * always show the first line of it. The descriptor, or -1. */
static int make_file(const char *commands)
{
    size_t len = strlen(commands);
    int fd = memfd_create("ruleset", MFD_CLOEXEC);

    return fd >= 0 && write(fd, commands, len) == (ssize_t)len ? fd : -1;
}

/* NULL when the commands were carried out, else what nft says. */
static const char *run_commands(const struct library *nft, const char *commands)
{
    char path[sizeof "/proc/self/fd/" + 11];
    _cleanup_close_ int file = make_file(commands);
    const char *why;

    if (file < 0)
        return "out of memory";
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (nft->run(nft->ctx, path) == 0)
        return NULL;
    why = nft->get_error(nft->ctx);
    return why && *why ? why : "refused without a reason";
}

static void complain(int fd, const char *why)
{
    if (why)
        dprintf(fd, "%s", why);
}

static void load(const struct library *nft, const char *text, int fd)
{
    complain(fd, run_commands(nft, text));
}

static void reload(const struct library *nft, const char *text, int fd)
{
    _cleanup_strbuf_ struct strbuf commands = {0};

    nft_print_reload(text, &commands);
    complain(fd, commands.failed ? "out of memory" : run_commands(nft, strbuf_text(&commands)));
}

static bool declares(const char *text, const char *kind, const char *name)
{
    struct nft_declaration d = {0};

    while (nft_next_declaration(&text, &d))
        if (str_equal(d.family, "inet") && str_equal(d.kind, kind) && str_equal(d.name, name))
            return true;
    return false;
}

/* Is it one of the words of a text? */
static bool mentions(const char *text, const char *name)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./";

    for (size_t len; *(text += strcspn(text, letters)); text += len) {
        len = strspn(text, letters);
        if (len == strlen(name) && memcmp(text, name, len) == 0)
            return true;
    }
    return false;
}

/* Whether a block of the listing goes into the new table: the administrator's chains, and what
 * these speak of. weft's own blocks come with the ruleset, or belonged to an older one. */
static bool is_kept(const char *block, size_t len, const char *text, const struct strbuf *kept)
{
    char kind[16], name[128];

    if (sscanf(block, "\t%15s %127s {", kind, name) != 2 || memmem(block, len, " hook ", 6))
        return false;
    if (kept->data && memmem(kept->data, kept->len, block, len))
        return false; /* is there already */
    if (str_equal(kind, "chain") && nft_chain_is_administrators(name))
        return true;
    return mentions(strbuf_text(kept), name) && !declares(text, kind, name);
}

/* Appends the blocks of the listing that are to be kept, given those that are. In a listing, a
 * block begins with a line indented by one tabulator and ends with one that consists of its brace.
 */
static void keep_more(const char *listing, const char *text, struct strbuf *kept)
{
    static const char end[] = "\n\t}\n";

    for (const char *line = listing; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        size_t len = strcspn(line, "\n");
        const char *block_end = strstr(line, end);

        if (line[0] != '\t' || line[1] == '\t' || line[len - 1] != '{' || !block_end)
            continue;
        len = (size_t)(block_end - line) + strlen(end);
        if (is_kept(line, len, text, kept))
            strbuf_add(kept, line, len);
        line += len - 1;
    }
}

/* Appends what others put into the table. */
static void keep_others(const char *listing, const char *text, struct strbuf *out)
{
    size_t len;

    strbuf_puts(out, "table inet " NFT_TABLE " {\n");
    do {
        len = out->len;
        keep_more(listing, text, out);
    } while (out->len > len);
    strbuf_puts(out, "}\n");
}

static void log_lines(const char *text)
{
    for (size_t len; *text; text += len, text += *text == '\n') {
        len = strcspn(text, "\n");
        log_error("%.*s", (int)len, text);
    }
}

/* weft's policy must hold: rather without the administrator's rules than not at all. */
static void replace(const struct library *nft, const char *text, int fd)
{
    _cleanup_strbuf_ struct strbuf commands = {0}, others = {0}, refusal = {0};
    const char *listing = run_commands(nft, LIST_TABLE) ? NULL : nft->get_output(nft->ctx);
    const char *why;

    keep_others(listing ? listing : "", text, &others);
    strbuf_puts(&commands, REMOVE_TABLES);
    strbuf_puts(&commands, text);
    strbuf_puts(&commands, strbuf_text(&others));
    if (commands.failed || others.failed) {
        complain(fd, "out of memory");
        return;
    }
    why = run_commands(nft, strbuf_text(&commands));
    if (!why)
        return;
    strbuf_puts(&refusal, why);
    commands.len = 0;
    strbuf_puts(&commands, REMOVE_TABLES);
    strbuf_puts(&commands, text);
    why = run_commands(nft, strbuf_text(&commands));
    complain(fd, why);
    if (why)
        return;
    log_error("the ruleset was loaded without what others had put into table inet " NFT_TABLE
              " (chains before and after), because nft refuses it: %s",
              strbuf_text(&refusal));
    log_lines(strbuf_text(&others));
}

/* libnftables waits with select(2), which knows no descriptors beyond 1023, and a daemon that holds
 * ports has many more: what the child does not need is closed. Returns fd's new number. */
static int close_others(int fd)
{
    if (dup2(fd, STDERR_FILENO + 1) < 0)
        return fd;
    (void)close_range(STDERR_FILENO + 2, ~0U, 0);
    return STDERR_FILENO + 1;
}

static void run_child(child_fn *fn, const char *text, int fd)
{
    struct library nft;

    fd = close_others(fd);
    if (open_library(&nft) < 0) {
        dprintf(fd, "cannot use " LIBRARY ": %s", dlerror());
        return;
    }
    nft.ctx = nft.ctx_new(NFT_CTX_DEFAULT);
    if (!nft.ctx || nft.buffer_output(nft.ctx) || nft.buffer_error(nft.ctx)) {
        dprintf(fd, "out of memory");
        return;
    }
    fn(&nft, text, fd);
}

/* Reads all of fd, then waits for the child. */
static int hear_child(pid_t child, int fd, struct strbuf *why, struct weft_error *err)
{
    char chunk[512];
    ssize_t n;
    int status;

    do {
        n = read(fd, chunk, sizeof chunk);
        if (n > 0)
            strbuf_add(why, chunk, (size_t)n);
    } while (n > 0 || (n < 0 && errno == EINTR));
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return weft_fail_errno(err, errno, "cannot wait for the loader of the ruleset");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return weft_fail(err, WEFT_KERNEL, "the loader of the ruleset died");
    return 0;
}

static int run_in_child(struct kernel *k, child_fn *fn, const char *text, struct strbuf *why,
                        struct weft_error *err)
{
    _cleanup_close_ int read_end = -1, write_end = -1;
    int ends[2];
    pid_t child;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return weft_fail_errno(err, errno, "cannot make a pipe");
    read_end = ends[0];
    write_end = ends[1];
    child = fork();
    if (child < 0)
        return weft_fail_errno(err, errno, "cannot fork");
    if (child == 0) {
        run_child(fn, text, write_end);
        _exit(0);
    }
    k->loader = child;
    (void)close(TAKE_FD(write_end));
    return hear_child(child, read_end, why, err);
}

/* nft says where and what is wrong, then repeats that line of the ruleset, then underlines the
 * place in it: "FILE:3:17-24: Error: No such file or directory\n  iifname @nowhere drop\n   ^^^^"
 */
static int fail_nft(struct weft_error *err, const char *text)
{
    const char *error = strstr(text, "Error: "), *what = error ? error : text;
    int what_len = (int)strcspn(what, "\n");
    const char *line = what + what_len + strspn(what + what_len, " \t\n");
    int line_len = (int)strcspn(line, "\n");

    return weft_fail(err, WEFT_KERNEL, "%.*s%s%.*s", what_len, what, line_len ? ": " : "", line_len,
                     line);
}

static int run_loader(struct kernel *k, child_fn *fn, const char *text, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf why = {0};
    int r = run_in_child(k, fn, text, &why, err);

    if (r < 0)
        return r;
    return why.len ? fail_nft(err, why.data) : 0;
}

/* Right after the loading, so that nobody else's change is taken for weft's own. */
static int remember_rules(struct kernel *k, const char *text, struct weft_error *err)
{
    int r = nft_rules_digest(&k->nft, &k->rules_digest, err);

    k->rules = r < 0 ? NULL : text;
    return r;
}

void kernel_expect_rules(struct kernel *k, const char *text, uint64_t mark)
{
    k->rules = text;
    k->rules_digest = mark;
}

uint64_t kernel_rules_mark(const struct kernel *k)
{
    return k->rules ? k->rules_digest : 0;
}

int nft_base_reload(struct kernel *k, const char *text, struct weft_error *err)
{
    int r = run_loader(k, reload, text, err);

    return r < 0 ? r : remember_rules(k, text, err);
}

int nft_base_replace(struct kernel *k, const char *text, struct weft_error *err)
{
    int r = run_loader(k, replace, text, err);

    return r < 0 ? r : remember_rules(k, text, err);
}

int nft_base_remove(struct kernel *k, struct weft_error *err)
{
    k->rules = NULL;
    return run_loader(k, load, REMOVE_TABLES, err);
}
