#pragma once
#include <microhttpd.h>
#include <string.h>

/* Paths are compared as they were sent: with %00 decoded, a C string would end early. */
static inline size_t weir_http_keep_escapes(void *context, struct MHD_Connection *connection, char *text) {
    (void)context;
    (void)connection;
    return strlen(text);
}

/* MHD_start_daemon is variadic, which Swift can't call; every other option goes into the array. */
static inline struct MHD_Daemon *weir_http_start(
    unsigned flags, MHD_AccessHandlerCallback handler, void *context, const struct MHD_OptionItem *options) {
    return MHD_start_daemon(
        flags, 0, NULL, NULL, handler, context, MHD_OPTION_UNESCAPE_CALLBACK, weir_http_keep_escapes, NULL, MHD_OPTION_ARRAY,
        options, MHD_OPTION_END);
}
