/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "cli/format.h"

static const char document[] =
    "{\"Id\": \"abc\", \"Name\": \"web\", \"Internal\": false, \"MTU\": 1500, \"Ratio\": 0.5,"
    " \"Nothing\": null, \"Empty\": {}, \"None\": [],"
    " \"Labels\": {\"b\": \"2\", \"a\": \"1\", \"x.y\": \"dotted\"},"
    " \"IPAM\": {\"Config\": [{\"Subnet\": \"10.0.0.0/24\"}, {\"Subnet\": \"fd00::/64\"}]},"
    " \"Names\": [\"one\", \"two\"]}";

static struct weft_error err;

static int render(const char *template, struct strbuf *out)
{
    _cleanup_json_ json_t *doc = NULL;

    assert_int_equal(json_parse(document, strlen(document), &doc, &err), 0);
    return format_render(template, doc, out, &err);
}

static void assert_renders(const char *template, const char *expected)
{
    _cleanup_strbuf_ struct strbuf out = {0};

    if (render(template, &out) < 0)
        fail_msg("%s: %s", template, err.text);
    assert_string_equal(strbuf_text(&out), expected);
}

static void assert_refused(const char *template, const char *sentence)
{
    _cleanup_strbuf_ struct strbuf out = {0};

    assert_int_equal(render(template, &out), -EINVAL);
    assert_string_equal(err.text, sentence);
}

static void text_is_copied(void **state)
{
    (void)state;
    assert_renders("", "");
    assert_renders("plain } {text", "plain } {text");
}

static void fields(void **state)
{
    (void)state;
    assert_renders("{{.Name}}", "web");
    assert_renders("<{{ .Name }}>", "<web>");
    assert_renders("{{.Name}}{{.Id}}", "webabc");
    assert_renders("{{.ID}} {{.ipam.config}}",
                   "abc [map[Subnet:10.0.0.0/24] map[Subnet:fd00::/64]]");
    assert_renders("{{$.Name}}", "web");
    assert_renders("{{\"a\\tb\\\"\"}}", "a\tb\"");
    assert_refused("{{.Nope}}", "format: there is no field .Nope");
    assert_refused("{{.Name.First}}", "format: there is no field .First");
    assert_refused("{{.Nothing.X}}", "format: there is no field .X");
}

static void values_print_as_in_go(void **state)
{
    (void)state;
    assert_renders("{{.Internal}} {{.MTU}} {{.Ratio}}", "false 1500 0.5");
    assert_renders("{{.Labels}}", "map[a:1 b:2 x.y:dotted]");
    assert_renders("{{.Names}} {{.None}} {{.Empty}}", "[one two] [] map[]");
    assert_renders("{{.Nothing}}", "<no value>");
}

static void functions(void **state)
{
    (void)state;
    assert_renders("{{json .Name}}", "\"web\"");
    assert_renders("{{json .Labels}}", "{\"b\":\"2\",\"a\":\"1\",\"x.y\":\"dotted\"}");
    assert_renders("{{index .Labels \"x.y\"}}", "dotted");
    assert_renders("<{{index .Labels \"nope\"}}>", "<>");
    assert_renders("{{index .Names 1}}", "two");
    assert_renders("{{index .IPAM.Config 1 \"Subnet\"}}", "fd00::/64");
    assert_renders("{{(index .IPAM.Config 0).Subnet}}", "10.0.0.0/24");
    assert_renders("{{len .Names}} {{len .Labels}} {{len .Name}}", "2 3 3");
    assert_renders("{{println .Name .MTU}}", "web 1500\n");
    assert_refused("{{index .Names 2}}", "format: index 2 is out of range");
    assert_refused("{{index .Name 0}}", "format: index of what has none");
    assert_refused("{{index .Names -1}}", "format: index -1 is out of range");
    assert_refused("{{len .MTU}}", "format: len of what has none");
    assert_refused("{{json}}", "format: json needs an argument");
}

static void ranges(void **state)
{
    (void)state;
    assert_renders("{{range .Names}}{{.}} {{end}}", "one two ");
    assert_renders("{{range .IPAM.Config}}{{.Subnet}},{{end}}", "10.0.0.0/24,fd00::/64,");
    assert_renders("{{range .Labels}}{{.}}{{end}}", "12dotted");
    assert_renders("{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}", "a=1;b=2;x.y=dotted;");
    assert_renders("{{range $i, $n := .Names}}{{$i}}{{$n}}{{end}}", "0one1two");
    assert_renders("{{range $n := .Names}}{{$n}}{{$.MTU}} {{end}}", "one1500 two1500 ");
    assert_renders("{{range .None}}x{{.Nope}}{{end}}-{{range .Empty}}y{{end}}", "-");
    assert_renders("{{range .Nothing}}x{{end}}", "");
    assert_renders("{{range $c := .IPAM.Config}}{{range $k, $v := $c}}{{$k}}:{{$v}} {{end}}{{end}}",
                   "Subnet:10.0.0.0/24 Subnet:fd00::/64 ");
    assert_refused("{{range .Names}}", "format: range without {{end}}");
    assert_refused("{{end}}", "format: {{end}} without a range");
    assert_refused("{{range .Name}}{{end}}", "format: range over what is no list or map");
    assert_refused("{{range $k, $v := .Labels}}{{end}}{{$k}}",
                   "format: variable $k is not defined");
}

static void the_rest_of_go_is_refused_by_name(void **state)
{
    (void)state;
    assert_refused("{{if .Name}}x{{end}}", "format: \"if\" is not supported");
    assert_refused("{{with .Name}}x{{end}}", "format: \"with\" is not supported");
    assert_refused("{{printf \"%s\" .Name}}", "format: \"printf\" is not supported");
    assert_refused("{{.Name | json}}", "format: \"|\" is not supported");
    assert_refused("{{$x := .Name}}", "format: variable $x is not defined");
    assert_refused("{{range .None}}{{if .}}{{end}}{{end}}", "format: \"if\" is not supported");
    assert_refused("{{.Name", "format: \"}}\" is missing");
    assert_refused("{{", "format: \"}}\" is missing");
    assert_refused("{{.Name .Id}}", "format: \".\" is not supported");
    assert_refused("{{(index .Names 0}}", "format: \"}\" is not supported");
    assert_refused("{{\"open}}", "format: bad string literal");
}

static void two_characters_stand_for_one(void **state)
{
    _cleanup_free_ char *text = format_unescape("a\\tb\\nc\\d\\");

    (void)state;
    assert_string_equal(text, "a\tb\nc\\d\\");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_copied),
        cmocka_unit_test(fields),
        cmocka_unit_test(values_print_as_in_go),
        cmocka_unit_test(functions),
        cmocka_unit_test(ranges),
        cmocka_unit_test(the_rest_of_go_is_refused_by_name),
        cmocka_unit_test(two_characters_stand_for_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
