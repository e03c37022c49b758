/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The base ruleset is loaded by libnftables, in a child process that alone maps the library. It is
 * needed when weftd starts and when somebody tampered with the ruleset, but would cost the daemon
 * 0.9 MB of memory for being linked, and 3.4 MB after its first use; the child costs 1 ms.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/strbuf.h"
#include "kernel/nft.h"

#define LIBRARY "libnftables.so.1"

/* Adding before deleting lets the deletion succeed when there is no table. */
#define REMOVE_TABLE "add table inet " NFT_TABLE "\ndelete table inet " NFT_TABLE "\n"

struct library {
    struct nft_ctx *(*ctx_new)(uint32_t flags);
    int (*buffer_output)(struct nft_ctx *ctx);
    int (*buffer_error)(struct nft_ctx *ctx);
    const char *(*get_error)(struct nft_ctx *ctx);
    int (*run)(struct nft_ctx *ctx, const char *filename);
};

static int open_library(struct library *ret)
{
    void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

    if (!handle)
        return -ENOENT;
    ret->ctx_new = (__typeof__(ret->ctx_new))dlsym(handle, "nft_ctx_new");
    ret->buffer_output = (__typeof__(ret->buffer_output))dlsym(handle, "nft_ctx_buffer_output");
    ret->buffer_error = (__typeof__(ret->buffer_error))dlsym(handle, "nft_ctx_buffer_error");
    ret->get_error = (__typeof__(ret->get_error))dlsym(handle, "nft_ctx_get_error_buffer");
    ret->run = (__typeof__(ret->run))dlsym(handle, "nft_run_cmd_from_filename");
    return ret->ctx_new && ret->buffer_output && ret->buffer_error && ret->get_error && ret->run
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

/* The child: writes what is wrong to fd, nothing if nothing is. */
static void run_commands(const char *commands, int fd)
{
    char path[sizeof "/proc/self/fd/" + 11];
    int file = make_file(commands);
    struct library nft;
    struct nft_ctx *ctx;

    if (open_library(&nft) < 0) {
        dprintf(fd, "cannot use " LIBRARY ": %s", dlerror());
        return;
    }
    ctx = nft.ctx_new(NFT_CTX_DEFAULT);
    if (file < 0 || !ctx || nft.buffer_output(ctx) || nft.buffer_error(ctx)) {
        dprintf(fd, "out of memory");
        return;
    }
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (nft.run(ctx, path)) {
        const char *why = nft.get_error(ctx);

        dprintf(fd, "%s", why && *why ? why : "refused without a reason");
    }
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

static int run_in_child(const char *commands, struct strbuf *why, struct weft_error *err)
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
        run_commands(commands, write_end);
        _exit(0);
    }
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

int nft_base_load(const char *text, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf commands = {0}, why = {0};
    int r;

    strbuf_puts(&commands, REMOVE_TABLE);
    if (text)
        strbuf_puts(&commands, text);
    if (commands.failed)
        return weft_oom(err);
    r = run_in_child(strbuf_text(&commands), &why, err);
    if (r < 0)
        return r;
    return why.len ? fail_nft(err, why.data) : 0;
}
