/* SPDX-License-Identifier: Apache-2.0 */

/* weft: the command line. */

#include <stddef.h>

#include "cli/commands.h"

static const struct command *const commands[] = {
    &cmd_run,
    &cmd_exec,
    &cmd_ps,
    &cmd_logs,
    &cmd_start,
    &cmd_stop,
    &cmd_restart,
    &cmd_kill,
    &cmd_wait,
    &cmd_rm,
    &cmd_inspect,
    &cmd_publish,
    &cmd_unpublish,
    &cmd_port,
    &cmd_limit,
    &cmd_network_create,
    &cmd_network_ls,
    &cmd_network_inspect,
    &cmd_network_connect,
    &cmd_network_disconnect,
    &cmd_network_rm,
    &cmd_network_prune,
    &cmd_dns_ls,
    &cmd_dns_lookup,
    &cmd_dns_log,
    &cmd_attach,
    &cmd_detach,
    &cmd_netns_ls,
    &cmd_netns_link,
    &cmd_netns_unlink,
    &cmd_veth,
    &cmd_explain,
    &cmd_events,
    &cmd_info,
    &cmd_version,
    NULL,
};

int main(int argc, char **argv)
{
    (void)argc;
    return command_main(commands, argv);
}
