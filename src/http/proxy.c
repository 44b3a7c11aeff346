/*
 * proxy.c: see proxy.h. A chain of proxies is read from its left end, since quoted strings can be
 * read in one direction only, and the last hops are kept; then it is walked from its right end.
 */
#include "http/proxy.h"

#include <arpa/inet.h>
#include <errno.h>

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

static bool is_v4(const struct bide__http_address *address)
{
    return memcmp(address->bytes, v4_prefix, sizeof v4_prefix) == 0;
}

static bool is_equal(const struct bide__http_address *a, const struct bide__http_address *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static bool is_unix(const struct bide__http_address *address)
{
    static const struct bide__http_address zero;
    return is_equal(address, &zero);
}

static struct bide__http_address from_v4(const void *bytes)
{
    struct bide__http_address address;
    memcpy(address.bytes, v4_prefix, sizeof v4_prefix);
    memcpy(address.bytes + sizeof v4_prefix, bytes, 4);
    return address;
}

struct bide__http_address bide__http_address_of(const struct sockaddr *address)
{
    struct bide__http_address result = {{0}};
    if (address->sa_family == AF_INET)
        return from_v4(&((const struct sockaddr_in *)(const void *)address)->sin_addr);
    if (address->sa_family == AF_INET6)
        memcpy(result.bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    return result;
}

/* inet_ntop takes 40 times as long for IPv4, and an access log asks for each request. */
static size_t format_v4(const uint8_t bytes[4], char *text)
{
    char *at = text;
    for (int i = 0; i < 4; i++) {
        unsigned value = bytes[i];
        if (i > 0)
            *at++ = '.';
        if (value >= 100)
            *at++ = (char)('0' + value / 100);
        if (value >= 10)
            *at++ = (char)('0' + value / 10 % 10);
        *at++ = (char)('0' + value % 10);
    }
    return (size_t)(at - text);
}

size_t bide__http_address_format(const struct bide__http_address *address,
                                 char text[BIDE__HTTP_ADDRESS_BYTES + 1])
{
    if (is_v4(address))
        return format_v4(address->bytes + sizeof v4_prefix, text);
    if (is_unix(address)) {
        static const char name[] = "unix";
        memcpy(text, name, sizeof name);
        return sizeof name - 1;
    }
    inet_ntop(AF_INET6, address->bytes, text, BIDE__HTTP_ADDRESS_BYTES + 1);
    return strlen(text);
}

/* An address alone. */
static bool parse_address(struct bide__slice text, struct bide__http_address *ret_address)
{
    char copy[BIDE__HTTP_ADDRESS_BYTES + 1];
    uint8_t v4[4];
    if (text.length == 0 || text.length >= sizeof copy || memchr(text.bytes, 0, text.length))
        return false;
    memcpy(copy, text.bytes, text.length);
    copy[text.length] = 0;
    if (inet_pton(AF_INET, copy, v4) == 1) {
        *ret_address = from_v4(v4);
        return true;
    }
    return inet_pton(AF_INET6, copy, ret_address->bytes) == 1;
}

/* Digits that give at most `most`. */
static bool parse_number(struct bide__slice text, unsigned most, unsigned *ret_number)
{
    unsigned number = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
        number = number * 10 + (unsigned)(text.bytes[i] - '0');
        if (number > most)
            return false;
    }
    *ret_number = number;
    return text.length > 0;
}

/* "1.2.3.4", "1.2.3.4:80", "::1", "[::1]", "[::1]:80", and nginx's "unix:". */
static bool parse_node(struct bide__slice text, struct bide__http_address *ret_address)
{
    struct bide__slice address = text, port = bide__slice(NULL, 0);
    unsigned number;
    if (bide__slice_equal(text, bide__slice_of("unix:"))) {
        *ret_address = (struct bide__http_address){{0}};
        return true;
    }
    if (text.length > 0 && *text.bytes == '[') {
        const char *end = memchr(text.bytes, ']', text.length);
        if (!end || !memchr(text.bytes, ':', (size_t)(end - text.bytes)))
            return false;
        address = bide__slice(text.bytes + 1, (size_t)(end - text.bytes) - 1);
        port = bide__slice_from(text, address.length + 2);
    } else {
        const char *colon = text.length ? memchr(text.bytes, ':', text.length) : NULL;
        size_t length = colon ? (size_t)(colon - text.bytes) : text.length;
        if (colon && !memchr(colon + 1, ':', text.length - length - 1)) {
            address.length = length;
            port = bide__slice_from(text, length);
        }
    }
    if (port.length > 0 &&
        (*port.bytes != ':' || !parse_number(bide__slice_from(port, 1), 65535, &number)))
        return false;
    return parse_address(address, ret_address) && !is_unix(ret_address);
}

/* ---- networks ---- */

static bool starts_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    return memcmp(a, b, whole) == 0 && (rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0);
}

static bool parse_network(struct bide__slice text, struct bide__http_network *ret_network)
{
    struct bide__slice address;
    unsigned bits;
    if (bide__slice_equal(text, bide__slice_of("unix"))) {
        *ret_network = (struct bide__http_network){.bits = 128};
        return true;
    }
    bool has_bits = memchr(text.bytes, '/', text.length) != NULL;
    if (!bide__slice_split(&text, '/', &address) || !parse_address(address, &ret_network->address))
        return false;
    bool v4 = is_v4(&ret_network->address) && !memchr(address.bytes, ':', address.length);
    bits = v4 ? 32 : 128;
    if (has_bits && !parse_number(text, bits, &bits))
        return false;
    ret_network->bits = (uint8_t)(v4 ? bits + 96 : bits);
    if (is_unix(&ret_network->address) && bits >= 96) /* "::" is nobody's */
        return false;
    /* Bits behind the prefix are a slip of whoever wrote it: of the address, or of the length. */
    for (unsigned i = ret_network->bits; i < 128; i++)
        if (ret_network->address.bytes[i / 8] & (0x80 >> i % 8))
            return false;
    return true;
}

int bide__http_networks_parse(const char *text, struct bide__http_networks *ret_networks,
                              struct bide__slice *ret_bad)
{
    struct bide__slice rest = bide__slice_of(text), entry;
    ret_networks->count = 0;
    while (bide__http_list_next(&rest, &entry)) {
        *ret_bad = entry;
        if (ret_networks->count == BIDE_CAP_HTTP_TRUSTED)
            return -E2BIG;
        if (!parse_network(entry, &ret_networks->list[ret_networks->count]))
            return -EINVAL;
        ret_networks->count++;
    }
    return 0;
}

bool bide__http_is_trusted(const struct bide__http_networks *networks,
                           const struct bide__http_address *address)
{
    for (size_t i = 0; i < networks->count; i++) {
        const struct bide__http_network *network = &networks->list[i];
        bool other = network->bits < 96 && (is_v4(address) || is_unix(address)); /* "::/0" */
        if (!other && starts_equal(network->address.bytes, address->bytes, network->bits))
            return true;
    }
    return false;
}

/* ---- chains ---- */

enum scheme { UNSAID, HTTP, HTTPS };

struct hop {
    struct bide__http_address address; /* of who came to that proxy */
    bool known;
    uint8_t scheme; /* that he used: enum scheme */
};

/* The last hops of a chain; the last but n is at [(count - 1 - n) % CAP]. */
struct chain {
    size_t count;
    struct hop hops[BIDE_CAP_HTTP_PROXIES];
};

static size_t kept(const struct chain *chain)
{
    return chain->count < BIDE_CAP_HTTP_PROXIES ? chain->count : BIDE_CAP_HTTP_PROXIES;
}

static struct hop *last_but(struct chain *chain, size_t n)
{
    return &chain->hops[(chain->count - 1 - n) % BIDE_CAP_HTTP_PROXIES];
}

static struct hop *add_hop(struct chain *chain)
{
    struct hop *hop = &chain->hops[chain->count++ % BIDE_CAP_HTTP_PROXIES];
    *hop = (struct hop){.known = false};
    return hop;
}

static enum scheme scheme_of(struct bide__slice text)
{
    if (bide__slice_equal_nocase(text, bide__slice_of("https")))
        return HTTPS;
    return bide__slice_equal_nocase(text, bide__slice_of("http")) ? HTTP : UNSAID;
}

/* An empty element is a hop, too: an unknown one. */
static void read_list(const struct bide__http_head *head, const char *bytes,
                      enum bide__http_field_id id, struct chain *ret_chain)
{
    int number = -1;
    while ((number = bide__http_find(head, id, number + 1)) >= 0) {
        struct bide__slice rest = bide__http_text(bytes, head->fields[number].value), element;
        while (bide__slice_split(&rest, ',', &element)) {
            struct hop *hop = add_hop(ret_chain);
            element = bide__slice_trim(element);
            if (id == BIDE__FIELD_X_FORWARDED_PROTO)
                hop->scheme = (uint8_t)scheme_of(element);
            else
                hop->known = parse_node(element, &hop->address);
        }
    }
}

/* Where the element of a list ends whose quoted strings may hold commas. */
static size_t element_length(struct bide__slice text)
{
    bool quoted = false;
    for (size_t i = 0; i < text.length; i++) {
        if (quoted && text.bytes[i] == '\\')
            i++;
        else if (text.bytes[i] == '"')
            quoted = !quoted;
        else if (text.bytes[i] == ',' && !quoted)
            return i;
    }
    return text.length;
}

/* for=192.0.2.60;proto=http;by=203.0.113.43, one element; a malformed one says nothing. */
static void read_forwarded_element(struct bide__slice element, struct hop *hop)
{
    char copy[BIDE_CAP_HTTP_FORWARDED_BYTES + 1] = ";";
    struct bide__http_param param;
    int more, fors = 0, protos = 0;
    struct hop read = {.known = false};
    if (element.length >= BIDE_CAP_HTTP_FORWARDED_BYTES)
        return;
    if (element.length > 0)
        memcpy(copy + 1, element.bytes, element.length);
    struct bide__slice rest = bide__slice(copy, element.length + 1);
    while ((more = bide__http_param_next(&rest, &param)) > 0) {
        if (bide__slice_equal_nocase(param.name, bide__slice_of("for"))) {
            read.known = parse_node(param.value, &read.address);
            fors++;
        } else if (bide__slice_equal_nocase(param.name, bide__slice_of("proto"))) {
            read.scheme = (uint8_t)scheme_of(param.value);
            protos++;
        }
    }
    if (more == 0 && fors <= 1 && protos <= 1)
        *hop = read;
}

static void read_forwarded(const struct bide__http_head *head, const char *bytes,
                           struct chain *ret_chain)
{
    int number = -1;
    while ((number = bide__http_find(head, BIDE__FIELD_FORWARDED, number + 1)) >= 0) {
        struct bide__slice rest = bide__http_text(bytes, head->fields[number].value);
        while (rest.length > 0) {
            size_t length = element_length(rest);
            read_forwarded_element(bide__slice(rest.bytes, length), add_hop(ret_chain));
            rest = bide__slice_from(rest, length < rest.length ? length + 1 : length);
        }
    }
}

/* From the peer outwards while everybody is trusted: the client. `ret_hops`: how many hops that
   took. */
static struct bide__http_address walk(struct chain *chain,
                                      const struct bide__http_networks *trusted,
                                      const struct bide__http_address *peer, size_t *ret_hops)
{
    struct bide__http_address client = *peer;
    size_t hops = 0;
    while (hops < kept(chain) && bide__http_is_trusted(trusted, &client)) {
        const struct hop *hop = last_but(chain, hops);
        if (!hop->known)
            break;
        client = hop->address;
        hops++;
    }
    *ret_hops = hops;
    return client;
}

/* What the hop that named the client says; a chain that is shorter was set by the outermost proxy,
   and handed on. */
static enum scheme scheme_at(struct chain *chain, size_t hops)
{
    if (chain->count == 0)
        return UNSAID;
    size_t n = hops > 0 ? hops - 1 : 0;
    return last_but(chain, n < kept(chain) ? n : kept(chain) - 1)->scheme;
}

int bide__http_origin_of(const struct bide__http_head *head, const char *bytes,
                         const struct bide__http_networks *trusted,
                         const struct bide__http_address *peer,
                         struct bide__http_origin *ret_origin)
{
    struct chain chain = {.count = 0}, schemes = {.count = 0}, forwarded = {.count = 0};
    size_t hops;
    *ret_origin = (struct bide__http_origin){*peer, false};
    if (!bide__http_is_trusted(trusted, peer))
        return 0;
    read_list(head, bytes, BIDE__FIELD_X_FORWARDED_FOR, &chain);
    read_list(head, bytes, BIDE__FIELD_X_FORWARDED_PROTO, &schemes);
    read_forwarded(head, bytes, &forwarded);
    ret_origin->client = walk(&chain, trusted, peer, &hops);
    enum scheme scheme = scheme_at(&schemes, hops);
    if (forwarded.count > 0) {
        struct bide__http_address client = walk(&forwarded, trusted, peer, &hops);
        enum scheme other = scheme_at(&forwarded, hops);
        if ((chain.count > 0 && !is_equal(&client, &ret_origin->client)) ||
            (scheme != UNSAID && other != UNSAID && scheme != other))
            return -EINVAL;
        ret_origin->client = client;
        scheme = scheme == UNSAID ? other : scheme;
    }
    ret_origin->https = scheme == HTTPS;
    return 0;
}
