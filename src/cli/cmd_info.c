/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/report.h"
#include "cli/table.h"

static const char *format;

static const struct cli_option options[] = {
    OPT_STRING('f', "format", &format, "FORMAT", "json, or a template"),
    OPT_END,
};

/* Prints what the daemon tells of these, in this order. */
static int print_info(const json_t *info, struct weft_error *err)
{
    static const struct {
        const char *label;
        const char *template;
    } lines[] = {
        {"Server version", "{{.ServerVersion}}"},
        {"Name", "{{.Name}}"},
        {"ID", "{{.ID}}"},
        {"Containers", "{{.Containers}}"},
        {" running", "{{.ContainersRunning}}"},
        {" stopped", "{{.ContainersStopped}}"},
        {"Network drivers", "{{range .Plugins.Network}}{{.}} {{end}}"},
        {"Runtimes", "{{range $name, $r := .Runtimes}}{{$name}} {{end}}"},
        {"Default runtime", "{{.DefaultRuntime}}"},
        {"Address pools", "{{range .DefaultAddressPools}}{{.Base}}/{{.Size}} {{end}}"},
        {"Root directory", "{{.DockerRootDir}}"},
        {"Kernel", "{{.KernelVersion}}"},
        {"Operating system", "{{.OperatingSystem}}"},
        {"Architecture", "{{.Architecture}}"},
        {"CPUs", "{{.NCPU}}"},
        {"Memory", "{{.MemTotal}}"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        _cleanup_strbuf_ struct strbuf text = {0};
        /* Not there: not shown. */
        if (format_render(lines[i].template, info, &text, NULL) == 0)
            printf("%s: %s\n", lines[i].label, strbuf_text(&text));
        if (text.failed)
            return weft_oom(err);
    }
    return 0;
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_json_ json_t *info = NULL;
    int r;

    (void)operands;
    r = client_call(daemon, "GET", "/info", NULL, &info, err);
    if (r == 0)
        r = format ? format_print(format, info, err) : print_info(info, err);
    if (r == 0)
        report_warnings(info, "Warnings");
    return r;
}

const struct command cmd_info = {
    .name = "info",
    .summary = "Show what weftd knows of itself and its host.",
    .example = "weft info --format json",
    .options = {options},
    .run = run,
};
