/* library_loaded.c: which library of this process the dynamic linker would take for a needed name. See library.h.
 *
 * glibc compares the path under which a library is known, and its own name (DT_SONAME); musl the last part of the path.
 * dl_iterate_phdr holds the linker's lock while it walks, so that no library goes meanwhile.
 */
#if !defined(_WIN32)
#  define _GNU_SOURCE
#endif
#include "library/library.h"

#include <string.h>

#if defined(__linux__)
#  include <link.h>

struct search {
    const char *name;
    char *path;
    size_t room;
    int left, answer;
};

/* A library's own name, or NULL. Its tables are in memory, and the dynamic linker has read them. */
static const char *soname_of(const struct dl_phdr_info *info)
{
    const ElfW(Dyn) *entry = NULL;
    ElfW(Addr) strings = 0;
    const ElfW(Dyn) *found = NULL;

    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            entry = (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    for (; entry != NULL && entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_STRTAB)
            strings = entry->d_un.d_ptr;
        else if (entry->d_tag == DT_SONAME)
            found = entry;
    }
    if (found == NULL || strings == 0)
        return NULL;
    if (strings < info->dlpi_addr) /* glibc has added the base already, musl has not */
        strings += info->dlpi_addr;
    return (const char *)strings + found->d_un.d_val;
}

static int is_it(const struct dl_phdr_info *info, const char *name)
{
    const char *path = info->dlpi_name == NULL ? "" : info->dlpi_name;
#  if defined(__GLIBC__)
    const char *soname = soname_of(info);

    return strcmp(path, name) == 0 || (soname != NULL && strcmp(soname, name) == 0);
#  else
    const char *slash = strrchr(path, '/');

    (void)soname_of;
    return strcmp(slash == NULL || strchr(name, '/') != NULL ? path : slash + 1, name) == 0;
#  endif
}

static int look(struct dl_phdr_info *info, size_t size, void *context)
{
    struct search *search = context;
    size_t length;

    (void)size;
    if (!is_it(info, search->name) || search->left-- > 0)
        return 0;
    length = info->dlpi_name == NULL ? 0 : strlen(info->dlpi_name);
    if (length >= search->room) {
        search->answer = -1;
        return 1;
    }
    memcpy(search->path, length == 0 ? "" : info->dlpi_name, length + 1);
    search->answer = 1;
    return 1;
}

int library_loaded(const char *name, int nth, char *path, size_t room)
{
    struct search search = {name, path, room, nth, 0};

    dl_iterate_phdr(look, &search);
    return search.answer;
}
#else
int library_loaded(const char *name, int nth, char *path, size_t room)
{
    (void)name;
    (void)nth;
    (void)path;
    (void)room;
    return 0;
}
#endif
