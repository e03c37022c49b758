/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The handlers: one file a resource. */

#include "api/request.h"

/* system.c */
request_handler handle_ping, handle_version, handle_info, handle_images, handle_volumes;
/* For `docker inspect`, which asks for everything that a name could mean. */
request_handler handle_no_such;

/* events.c */
request_handler handle_events;

/* network.c */
request_handler handle_network_list, handle_network_create, handle_network_inspect,
    handle_network_remove, handle_network_connect, handle_network_disconnect, handle_network_prune;

/* container_create.c, container_list.c, container.c */
request_handler handle_container_create;
request_handler handle_container_list, handle_container_inspect;
request_handler handle_container_start, handle_container_stop, handle_container_restart,
    handle_container_kill, handle_container_remove, handle_container_prune, handle_container_resize;

/* wait.c, logs.c, attach.c */
request_handler handle_container_wait, handle_container_logs, handle_container_attach;

/* exec.c */
request_handler handle_exec_create, handle_exec_start, handle_exec_inspect, handle_exec_resize;

/* dns.c */
request_handler handle_dns_names, handle_dns_lookup, handle_dns_log;

/* publish.c */
request_handler handle_publish, handle_unpublish, handle_port_list;

/* limit.c */
request_handler handle_limit, handle_limit_list;

/* weft.c */
request_handler handle_explain, handle_attach, handle_detach, handle_sandbox_list,
    handle_sandbox_link, handle_link_remove, handle_veth_list, handle_fault, handle_fault_count;
