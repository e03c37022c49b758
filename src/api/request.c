/* SPDX-License-Identifier: Apache-2.0 */
#include "api/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/hijack.h"
#include "api/later.h"
#include "base/json.h"
#include "base/time.h"

struct request *request_new(struct api *api, struct MHD_Connection *connection, const char *path,
                            const char *method)
{
    struct request *rq = calloc(1, sizeof *rq);

    if (!rq)
        return NULL;
    rq->api = api;
    rq->connection = connection;
    rq->path = path;
    rq->method = method;
    rq->next = api->requests;
    rq->link = &api->requests;
    if (rq->next)
        rq->next->link = &rq->next;
    api->requests = rq;
    return rq;
}

void request_free(struct request *rq)
{
    if (!rq)
        return;
    *rq->link = rq->next;
    if (rq->next)
        rq->next->link = rq->link;
    if (rq->later)
        later_forget(rq->later);
    hijack_free(rq->hijack);
    if (rq->response)
        MHD_destroy_response(rq->response);
    strbuf_free(&rq->body);
    free(rq->ref);
    free(rq);
}

void request_suspend(struct request *rq)
{
    rq->suspended = true;
    MHD_suspend_connection(rq->connection);
}

void request_resume(struct request *rq)
{
    if (!rq->suspended)
        return;
    rq->suspended = false;
    MHD_resume_connection(rq->connection);
    server_wake(rq->api);
    api_wake(rq->api);
}

const char *request_query(const struct request *rq, const char *key)
{
    const char *value = NULL;

    if (MHD_lookup_connection_value_n(rq->connection, MHD_GET_ARGUMENT_KIND, key, strlen(key),
                                      &value, NULL) == MHD_NO)
        return NULL;
    return value ? value : "";
}

bool request_query_bool(const struct request *rq, const char *key)
{
    static const char *const negations[] = {"", "0", "no", "false", "none"};
    const char *value = request_query(rq, key);

    if (!value)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(negations); i++)
        if (strcasecmp(value, negations[i]) == 0)
            return false;
    return true;
}

int request_query_i64(const struct request *rq, const char *key, int64_t min, int64_t max,
                      int64_t *ret, struct weft_error *err)
{
    const char *value = request_query(rq, key);

    if (str_is_empty(value) || str_to_i64(value, min, max, ret) == 0)
        return 0;
    return weft_fail(err, WEFT_INVALID, "invalid value \"%s\" of query parameter %s", value, key);
}

int request_query_time(const struct request *rq, const char *key, int64_t *ret,
                       struct weft_error *err)
{
    const char *value = request_query(rq, key);

    if (str_is_empty(value) || time_parse(value, ret) == 0)
        return 0;
    return weft_fail(err, WEFT_INVALID, "\"%s\" of query parameter %s is not a time", value, key);
}

const char *request_header(const struct request *rq, const char *key)
{
    return MHD_lookup_connection_value(rq->connection, MHD_HEADER_KIND, key);
}

int request_json(const struct request *rq, json_t **ret, struct weft_error *err)
{
    _cleanup_json_ json_t *doc = NULL;
    int r;

    if (rq->body.failed)
        return weft_oom(err);
    if (rq->body.len == 0)
        return weft_fail(err, WEFT_INVALID, "%s %s needs a JSON body", rq->method, rq->path);
    r = json_parse(rq->body.data, rq->body.len, &doc, err);
    if (r < 0)
        return r;
    if (!json_is_object(doc))
        return weft_fail(err, WEFT_INVALID, "the body of %s %s must be a JSON object", rq->method,
                         rq->path);
    *ret = TAKE_PTR(doc);
    return 0;
}

struct strbuf *request_dry(const struct request *rq, struct strbuf *plan)
{
    return request_query_bool(rq, "dry-run") ? plan : NULL;
}
