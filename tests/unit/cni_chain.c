/* SPDX-License-Identifier: Apache-2.0 */

/* Plugins that are shell scripts in a folder of the test's own, run by the real code. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "base/file.h"
#include "cni/chain.h"
#include "model_make.h"

/* Writes down how it was called and what it read. */
#define RECORDS                                                                                    \
    "echo \"$(basename $0) $CNI_COMMAND $CNI_CONTAINERID $CNI_NETNS $CNI_IFNAME\" >> $D/calls\n"   \
    "cat > $D/$(basename $0).$CNI_COMMAND\n"
#define RESULT(address)                                                                            \
    "echo '{\"cniVersion\":\"1.1.0\",\"ips\":[{\"address\":\"" address "\"}]}'\n"

static char dir[] = "/tmp/weft-cni-XXXXXX";
static uv_loop_t loop;
static struct cni_answer answer;
static struct addr address;
static unsigned answers;

static void write_plugin(const char *name, const char *script)
{
    _cleanup_free_ char *path = str_printf("%s/%s", dir, name);
    _cleanup_free_ char *text = str_printf("#!/bin/sh\nD=%s\n%s", dir, script);

    assert_int_equal(file_write_atomic(path, text, strlen(text), 0755, NULL), 0);
}

static char *read_record(const char *name)
{
    _cleanup_free_ char *path = str_printf("%s/%s", dir, name);
    char *text = NULL;

    assert_int_equal(file_read(path, 1 << 20, &text, NULL, NULL), 0);
    return text;
}

static void note_answer(void *arg, const struct cni_answer *a)
{
    (void)arg;
    answers++;
    answer = *a;
    address = a->result ? a->result->ipv4.addr : (struct addr){0};
}

static struct cni_config *make_config(const char *text)
{
    _cleanup_json_ json_t *doc = make_json(text);
    struct cni_config *config = NULL;

    assert_int_equal(cni_config_parse(doc, "n", &config, NULL), 0);
    return config;
}

#define TWO "{'cniVersion':'1.1.0','name':'n','plugins':[{'type':'one'},{'type':'two'}]}"

static void start(const struct cni_config *config, enum cni_command command, const json_t *result,
                  struct cni_chain **ret)
{
    bool attachment = command == CNI_ADD || command == CNI_DEL || command == CNI_CHECK;
    struct cni_job job = {
        .command = command,
        .config = config,
        .path = dir,
        .seconds = 1,
        .lock = -1,
        .container_id = attachment ? "c1" : NULL,
        .netns = attachment ? "/run/netns/x" : NULL,
        .ifname = attachment ? "eth0" : NULL,
        .result = result,
    };

    answers = 0;
    assert_int_equal(cni_chain_start(&loop, &job, note_answer, NULL, ret, NULL), 0);
}

static void run(const struct cni_config *config, enum cni_command command, const json_t *result)
{
    struct cni_chain *chain;

    start(config, command, result, &chain);
    assert_int_equal(answers, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(answers, 1);
}

static void run_list(const char *list, enum cni_command command)
{
    _cleanup_cni_config_ struct cni_config *config = make_config(list);

    run(config, command, NULL);
}

static void check_json(const char *record, const char *expected)
{
    _cleanup_free_ char *text = read_record(record);
    _cleanup_json_ json_t *got = json_loads(text, 0, NULL), *want = make_json(expected);

    if (!json_equal(got, want))
        fail_msg("%s instead of %s", text, expected);
}

/* Gone, or dead and waited for by nobody. */
static void check_gone(int pid)
{
    _cleanup_free_ char *path = str_printf("/proc/%d/stat", pid);

    for (int i = 0; i < 100; i++) {
        _cleanup_free_ char *text = NULL;

        if (file_read(path, 4096, &text, NULL, NULL) < 0 || strstr(text, ") Z "))
            return;
        usleep(10000);
    }
    fail_msg("process %d lives on", pid);
}

/* It is not even a zombie. */
static void check_reaped(int pid)
{
    assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void each_gets_the_result_of_the_one_before(void **state)
{
    _cleanup_free_ char *calls = NULL;

    (void)state;
    write_plugin("one", RECORDS RESULT("10.0.0.1/24"));
    write_plugin("two", RECORDS RESULT("10.0.0.2/24"));
    run_list(TWO, CNI_ADD);
    assert_int_equal(answer.r, 0);
    assert_string_equal(addr_text(&address), "10.0.0.2");
    calls = read_record("calls");
    assert_string_equal(calls, "one ADD c1 /run/netns/x eth0\ntwo ADD c1 /run/netns/x eth0\n");
    check_json("one.ADD", "{'cniVersion':'1.1.0','name':'n','type':'one'}");
    check_json("two.ADD", "{'cniVersion':'1.1.0','name':'n','type':'two','prevResult':"
                          "{'cniVersion':'1.1.0','ips':[{'address':'10.0.0.1/24'}]}}");
}

static void they_let_go_in_reverse_and_all_of_them(void **state)
{
    _cleanup_cni_config_ struct cni_config *config = make_config(TWO);
    _cleanup_json_ json_t *result = make_json("{'ips':[]}");
    _cleanup_free_ char *calls = NULL;

    (void)state;
    write_plugin("one", RECORDS);
    write_plugin("two", RECORDS "echo '{\"code\":5,\"msg\":\"no\",\"details\":\"disk\"}'; exit 1");
    run(config, CNI_DEL, result);
    assert_int_equal(answer.r, -EIO);
    assert_string_equal(answer.err.text, "CNI plugin two (DEL): error 5: no: disk");
    calls = read_record("calls");
    assert_string_equal(calls, "two DEL c1 /run/netns/x eth0\none DEL c1 /run/netns/x eth0\n");
    check_json("one.DEL", "{'cniVersion':'1.1.0','name':'n','type':'one','prevResult':{'ips':[]}}");
}

static void a_failure_ends_add_and_check(void **state)
{
    static const enum cni_command commands[] = {CNI_ADD, CNI_CHECK, CNI_STATUS};

    (void)state;
    write_plugin("one", "echo gone >&2; exit 4");
    write_plugin("two", RECORDS);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        _cleanup_free_ char *path = str_printf("%s/calls", dir);
        _cleanup_free_ char *sentence =
            str_printf("CNI plugin one (%s): it ended with status 4: gone",
                       cni_command_text(commands[i]));

        run_list(TWO, commands[i]);
        assert_int_equal(answer.r, -EIO);
        assert_string_equal(answer.err.text, sentence);
        assert_int_equal(access(path, F_OK), -1);
    }
}

static void versions_are_what_all_have_in_common(void **state)
{
    static const char list[] = "{'cniVersion':'1.0.0','cniVersions':['0.4.0','1.0.0','1.1.0'],"
                               "'name':'n','plugins':[{'type':'one'},{'type':'two'}]}";

    (void)state;
    write_plugin("one", RECORDS "echo '{\"supportedVersions\":[\"0.4.0\",\"1.0.0\"]}'");
    write_plugin("two", "echo '{\"supportedVersions\":[\"0.3.0\",\"1.0.0\",\"1.1.0\"]}'");
    run_list(list, CNI_VERSION);
    assert_int_equal(answer.r, 0);
    assert_int_equal(answer.versions, 1 << CNI_1_0_0);
    check_json("one.VERSION", "{'cniVersion':'1.1.0'}");
    write_plugin("two", "echo '{\"supportedVersions\":[\"0.3.0\"]}'");
    run_list(list, CNI_VERSION);
    assert_int_equal(answer.r, -EINVAL);
    assert_string_equal(answer.err.text, "CNI plugin two (VERSION): it speaks no version of CNI "
                                         "that the configuration is written for");
}

static void garbage_is_told(void **state)
{
    (void)state;
    write_plugin("one", "echo hello");
    run_list(TWO, CNI_ADD);
    assert_int_equal(answer.err.code, WEFT_INTERNAL);
    assert_non_null(strstr(answer.err.text, "CNI plugin one (ADD): its result cannot be used: "
                                            "invalid JSON at line 1"));
    write_plugin("one", "true");
    run_list(TWO, CNI_ADD);
    assert_string_equal(answer.err.text,
                        "CNI plugin one (ADD): its result cannot be used: it is empty");
    write_plugin("one", "head -c 2000000 /dev/zero");
    run_list(TWO, CNI_ADD);
    assert_string_equal(answer.err.text,
                        "CNI plugin one (ADD): it printed more than 1048576 bytes");
}

/* sleep is a child of the script: it goes with the process group. */
static void a_slow_one_is_killed_with_what_it_runs(void **state)
{
    _cleanup_free_ char *pid = NULL;
    time_t begin = time(NULL);

    (void)state;
    write_plugin("one", "sh -c 'echo $$ > "
                        "$0/pid; sleep 60; true' $D\n");
    run_list(TWO, CNI_ADD);
    assert_true(time(NULL) - begin < 10);
    assert_string_equal(answer.err.text, "CNI plugin one (ADD): it did not end within 1 s");
    pid = read_record("pid");
    check_gone(atoi(pid));
}

static void what_dies_is_told(void **state)
{
    (void)state;
    write_plugin("one", "kill -9 $$");
    run_list(TWO, CNI_ADD);
    assert_string_equal(answer.err.text, "CNI plugin one (ADD): signal 9 ended it");
}

/* A daemon that it leaves behind does not hold us up, though it holds the pipes. */
static void what_it_leaves_behind_goes_on(void **state)
{
    _cleanup_free_ char *pid = NULL;
    time_t begin = time(NULL);

    (void)state;
    write_plugin("one", "sleep 60 & echo $! > $D/pid\n" RESULT("10.0.0.1/24"));
    run_list("{'cniVersion':'1.1.0','name':'n','type':'one'}", CNI_ADD);
    assert_int_equal(answer.r, 0);
    assert_true(time(NULL) - begin < 10);
    pid = read_record("pid");
    assert_int_equal(kill(atoi(pid), SIGKILL), 0);
}

static void an_absent_one_is_told(void **state)
{
    _cleanup_free_ char *sentence =
        str_printf("CNI plugin one (ADD): CNI plugin one is not in %s", dir);

    (void)state;
    run_list(TWO, CNI_ADD);
    assert_int_equal(answer.err.code, WEFT_NOT_FOUND);
    assert_string_equal(answer.err.text, sentence);
}

/* No descriptor, no variable and no blocked signal of ours. */
static void it_inherits_nothing(void **state)
{
    _cleanup_free_ char *fds = NULL, *env = NULL, *blocked = NULL;
    sigset_t all, before;

    (void)state;
    sigfillset(&all);
    sigdelset(&all, SIGCHLD);
    sigprocmask(SIG_BLOCK, &all, &before);
    setenv("WEFT_SECRET", "1", 1);
    write_plugin("one",
                 "for n in 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$n ] && echo $n; done > $D/fds\n"
                 "env > $D/env\n"
                 "while read key value; do [ $key = SigBlk: ] && echo $value; done"
                 " < /proc/$$/status > $D/blocked\n" RESULT("10.0.0.1/24"));
    run_list("{'cniVersion':'1.1.0','name':'n','type':'one'}", CNI_ADD);
    sigprocmask(SIG_SETMASK, &before, NULL);
    assert_int_equal(answer.r, 0);
    fds = read_record("fds");
    env = read_record("env");
    blocked = read_record("blocked");
    assert_string_equal(fds, ""); /* from 10 on they are the shell's own */
    assert_null(strstr(env, "WEFT_SECRET"));
    assert_non_null(strstr(env, "CNI_PATH="));
    assert_non_null(strstr(blocked, "0000000000000000"));
}

static void a_cancelled_one_is_killed(void **state)
{
    _cleanup_cni_config_ struct cni_config *config =
        make_config("{'cniVersion':'1.1.0','name':'n','type':'one'}");
    _cleanup_free_ char *path = str_printf("%s/pid", dir), *pid = NULL;
    struct cni_chain *chain;

    (void)state;
    write_plugin("one", "echo $$ > $D/pid; exec sleep 60");
    start(config, CNI_ADD, NULL, &chain);
    while (access(path, F_OK) < 0)
        uv_run(&loop, UV_RUN_NOWAIT);
    usleep(50000);
    pid = read_record("pid");
    cni_chain_cancel(chain);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(answers, 0);
    check_gone(atoi(pid));
    check_reaped(atoi(pid));
}

/* When the loop ends nothing waits for it, and nothing is left open. */
static void a_cancelled_one_does_not_hold_up_the_end(void **state)
{
    _cleanup_cni_config_ struct cni_config *config =
        make_config("{'cniVersion':'1.1.0','name':'n','type':'one'}");
    _cleanup_free_ char *path = str_printf("%s/pid", dir);
    struct cni_chain *chain;

    (void)state;
    write_plugin("one", "echo $$ > $D/pid; exec sleep 60");
    start(config, CNI_ADD, NULL, &chain);
    while (access(path, F_OK) < 0)
        uv_run(&loop, UV_RUN_NOWAIT);
    cni_chain_cancel(chain);
    cni_exec_end(&loop);
    assert_int_equal(uv_run(&loop, UV_RUN_NOWAIT), 0);
    assert_int_equal(answers, 0);
}

static int make_dir(void **state)
{
    (void)state;
    uv_loop_init(&loop);
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    return uv_loop_close(&loop) == 0 ? dir_remove(dir, NULL) : -1;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

/* What the test itself was started with is not passed on. */
static int close_others(void **state)
{
    (void)state;
    return close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_gets_the_result_of_the_one_before),
        TEST(they_let_go_in_reverse_and_all_of_them),
        TEST(a_failure_ends_add_and_check),
        TEST(versions_are_what_all_have_in_common),
        TEST(garbage_is_told),
        TEST(a_slow_one_is_killed_with_what_it_runs),
        TEST(what_dies_is_told),
        TEST(what_it_leaves_behind_goes_on),
        TEST(an_absent_one_is_told),
        TEST(it_inherits_nothing),
        TEST(a_cancelled_one_is_killed),
        TEST(a_cancelled_one_does_not_hold_up_the_end),
    };

    return cmocka_run_group_tests(tests, close_others, NULL);
}
