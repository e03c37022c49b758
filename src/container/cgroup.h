/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Where containers are in the cgroup hierarchies: below this, by id. */
#define CGROUP_PARENT "/weft"

/* Kills what is in a container's cgroups and removes them, in all hierarchies. For what a runtime
 * that was killed left behind: one that lives does it itself. Waits, if it must, for at most a
 * tenth of a second. */
void cgroup_remove(const char *id);
