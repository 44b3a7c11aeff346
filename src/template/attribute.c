/*
 * What the value of an attribute is: text, a URL, something that runs. Called by html.c; pure.
 * Source: WHATWG HTML, its index of attributes; the attributes that libraries of scripts run.
 */
#include "template/html.h"

static bool starts_with(const char *word, const char *start)
{
    return strncmp(word, start, strlen(start)) == 0;
}

/* Programs, documents, and what is meant to protect. */
static bool is_refused(const char *name)
{
    static const char *const names[] = {"srcdoc",     "sandbox",    "allow",   "http-equiv",
                                        "codebase",   "classid",    "code",    "archive",
                                        "data-bind",  "hx-vals",    "hx-vars", "hx-headers",
                                        "hx-trigger", "hx-request", NULL};
    static const char *const starts[] = {"on", "hx-on", "x-", "v-", "ng-", NULL};
    for (size_t i = 0; starts[i]; i++)
        if (starts_with(name, starts[i]))
            return true;
    return bide__html_is_one_of(name, names);
}

/* Content that is loaded into the page, or decides from where all else is loaded. */
static bool is_loaded(const char *element, const char *name)
{
    static const char *const with_src[] = {"script", "iframe", "frame", "embed", NULL};
    static const char *const with_href[] = {"script", "base", "use", NULL};
    return (strcmp(name, "src") == 0 && bide__html_is_one_of(element, with_src)) ||
           ((strcmp(name, "href") == 0 || strcmp(name, "xlink:href") == 0) &&
            bide__html_is_one_of(element, with_href)) ||
           (strcmp(name, "data") == 0 && strcmp(element, "object") == 0);
}

/* Those that change other attributes of elements. */
static bool is_animated(const char *element, const char *name)
{
    static const char *const names[] = {"attributename", "by", "from", "to", "values", NULL};
    return (strcmp(element, "set") == 0 || starts_with(element, "animate")) &&
           bide__html_is_one_of(name, names);
}

enum bide__html_attribute bide__html_attribute(const char *element, const char *name)
{
    static const char *const urls[] = {
        "href",      "src",         "action",         "formaction", "poster",  "cite",
        "data",      "background",  "manifest",       "longdesc",   "profile", "usemap",
        "icon",      "xlink:href",  "hx-get",         "hx-post",    "hx-put",  "hx-patch",
        "hx-delete", "hx-push-url", "hx-replace-url", NULL};
    static const char *const lists[] = {"srcset", "imagesrcset", "ping", NULL};
    if (starts_with(name, "data-hx-") || starts_with(name, "data-ng-") ||
        starts_with(name, "data-x-") || starts_with(name, "data-v-"))
        name += 5;
    if (is_refused(name) || is_animated(element, name) || strcmp(element, "param") == 0)
        return BIDE__HTML_REFUSED;
    if (is_loaded(element, name))
        return BIDE__HTML_LOADED;
    if (bide__html_is_one_of(name, urls))
        return BIDE__HTML_URL;
    if (bide__html_is_one_of(name, lists))
        return BIDE__HTML_URLS;
    if (strcmp(name, "style") == 0)
        return BIDE__HTML_STYLE;
    /* `@click`, `:href`, `[x]`: names that only libraries of scripts give a meaning. */
    for (const char *c = name; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '-' || *c == '_') &&
            !starts_with(name, "xml:") && !starts_with(name, "xmlns:"))
            return BIDE__HTML_REFUSED;
    return BIDE__HTML_ANY;
}
