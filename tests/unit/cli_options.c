/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "cli/options.h"

static struct {
    bool all;
    bool force;
    enum option_switch ipv6;
    const char *name;
    struct option_number number;
    strv labels;
    strv subnets;
} args;

static const struct cli_option first[] = {
    OPT_FLAG('a', "all", &args.all, "All"),
    OPT_FLAG('f', "force", &args.force, "Force"),
    OPT_SWITCH(0, "ipv6", &args.ipv6, "IPv6"),
    OPT_STRING('s', "name", &args.name, "NAME", "Name"),
    OPT_END,
};
static const struct cli_option second[] = {
    OPT_NUMBER('n', "number", &args.number, "NUMBER", "Number"),
    OPT_LIST('l', "label", &args.labels, "LABEL", "Label"),
    OPT_COMMAS(0, "subnet", &args.subnets, "SUBNET", "Subnet"),
    OPT_END,
};
static const struct cli_option *const tables[] = {first, second, NULL};

static strv operands;
static bool help;
static struct weft_error err;

static int reset(void **state)
{
    (void)state;
    strv_free(args.labels);
    strv_free(args.subnets);
    strv_free(TAKE_PTR(operands));
    memset(&args, 0, sizeof args);
    help = false;
    return 0;
}

/* Parses words divided by spaces. */
static int parse_as(bool stop_at_operand, const char *line)
{
    static char *kept; /* options borrow from argv */
    char *words[16] = {NULL}, *rest;
    size_t n = 0;

    reset(NULL);
    free(kept);
    kept = strdup(line);
    for (char *word = strtok_r(kept, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        words[n++] = word;
    return options_parse(tables, stop_at_operand, words, &operands, &help, &err);
}

static int parse(const char *line)
{
    return parse_as(false, line);
}

static void assert_list(strv list, const char *expected)
{
    _cleanup_strbuf_ struct strbuf text = {0};

    for (; list && *list; list++)
        strbuf_printf(&text, "%s%s", text.len ? " " : "", *list);
    assert_string_equal(strbuf_text(&text), expected);
}

static void assert_refused(const char *line, const char *sentence)
{
    assert_int_equal(parse(line), -EINVAL);
    assert_string_equal(err.text, sentence);
}

static void nothing_given_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(parse(""), 0);
    assert_false(args.all);
    assert_int_equal(args.ipv6, SWITCH_UNSET);
    assert_null(args.name);
    assert_false(args.number.is_set);
    assert_null(args.labels);
    assert_null(operands);
    assert_false(help);
}

static void values_may_be_written_in_each_way(void **state)
{
    static const char *const ways[] = {
        "--name web", "--name=web", "-s web", "-sweb", "-s=web", "-as web", "-asweb", "-as=web",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        assert_int_equal(parse(ways[i]), 0);
        assert_string_equal(args.name, "web");
    }
    assert_int_equal(parse("--name="), 0);
    assert_string_equal(args.name, "");
    assert_int_equal(parse("--name --all"), 0);
    assert_string_equal(args.name, "--all");
    assert_int_equal(parse("--name a=b"), 0);
    assert_string_equal(args.name, "a=b");
    assert_int_equal(parse("--name a --name b"), 0);
    assert_string_equal(args.name, "b");
}

static void flags_cluster_and_may_be_false(void **state)
{
    (void)state;
    assert_int_equal(parse("-af"), 0);
    assert_true(args.all && args.force);
    assert_int_equal(parse("-af=false"), 0);
    assert_true(args.all && !args.force);
    assert_int_equal(parse("--all --all=false"), 0);
    assert_false(args.all);
    assert_int_equal(parse("--ipv6"), 0);
    assert_int_equal(args.ipv6, SWITCH_ON);
    assert_int_equal(parse("--ipv6=0"), 0);
    assert_int_equal(args.ipv6, SWITCH_OFF);
    assert_refused("--all=maybe", "--all is true or false, not \"maybe\"");
    assert_int_equal(parse("--all false"), 0); /* a flag takes no word of its own */
    assert_true(args.all);
    assert_list(operands, "false");
}

static void numbers(void **state)
{
    (void)state;
    assert_int_equal(parse("-n5"), 0);
    assert_int_equal(args.number.value, 5);
    assert_int_equal(parse("--number -3"), 0);
    assert_true(args.number.is_set);
    assert_int_equal(args.number.value, -3);
    assert_refused("-n x", "--number takes a whole number, not \"x\"");
    assert_refused("-n 1.5", "--number takes a whole number, not \"1.5\"");
    assert_refused("-n 99999999999", "--number takes a whole number, not \"99999999999\"");
}

static void lists_collect(void **state)
{
    (void)state;
    assert_int_equal(parse("-l a --label b,c -l=d"), 0);
    assert_list(args.labels, "a b,c d");
    assert_int_equal(parse("--subnet a,b --subnet c"), 0);
    assert_list(args.subnets, "a b c");
    assert_int_equal(parse("--subnet \"a=1,b=2\",c"), 0);
    assert_list(args.subnets, "a=1,b=2 c");
    assert_refused("--subnet \"a", "--subnet: unbalanced quotes in \"a");
}

static void operands_mix_with_options(void **state)
{
    (void)state;
    assert_int_equal(parse("one -a two --name x three -"), 0);
    assert_list(operands, "one two three -");
    assert_true(args.all);
    assert_int_equal(parse("one -- -a --"), 0);
    assert_list(operands, "one -a --");
    assert_false(args.all);
}

static void operands_of_others_are_left_alone(void **state)
{
    (void)state;
    assert_int_equal(parse_as(true, "-a ls -l --help -- x"), 0);
    assert_list(operands, "ls -l --help -- x");
    assert_true(args.all);
    assert_false(help);
    assert_int_equal(parse_as(true, "-a -- -f x"), 0);
    assert_list(operands, "-f x");
    assert_false(args.force);
}

static void help_ends_parsing(void **state)
{
    (void)state;
    assert_int_equal(parse("-a --help --nonsense"), 0);
    assert_true(help);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    assert_refused("--nope", "unknown option --nope");
    assert_refused("--nope=x", "unknown option --nope");
    assert_refused("--al", "unknown option --al");
    assert_refused("-aZ", "unknown option -Z");
    assert_refused("--name", "option --name needs a value");
    assert_refused("-as", "option -s needs a value");
}

static void csv(void **state)
{
    static const struct {
        const char *text;
        size_t count;
        const char *last;
    } good[] = {
        {"", 1, ""},        {"a", 1, "a"},         {"a,", 2, ""},
        {"a,b", 2, "b"},    {"\"a,b\"", 1, "a,b"}, {"a,\"say \"\"hi\"\"\"", 2, "say \"hi\""},
        {"\"\",b", 2, "b"}, {"a\"b", 1, "a\"b"},
    };
    static const char *const bad[] = {"\"", "\"a", "\"a\"b", "a,\"b", "\"\"\""};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        _cleanup_strv_ strv fields = NULL;

        assert_int_equal(csv_split(good[i].text, &fields, NULL), 0);
        assert_int_equal(strv_length(fields), good[i].count);
        assert_string_equal(fields[good[i].count - 1], good[i].last);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_strv_ strv fields = NULL;

        assert_int_equal(csv_split(bad[i], &fields, NULL), -EINVAL);
    }
}

static void pairs(void **state)
{
    _cleanup_free_ char *key = NULL, *bare = NULL;
    const char *value;

    (void)state;
    assert_int_equal(pair_split("opt", "a=b=c", true, &key, &value, &err), 0);
    assert_string_equal(key, "a");
    assert_string_equal(value, "b=c");
    assert_int_equal(pair_split("opt", "a", false, &bare, &value, &err), 0);
    assert_string_equal(bare, "a");
    assert_string_equal(value, "");
    assert_int_equal(pair_split("opt", "a", true, &key, &value, &err), -EINVAL);
    assert_string_equal(err.text, "--opt takes KEY=VALUE, not \"a\"");
    assert_int_equal(pair_split("opt", "=b", false, &key, &value, &err), -EINVAL);
    assert_int_equal(pair_split("opt", "", false, &key, &value, &err), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nothing_given_changes_nothing, reset),
        cmocka_unit_test_teardown(values_may_be_written_in_each_way, reset),
        cmocka_unit_test_teardown(flags_cluster_and_may_be_false, reset),
        cmocka_unit_test_teardown(numbers, reset),
        cmocka_unit_test_teardown(lists_collect, reset),
        cmocka_unit_test_teardown(operands_mix_with_options, reset),
        cmocka_unit_test_teardown(operands_of_others_are_left_alone, reset),
        cmocka_unit_test_teardown(help_ends_parsing, reset),
        cmocka_unit_test_teardown(mistakes_are_named, reset),
        cmocka_unit_test(csv),
        cmocka_unit_test(pairs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
