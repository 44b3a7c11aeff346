/*
 * Where built programs lie: $XDG_CACHE_HOME/bide, ~/.cache/bide, or a folder in /tmp that nobody
 * else may write, in this order. Each source has a folder of its own, by its name, its path and the
 * folder that it is built from (which the compiler's messages and __FILE__ depend on). It can be
 * deleted at any time.
 *
 * Source: XDG Base Directory Specification.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether the folder is there, ours, and only ours to write. */
static bool is_ours(const char *folder)
{
    struct stat status;
    return lstat(folder, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
           !(status.st_mode & 022) && access(folder, W_OK) == 0;
}

/* Makes a folder and those above it. */
static bool make_folder(const char *path)
{
    char *folder = text_of("%s", path);
    for (char *at = folder + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        (void)mkdir(folder, 0700);
        *at = '/';
    }
    (void)mkdir(folder, 0700);
    return is_ours(folder);
}

static char *find_root(void)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *root = NULL;
    if (xdg && *xdg == '/')
        root = text_of("%s/bide", xdg);
    else if (home && *home == '/')
        root = text_of("%s/.cache/bide", home);
    if (root && make_folder(root))
        return root;
    root = text_of("/tmp/bide-%u", (unsigned)geteuid());
    if (!make_folder(root))
        die(EXIT_BUILD,
            "no folder for what is built: %s is not ours, or not to be made; set "
            "XDG_CACHE_HOME",
            root);
    return root;
}

static uint64_t hash_of(uint64_t hash, const char *text)
{
    for (size_t i = 0; i <= strlen(text); i++)
        hash = (hash ^ (unsigned char)text[i]) * 1099511628211u; /* FNV-1a, the NUL too */
    return hash;
}

char *open_cache(const char *path, const char *name)
{
    char here[PATH_MAX];
    if (!getcwd(here, sizeof here))
        die(EXIT_BUILD, "the folder that this is called from: %s", strerror(errno));
    uint64_t hash = hash_of(hash_of(14695981039346656037u, here), path);
    char *folder = text_of("%s/%s-%016llx", find_root(), name, (unsigned long long)hash);
    if (!make_folder(folder))
        die(EXIT_BUILD, "%s: cannot be made, or is not ours", folder);
    int lock = open(text_of("%s/lock", folder), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX) < 0)
        die(EXIT_BUILD, "%s/lock: %s", folder, strerror(errno));
    return folder;
}
