/*
 * status.c: see status.h.
 */
#include "http/status.h"

static const char *const informational[] = {"Continue", "Switching Protocols", "Processing",
                                            "Early Hints"};
static const char *const success[] = {
    "OK",
    "Created",
    "Accepted",
    "Non-Authoritative Information",
    "No Content",
    "Reset Content",
    "Partial Content",
    "Multi-Status",
    "Already Reported",
};
static const char *const redirection[] = {
    "Multiple Choices",
    "Moved Permanently",
    "Found",
    "See Other",
    "Not Modified",
    "Use Proxy",
    [7] = "Temporary Redirect",
    [8] = "Permanent Redirect",
};
static const char *const client_error[] = {
    "Bad Request",
    "Unauthorized",
    "Payment Required",
    "Forbidden",
    "Not Found",
    "Method Not Allowed",
    "Not Acceptable",
    "Proxy Authentication Required",
    "Request Timeout",
    "Conflict",
    "Gone",
    "Length Required",
    "Precondition Failed",
    "Content Too Large",
    "URI Too Long",
    "Unsupported Media Type",
    "Range Not Satisfiable",
    "Expectation Failed",
    [21] = "Misdirected Request",
    [22] = "Unprocessable Content",
    [23] = "Locked",
    [24] = "Failed Dependency",
    [25] = "Too Early",
    [26] = "Upgrade Required",
    [28] = "Precondition Required",
    [29] = "Too Many Requests",
    [31] = "Request Header Fields Too Large",
    [51] = "Unavailable For Legal Reasons",
};
static const char *const server_error[] = {
    "Internal Server Error",
    "Not Implemented",
    "Bad Gateway",
    "Service Unavailable",
    "Gateway Timeout",
    "HTTP Version Not Supported",
    "Variant Also Negotiates",
    "Insufficient Storage",
    "Loop Detected",
    [11] = "Network Authentication Required",
};

#define CLASS(table, general)                                                                      \
    {                                                                                              \
        table, sizeof(table) / sizeof((table)[0]), general                                         \
    }
static const struct {
    const char *const *texts;
    int count;
    const char *general;
} classes[] = {
    CLASS(informational, "Informational"), CLASS(success, "Success"),
    CLASS(redirection, "Redirection"),     CLASS(client_error, "Client Error"),
    CLASS(server_error, "Server Error"),
};

const char *bide__http_reason(int status)
{
    if (status < 100 || status > 599)
        return "Unknown";
    int class = status / 100 - 1, rest = status % 100;
    if (rest < classes[class].count && classes[class].texts[rest])
        return classes[class].texts[rest];
    return classes[class].general;
}

bool bide__http_bodiless(int status)
{
    return (status >= 100 && status < 200) || status == 204 || status == 304;
}
