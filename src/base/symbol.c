/*
 * Names for code addresses. See symbol.h. Called by the watchdog, the fault handler of core,
 * db/notes.c; calls the dynamic linker and libgcc's unwinder.
 *
 * A file on disk need not be the one that was loaded, nor be sound: every offset of it is checked
 * against its size.
 */
#include "base/symbol.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

/* What an address belongs to. */
struct place {
    uintptr_t address;
    uintptr_t base; /* address minus this is what the file calls it */
    const char *path;
    bool found;
};

/* A file, mapped. */
struct image {
    const char *bytes;
    size_t size;
};

static int look_at_object(struct dl_phdr_info *info, size_t size, void *place_)
{
    struct place *place = place_;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD &&
            place->address - (info->dlpi_addr + segment->p_vaddr) < segment->p_memsz) {
            place->base = info->dlpi_addr;
            place->path = info->dlpi_name;
            place->found = true;
            return 1;
        }
    }
    return 0;
}

/* `count` elements of `element` bytes at `offset`; NULL when the file has not that much. */
static const void *part(const struct image *image, uint64_t offset, uint64_t count, size_t element)
{
    if (offset > image->size || count > (image->size - offset) / element || offset % 8)
        return NULL;
    return image->bytes + offset;
}

static const ElfW(Shdr) * sections(const struct image *image, size_t *ret_count)
{
    const ElfW(Ehdr) *header = part(image, 0, 1, sizeof *header);
    if (!header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_shentsize != sizeof(ElfW(Shdr)))
        return NULL;
    *ret_count = header->e_shnum;
    return part(image, header->e_shoff, header->e_shnum, sizeof(ElfW(Shdr)));
}

static size_t underscores(const char *name)
{
    return strspn(name, "_");
}

/* One of several names of a function: the plainest. */
static bool better(const ElfW(Sym) * symbol, const ElfW(Sym) * best, const char *strings)
{
    if (!best || symbol->st_value != best->st_value)
        return !best || symbol->st_value > best->st_value;
    return underscores(strings + symbol->st_name) < underscores(strings + best->st_name);
}

/* Whether `value` is in this function. Those written in assembler may have no size: their section
   has one. */
static bool covers(const ElfW(Sym) * symbol, const ElfW(Shdr) * all, size_t all_count,
                   uintptr_t value)
{
    unsigned type = symbol->st_info & 0xf;
    if ((type != STT_FUNC && type != STT_GNU_IFUNC) || symbol->st_shndx == SHN_UNDEF ||
        symbol->st_value > value)
        return false;
    if (symbol->st_size)
        return value - symbol->st_value < symbol->st_size;
    return symbol->st_shndx < all_count &&
           value - all[symbol->st_shndx].sh_addr < all[symbol->st_shndx].sh_size;
}

/* The function of this table, one of `all`, that `value` is in. */
static const char *find_in(const struct image *image, const ElfW(Shdr) * table,
                           const ElfW(Shdr) * all, size_t all_count, uintptr_t value,
                           uintptr_t *ret_start)
{
    const ElfW(Shdr) *names = &all[table->sh_link];
    size_t count = table->sh_size / sizeof(ElfW(Sym));
    const ElfW(Sym) *symbols = part(image, table->sh_offset, count, sizeof *symbols);
    const ElfW(Sym) *best = NULL;
    /* A table of strings has no alignment. */
    if (!symbols || names->sh_offset > image->size || !names->sh_size ||
        names->sh_size > image->size - names->sh_offset)
        return NULL;
    const char *strings = image->bytes + names->sh_offset;
    if (strings[names->sh_size - 1] != 0)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const ElfW(Sym) *symbol = &symbols[i];
        if (symbol->st_name < names->sh_size && covers(symbol, all, all_count, value) &&
            better(symbol, best, strings))
            best = symbol;
    }
    if (!best)
        return NULL;
    *ret_start = best->st_value;
    return strings + best->st_name;
}

/* .symtab has all functions, .dynsym the exported ones of a stripped file. */
static const char *find_name(const struct image *image, uintptr_t value, uintptr_t *ret_start)
{
    static const unsigned kinds[] = {SHT_SYMTAB, SHT_DYNSYM};
    size_t count = 0;
    const ElfW(Shdr) *all = sections(image, &count);
    for (size_t kind = 0; all && kind < 2; kind++) {
        for (size_t i = 0; i < count; i++) {
            if (all[i].sh_type != kinds[kind] || all[i].sh_link >= count)
                continue;
            const char *name = find_in(image, &all[i], all, count, value, ret_start);
            if (name)
                return name;
        }
    }
    return NULL;
}

static struct image map_file(const char *path)
{
    struct image image = {NULL, 0};
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return image;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
        size_t size = (size_t)status.st_size;
        void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes != MAP_FAILED)
            image = (struct image){bytes, size};
    }
    close(fd);
    return image;
}

static void copy(char *to, size_t size, const char *from)
{
    size_t length = strnlen(from, size - 1);
    memcpy(to, from, length);
    to[length] = 0;
}

static void name_object(const char *path, char *object, size_t size)
{
    char target[512] = "?";
    if (!*path) {
        ssize_t length = readlink("/proc/self/exe", target, sizeof target - 1);
        if (length > 0)
            target[length] = 0;
        path = target;
    }
    const char *slash = strrchr(path, '/');
    copy(object, size, slash ? slash + 1 : path);
}

bool bide__symbol_find(const void *address, struct bide__symbol *ret_symbol)
{
    struct place place = {.address = (uintptr_t)address};
    dl_iterate_phdr(look_at_object, &place);
    if (!place.found)
        return false;
    uintptr_t start = 0;
    struct image image = map_file(*place.path ? place.path : "/proc/self/exe");
    const char *name = find_name(&image, place.address - place.base, &start);
    copy(ret_symbol->name, sizeof ret_symbol->name, name ? name : "");
    /* What a compiler appends to its copies and parts of a function: `.cold`, `.constprop.0`. */
    ret_symbol->name[strcspn(ret_symbol->name, ".")] = 0;
    name_object(place.path, ret_symbol->object, sizeof ret_symbol->object);
    ret_symbol->offset = place.address - place.base - (name ? start : 0);
    if (image.bytes)
        munmap((void *)(uintptr_t)image.bytes, image.size);
    return true;
}

/* ---- sections ---- */

struct wanted {
    const char *name;
    void (*see)(const void *bytes, size_t size, void *arg);
    void *arg;
};

static const ElfW(Shdr) * section_named(const struct image *image, const char *name)
{
    size_t count = 0;
    const ElfW(Shdr) *all = sections(image, &count);
    const ElfW(Ehdr) *header = all ? part(image, 0, 1, sizeof *header) : NULL;
    if (!header || header->e_shstrndx >= count)
        return NULL;
    const ElfW(Shdr) *names = &all[header->e_shstrndx];
    if (names->sh_offset > image->size || !names->sh_size ||
        names->sh_size > image->size - names->sh_offset ||
        image->bytes[names->sh_offset + names->sh_size - 1] != 0)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (all[i].sh_name < names->sh_size && (all[i].sh_flags & SHF_ALLOC) &&
            strcmp(image->bytes + names->sh_offset + all[i].sh_name, name) == 0)
            return &all[i];
    return NULL;
}

static bool is_loaded(const struct dl_phdr_info *info, const ElfW(Shdr) * section)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && section->sh_addr >= segment->p_vaddr &&
            section->sh_addr - segment->p_vaddr <= segment->p_memsz &&
            section->sh_size <= segment->p_memsz - (section->sh_addr - segment->p_vaddr))
            return true;
    }
    return false;
}

static int look_into_object(struct dl_phdr_info *info, size_t size, void *wanted_)
{
    const struct wanted *wanted = wanted_;
    (void)size;
    struct image image = map_file(*info->dlpi_name ? info->dlpi_name : "/proc/self/exe");
    const ElfW(Shdr) *section = section_named(&image, wanted->name);
    if (section && is_loaded(info, section))
        wanted->see((const void *)(info->dlpi_addr + section->sh_addr), section->sh_size,
                    wanted->arg);
    if (image.bytes)
        munmap((void *)(uintptr_t)image.bytes, image.size);
    return 0;
}

void bide__symbol_sections(const char *name, void (*see)(const void *bytes, size_t size, void *arg),
                           void *arg)
{
    struct wanted wanted = {name, see, arg};
    dl_iterate_phdr(look_into_object, &wanted);
}

/* Appends the line, unless it does not fit: then gives false. */
static bool append(char *text, size_t size, size_t *length, const char *line)
{
    size_t more = strlen(line);
    if (*length + more + 1 > size)
        return false;
    memcpy(text + *length, line, more + 1);
    *length += more;
    return true;
}

size_t bide__symbol_frames(void *const *addresses, size_t count, const char *last, char *text,
                           size_t size)
{
    struct bide__symbol before = {.name = ""}, symbol;
    char line[256];
    size_t length = 0, folded = 0;
    if (size)
        *text = 0;
    for (size_t i = 0; i < count; i++) {
        /* A call may be the last instruction of its function: look inside of it. */
        const char *address = (const char *)addresses[i] - (i > 0);
        if (!bide__symbol_find(address, &symbol))
            symbol = (struct bide__symbol){"", "?", (size_t)(uintptr_t)address};
        if (last && strcmp(symbol.name, last) == 0)
            break;
        if (*symbol.name && strcmp(symbol.name, before.name) == 0) {
            folded++;
            continue;
        }
        snprintf(line, sizeof line, "       ... %zu more of %s\n", folded, before.name);
        if (folded && !append(text, size, &length, line))
            break;
        folded = 0;
        before = symbol;
        snprintf(line, sizeof line, "    #%zu %s + 0x%zx (%s)\n", i,
                 *symbol.name ? symbol.name : "?", symbol.offset + (i > 0), symbol.object);
        if (!append(text, size, &length, line))
            break;
    }
    snprintf(line, sizeof line, "       ... %zu more of %s\n", folded, before.name);
    if (folded)
        append(text, size, &length, line);
    return length;
}

struct walk {
    uintptr_t from; /* skip the frames below this address: the handler's own */
    void **addresses;
    size_t count, capacity;
};

static _Unwind_Reason_Code walk_frame(struct _Unwind_Context *context, void *walk_)
{
    struct walk *walk = walk_;
    uintptr_t address = _Unwind_GetIP(context);
    if (!address || walk->count == walk->capacity)
        return _URC_END_OF_STACK;
    if (walk->count > 0 || address == walk->from)
        walk->addresses[walk->count++] = (void *)address;
    return _URC_NO_REASON;
}

static uintptr_t interrupted_at(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return context->uc_mcontext.pc;
#else
#error "no program counter for this machine"
#endif
}

size_t bide__symbol_walk(const void *ucontext, void **ret_addresses, size_t capacity)
{
    struct walk walk = {.addresses = ret_addresses, .capacity = capacity};
    if (!ucontext) {
        walk.capacity = 0;
        _Unwind_Backtrace(walk_frame, &walk);
        return 0;
    }
    walk.from = interrupted_at(ucontext);
    _Unwind_Backtrace(walk_frame, &walk);
    if (walk.count == 0 && capacity > 0)
        ret_addresses[walk.count++] = (void *)walk.from;
    return walk.count;
}
