/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/library.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#define LIBRARY "libcurl.so.4"

static const struct {
    const char *name;
    size_t offset;
} symbols[] = {
#define SYMBOL(name)                                                                               \
    {                                                                                              \
        "curl_" #name, offsetof(struct curl_library, name)                                         \
    }
    SYMBOL(global_init),         SYMBOL(multi_init),          SYMBOL(multi_setopt),
    SYMBOL(multi_add_handle),    SYMBOL(multi_remove_handle), SYMBOL(multi_assign),
    SYMBOL(multi_socket_action), SYMBOL(multi_info_read),     SYMBOL(multi_cleanup),
    SYMBOL(easy_init),           SYMBOL(easy_setopt),         SYMBOL(easy_getinfo),
    SYMBOL(easy_cleanup),        SYMBOL(easy_strerror),       SYMBOL(slist_append),
    SYMBOL(slist_free_all),
#undef SYMBOL
};

const struct curl_library *curl_library(struct weft_error *err)
{
    static struct curl_library library;
    static bool ready;
    void *handle = ready ? NULL : dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

    if (ready)
        return &library;
    if (!handle) {
        weft_fail(err, WEFT_INTERNAL, "plugins need " LIBRARY ": %s", dlerror());
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
        void *symbol = dlsym(handle, symbols[i].name);

        if (!symbol) {
            weft_fail(err, WEFT_INTERNAL, LIBRARY " is too old: %s", dlerror());
            return NULL;
        }
        memcpy((char *)&library + symbols[i].offset, &symbol, sizeof symbol);
    }
    if (library.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        weft_fail(err, WEFT_INTERNAL, LIBRARY " cannot be set up");
        return NULL;
    }
    ready = true;
    return &library;
}
