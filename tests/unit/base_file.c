/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

/* Every test gets an empty directory. */
static char top[] = "/tmp/weft-file-XXXXXX";

static int make_top(void **state)
{
    (void)state;
    strcpy(top + sizeof top - sizeof "XXXXXX", "XXXXXX");
    return mkdtemp(top) ? 0 : -1;
}

static int remove_top(void **state)
{
    (void)state;
    return dir_remove(top, NULL);
}

static const char *in_top(char buf[static PATH_MAX], const char *name)
{
    snprintf(buf, PATH_MAX, "%s/%s", top, name);
    return buf;
}
#define T(name) in_top((char[PATH_MAX]){0}, name)

static void write_text(const char *path, const char *text)
{
    assert_int_equal(file_write_atomic(path, text, strlen(text), 0644, NULL), 0);
}

static void assert_text(const char *path, const char *expected)
{
    _cleanup_free_ char *text = NULL;
    size_t len = 0;

    assert_int_equal(file_read(path, 1000, &text, &len, NULL), 0);
    assert_string_equal(text, expected);
    assert_int_equal(len, strlen(expected));
}

static struct stat status(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st;
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static void reading_stops_at_the_limit(void **state)
{
    _cleanup_free_ char *text = NULL;
    struct weft_error err;

    (void)state;
    write_text(T("f"), "12345");
    assert_int_equal(file_read(T("f"), 4, &text, NULL, &err), -EFBIG);
    assert_null(text);
    assert_non_null(strstr(err.text, T("f")));
    assert_int_equal(file_read(T("f"), 5, &text, NULL, &err), 0);
    assert_string_equal(text, "12345");
}

static void reading_what_is_empty_or_large_or_not_there(void **state)
{
    _cleanup_free_ char *large = malloc(100000), *text = NULL;
    struct weft_error err;
    size_t len = 7;

    (void)state;
    write_text(T("empty"), "");
    assert_text(T("empty"), "");
    memset(large, 0, 100000);
    assert_int_equal(file_write_atomic(T("large"), large, 100000, 0600, &err), 0);
    assert_int_equal(file_read(T("none"), 10, &text, &len, &err), -ENOENT);
    assert_int_equal(len, 7);
    assert_non_null(strstr(err.text, "No such file"));
    assert_int_equal(file_read(top, 10, &text, &len, &err), -EISDIR);
    assert_int_equal(file_read(T("large"), 100000, &text, &len, &err), 0);
    assert_int_equal(len, 100000);
    assert_memory_equal(text, large, 100000);
}

static void reading_files_without_a_size(void **state)
{
    _cleanup_free_ char *text = NULL;
    size_t len = 0;

    (void)state;
    assert_int_equal(file_read("/proc/self/status", 1 << 20, &text, &len, NULL), 0);
    assert_true(len > 0);
}

static void atomic_writing_replaces_the_file(void **state)
{
    _cleanup_close_ int reader = -1;
    char old[4] = "";
    ino_t inode;

    (void)state;
    write_text(T("f"), "old");
    inode = status(T("f")).st_ino;
    reader = open(T("f"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(file_write_atomic(T("f"), "new", 3, 0640, NULL), 0);
    assert_text(T("f"), "new");
    assert_int_equal(read(reader, old, 3), 3);
    assert_string_equal(old, "old");
    assert_true(status(T("f")).st_ino != inode);
    assert_int_equal(status(T("f")).st_mode & 07777, 0640);
    /* Nothing is left beside. */
    assert_int_equal(unlink(T("f")), 0);
    assert_int_equal(rmdir(top), 0);
}

static void atomic_writing_that_fails_leaves_nothing(void **state)
{
    struct weft_error err;

    (void)state;
    assert_int_equal(dir_make(T("d"), 0755, NULL), 0);
    assert_int_equal(file_write_atomic(T("d"), "x", 1, 0644, &err), -EISDIR);
    assert_non_null(strstr(err.text, T("d")));
    assert_int_equal(file_write_atomic(T("none/f"), "x", 1, 0644, &err), -ENOENT);
    assert_int_equal(rmdir(T("d")), 0);
    assert_int_equal(rmdir(top), 0);
}

static void writing_in_place_keeps_the_inode(void **state)
{
    struct weft_error err;
    ino_t inode;

    (void)state;
    assert_int_equal(file_write_in_place(T("f"), "long text", 9, 0600, &err), 0);
    assert_int_equal(status(T("f")).st_mode & 07777, 0600);
    inode = status(T("f")).st_ino;
    assert_int_equal(file_write_in_place(T("f"), "short", 5, 0644, &err), 0);
    assert_text(T("f"), "short");
    assert_true(status(T("f")).st_ino == inode);
    assert_int_equal(status(T("f")).st_mode & 07777, 0644);
    assert_int_equal(file_write_in_place(T("none/f"), "x", 1, 0644, &err), -ENOENT);
    assert_non_null(strstr(err.text, T("none/f")));
}

static void making_directories(void **state)
{
    struct weft_error err;

    (void)state;
    assert_int_equal(dir_make(T("a/b//c/"), 0750, &err), 0);
    assert_int_equal(dir_make(T("a/b/c"), 0750, &err), 0);
    assert_int_equal(status(T("a/b")).st_mode & 07777, 0750);
    assert_true(S_ISDIR(status(T("a/b/c")).st_mode));
    assert_int_equal(dir_make("/", 0755, &err), 0);
    assert_int_equal(symlink("a", T("link")), 0);
    assert_int_equal(dir_make(T("link/d"), 0755, &err), 0);
    assert_true(exists(T("a/d")));
    assert_int_equal(dir_make("", 0755, &err), -ENOENT);
    write_text(T("file"), "");
    assert_int_equal(dir_make(T("file"), 0755, &err), -ENOTDIR);
    assert_int_equal(dir_make(T("file/sub"), 0755, &err), -ENOTDIR);
    assert_non_null(strstr(err.text, T("file/sub")));
}

static void removing_trees(void **state)
{
    struct weft_error err;

    (void)state;
    assert_int_equal(dir_make(T("keep"), 0755, NULL), 0);
    write_text(T("keep/f"), "kept");
    assert_int_equal(dir_make(T("tree/a/b"), 0755, NULL), 0);
    write_text(T("tree/f"), "");
    write_text(T("tree/a/.hidden"), "");
    assert_int_equal(symlink("../keep", T("tree/link")), 0);
    assert_int_equal(symlink("nowhere", T("tree/dangling")), 0);
    assert_int_equal(mkfifo(T("tree/fifo"), 0600), 0);
    assert_int_equal(dir_remove(T("tree"), &err), 0);
    assert_false(exists(T("tree")));
    assert_text(T("keep/f"), "kept");
    /* What is missing, a link, a file. */
    assert_int_equal(dir_remove(T("tree"), &err), 0);
    assert_int_equal(symlink("keep", T("link")), 0);
    assert_int_equal(dir_remove(T("link"), &err), 0);
    assert_false(exists(T("link")));
    assert_int_equal(dir_remove(T("keep/f"), &err), 0);
    assert_false(exists(T("keep/f")));
    assert_true(exists(T("keep")));
}

static void removing_stops_at_mounts(void **state)
{
    struct weft_error err;

    (void)state;
    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        skip();
    assert_int_equal(dir_make(T("outside"), 0755, NULL), 0);
    assert_int_equal(dir_make(T("tree/bind"), 0755, NULL), 0);
    assert_int_equal(dir_make(T("other/tmpfs"), 0755, NULL), 0);
    write_text(T("outside/f"), "kept");
    /* A bind mount of the same file system, and another file system. */
    assert_int_equal(mount(T("outside"), T("tree/bind"), NULL, MS_BIND, NULL), 0);
    assert_int_equal(mount("tmpfs", T("other/tmpfs"), "tmpfs", 0, NULL), 0);
    write_text(T("other/tmpfs/f"), "kept");

    assert_int_equal(dir_remove(T("tree"), &err), -EXDEV);
    assert_non_null(strstr(err.text, T("tree")));
    assert_text(T("outside/f"), "kept");
    assert_int_equal(dir_remove(T("other"), &err), -EXDEV);
    assert_text(T("other/tmpfs/f"), "kept");

    assert_int_equal(umount(T("tree/bind")), 0);
    assert_int_equal(umount(T("other/tmpfs")), 0);
    assert_int_equal(dir_remove(T("tree"), &err), 0);
    assert_text(T("outside/f"), "kept");
}

#define in_a_directory(test) cmocka_unit_test_setup_teardown(test, make_top, remove_top)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_a_directory(reading_stops_at_the_limit),
        in_a_directory(reading_what_is_empty_or_large_or_not_there),
        in_a_directory(reading_files_without_a_size),
        in_a_directory(atomic_writing_replaces_the_file),
        in_a_directory(atomic_writing_that_fails_leaves_nothing),
        in_a_directory(writing_in_place_keeps_the_inode),
        in_a_directory(making_directories),
        in_a_directory(removing_trees),
        in_a_directory(removing_stops_at_mounts),
    };

    umask(022);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
