/* SPDX-License-Identifier: Apache-2.0 */

/* What the daemon says of itself and of the host. */

#include <limits.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "api/handlers.h"
#include "api/reply.h"
#include "base/file.h"
#include "base/json.h"
#include "base/time.h"

int handle_ping(struct request *rq, struct weft_error *err)
{
    static char ok[] = "OK";
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(ok), ok, MHD_RESPMEM_PERSISTENT);

    if (response)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
                                "no-cache, no-store, must-revalidate");
    return reply_response(rq, MHD_HTTP_OK, CONTENT_TEXT, response, err);
}

/* Docker names architectures as Go does. */
static const char *architecture(const struct utsname *host)
{
    static const char *const names[][2] = {{"x86_64", "amd64"},
                                           {"aarch64", "arm64"},
                                           {"i686", "386"},
                                           {"armv7l", "arm"}};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(host->machine, names[i][0]) == 0)
            return names[i][1];
    return host->machine;
}

int handle_version(struct request *rq, struct weft_error *err)
{
    struct utsname host;
    json_t *facts, *details;

    uname(&host);
    facts = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "ApiVersion", API_VERSION,
                      "MinAPIVersion", API_VERSION_MIN, "Os", "linux", "Arch", architecture(&host),
                      "KernelVersion", host.release, "GitCommit", "", "GoVersion", "none",
                      "BuildTime", "");
    details = json_copy(facts);
    (void)json_object_set_new(details, "Experimental", json_string("false"));
    if (json_object_update_new(facts, json_pack("{s:s, s:{s:s}, s:[{s:s, s:s, s:o}]}", "Version",
                                                WEFT_VERSION, "Platform", "Name", "weft",
                                                "Components", "Name", "Engine", "Version",
                                                WEFT_VERSION, "Details", details)) < 0)
        json_decref(TAKE_PTR(facts));
    return reply_json(rq, MHD_HTTP_OK, facts, err);
}

/* PRETTY_NAME of os-release(5), without its quotes. */
static const char *operating_system(char buf[static 128])
{
    static const char key[] = "\nPRETTY_NAME=";
    _cleanup_free_ char *text = NULL;
    const char *value;

    (void)str_copy(buf, 128, "Linux");
    if (file_read("/etc/os-release", 65536, &text, NULL, NULL) < 0)
        return buf;
    value = str_starts_with(text, key + 1) ? text - 1 : strstr(text, key);
    if (!value)
        return buf;
    value += strlen(key);
    value += *value == '"';
    snprintf(buf, 128, "%.*s", (int)strcspn(value, "\"\n"), value);
    return buf;
}

struct tally {
    int total, running, stopped;
};

static struct tally count_containers(struct engine *e)
{
    size_t count;
    struct container *const *containers = engine_containers(e, &count);
    struct tally tally = {.total = (int)count};

    for (size_t i = 0; i < count; i++)
        tally.running += containers[i]->status == CONTAINER_RUNNING;
    tally.stopped = tally.total - tally.running;
    return tally;
}

static json_t *engine_info_json(const struct api *api)
{
    struct tally tally = count_containers(api->engine);

    return json_pack(
        "{s:s, s:i, s:i, s:i, s:i, s:i, s:s, s:[], s:{s:[s], s:[ssss], s:n, s:[s]}, s:s, s:s, s:b, "
        "s:s, s:{s:{s:s}}, s:s, s:{s:s}, s:[], s:[], s:s}",
        "ServerVersion", WEFT_VERSION, "Containers", tally.total, "ContainersRunning",
        tally.running, "ContainersPaused", 0, "ContainersStopped", tally.stopped, "Images", 0,
        "Driver", "overlay2", "DriverStatus", "Plugins", "Volume", "local", "Network", "bridge",
        "host", "none", "null", "Authorization", "Log", "k8s-file", "LoggingDriver", "k8s-file",
        "DockerRootDir", api->state_dir, "LiveRestoreEnabled", true, "DefaultRuntime", "runc",
        "Runtimes", "runc", "path", "runc", "InitBinary", "", "Swarm", "LocalNodeState", "inactive",
        "SecurityOptions", "Warnings", "IndexServerAddress", "");
}

static json_t *host_info_json(void)
{
    char os[128], name[HOST_NAME_MAX + 1] = "";
    bool cgroup2 = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
    struct sysinfo memory;
    struct utsname host;

    uname(&host);
    sysinfo(&memory);
    gethostname(name, sizeof name - 1);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:s, s:s, s:s, s:b, s:b, s:b}", "Name",
                     name, "OSType", "linux", "Architecture", host.machine, "KernelVersion",
                     host.release, "OperatingSystem", operating_system(os), "NCPU",
                     (int)sysconf(_SC_NPROCESSORS_ONLN), "MemTotal",
                     (json_int_t)memory.totalram * memory.mem_unit, "SystemTime",
                     time_text(time_now()), "CgroupDriver", "cgroupfs", "CgroupVersion",
                     cgroup2 ? "2" : "1", "IPv4Forwarding", true, "Debug", false,
                     "ExperimentalBuild", false);
}

/* Limits that clients warn about when they are missing: all are the kernel's, on any host that weft
 * runs on. */
static json_t *limits_json(void)
{
    static const char *const keys[] = {"MemoryLimit",   "SwapLimit",        "CpuCfsPeriod",
                                       "CpuCfsQuota",   "CPUShares",        "CPUSet",
                                       "PidsLimit",     "BridgeNfIptables", "BridgeNfIp6tables",
                                       "OomKillDisable"};
    json_t *limits = json_object();

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        (void)json_object_set_new(limits, keys[i], json_true());
    return limits;
}

int handle_info(struct request *rq, struct weft_error *err)
{
    _cleanup_json_ json_t *info = engine_info_json(rq->api);

    if (json_object_update_new(info, host_info_json()) < 0 ||
        json_object_update_new(info, limits_json()) < 0)
        return weft_oom(err);
    return reply_json(rq, MHD_HTTP_OK, TAKE_PTR(info), err);
}

/* weft has neither; clients list them on their own account. */

int handle_images(struct request *rq, struct weft_error *err)
{
    return reply_json(rq, MHD_HTTP_OK, json_array(), err);
}

int handle_volumes(struct request *rq, struct weft_error *err)
{
    return reply_json(rq, MHD_HTTP_OK, json_pack("{s:[], s:n}", "Volumes", "Warnings"), err);
}

int handle_no_such(struct request *rq, struct weft_error *err)
{
    return weft_fail(err, WEFT_NOT_FOUND, "no such object: %s", rq->ref);
}
