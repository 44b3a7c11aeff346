/* What stays synchronous on purpose: short work is a plain call, long work is one on a thread. */
#include <bide/bide.h>
#include <stdio.h>

/* Microseconds, like rendering a short Markdown text: called as it is. */
static size_t render(const char *text, char *html, size_t size)
{
    return (size_t)snprintf(html, size, "<p>%s</p>", text);
}

/* Slow by design, like hashing a password: never on the loop. */
static uint64_t slow_hash(const char *password, int rounds);
OFFLOADABLE(uint64_t, slow_hash, const char *, int)
static uint64_t slow_hash(const char *password, int rounds)
{
    uint64_t hash = 1469598103934665603u;
    for (int i = 0; i < rounds; i++)
        for (const char *c = password; *c; c++)
            hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    return hash;
}

static async(void) app(void)
{
    char html[64];
    size_t length = render("hello", html, sizeof html);
    printf("%zu bytes: %s\n", length, html);
    printf("hash %016llx\n",
           (unsigned long long)await(offload(BIDE_CPU, slow_hash, "secret", 200000)));
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
