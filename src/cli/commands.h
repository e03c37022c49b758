/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The subcommands, each in the cmd_*.c of its name. */

#include "cli/command.h"

extern const struct command cmd_attach;
extern const struct command cmd_detach;
extern const struct command cmd_dns_log;
extern const struct command cmd_dns_lookup;
extern const struct command cmd_dns_ls;
extern const struct command cmd_events;
extern const struct command cmd_exec;
extern const struct command cmd_explain;
extern const struct command cmd_info;
extern const struct command cmd_inspect;
extern const struct command cmd_kill;
extern const struct command cmd_limit;
extern const struct command cmd_logs;
extern const struct command cmd_netns_link;
extern const struct command cmd_netns_ls;
extern const struct command cmd_netns_unlink;
extern const struct command cmd_network_connect;
extern const struct command cmd_network_create;
extern const struct command cmd_network_disconnect;
extern const struct command cmd_network_inspect;
extern const struct command cmd_network_ls;
extern const struct command cmd_network_prune;
extern const struct command cmd_network_rm;
extern const struct command cmd_port;
extern const struct command cmd_ps;
extern const struct command cmd_publish;
extern const struct command cmd_restart;
extern const struct command cmd_rm;
extern const struct command cmd_run;
extern const struct command cmd_start;
extern const struct command cmd_stop;
extern const struct command cmd_unpublish;
extern const struct command cmd_version;
extern const struct command cmd_veth;
extern const struct command cmd_wait;
