/* crash_ranges.c: which addresses are whose: names the culprit where a thread that a plugin started crashes, which
 * has no breadcrumb.
 *
 * The list grows where a plugin's functions are looked up and is read in a signal handler (core_label_at): it has
 * no lock, and an entry is complete before it is in the list. Only on Linux is anyone asked where a library lies.
 */
#if !defined(_WIN32)
#  define _GNU_SOURCE
#endif
#include "crash/crash.h"

#if defined(__linux__)

#include <dlfcn.h>
#include <link.h>

#if defined(__GLIBC__) && defined(__GLIBC_PREREQ)
#  if __GLIBC_PREREQ(2, 35)
#    define HAS_FIND_OBJECT
#  endif
#endif

/* The addresses of one plugin. Entries are never removed, as libraries are never unmapped. */
struct range {
    uintptr_t begin, end;
    const char *label;
    struct range *next;
};
static struct range *_Atomic ranges;

static const struct range *range_of(uintptr_t address)
{
    for (const struct range *r = atomic_load(&ranges); r != NULL; r = r->next)
        if (address - r->begin < r->end - r->begin)
            return r;
    return NULL;
}

/* The core_owner.label of the plugin that this address belongs to, or NULL. */
const char *core_label_at(uintptr_t address)
{
    const struct range *range = range_of(address);
    return range == NULL ? NULL : range->label;
}

#if defined(HAS_FIND_OBJECT)
/* From the dynamic linker's sorted table: the other way passes by all libraries, for each that is loaded. */
static bool look_up(struct range *wanted)
{
    struct dl_find_object found;
    union {
        uintptr_t number;
        void *pointer;
    } address = {.number = wanted->begin};

    if (_dl_find_object(address.pointer, &found) != 0)
        return false;
    wanted->begin = (uintptr_t)found.dlfo_map_start;
    wanted->end = (uintptr_t)found.dlfo_map_end;
    return true;
}
#else
static int look_for(struct dl_phdr_info *info, size_t Py_UNUSED(size), void *data)
{
    struct range *wanted = data;
    uintptr_t begin = UINTPTR_MAX, end = 0;

    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t place = (uintptr_t)(info->dlpi_addr + header->p_vaddr);
        if (header->p_type != PT_LOAD)
            continue;
        begin = place < begin ? place : begin;
        end = place + header->p_memsz > end ? place + header->p_memsz : end;
    }
    if (wanted->begin < begin || wanted->begin >= end)
        return 0;
    wanted->begin = begin;
    wanted->end = end;
    return 1;
}

static bool look_up(struct range *wanted)
{
    return dl_iterate_phdr(look_for, wanted) != 0;
}
#endif

void core_note_range(const core_owner *owner, const void *address)
{
    struct range found = {.begin = (uintptr_t)address}, *made;
    char *label;

    if (range_of(found.begin) != NULL || !look_up(&found))
        return;
    made = malloc(sizeof *made);
    label = strdup(owner->label);
    if (made == NULL || label == NULL) { /* then a report says a little less */
        free(made);
        free(label);
        return;
    }
    *made = (struct range){found.begin, found.end, label, atomic_load(&ranges)};
    while (!atomic_compare_exchange_weak(&ranges, &made->next, made))
        ;
}

#else

void core_note_range(const core_owner *owner, const void *address)
{
    (void)owner, (void)address;
}

#  if !defined(_WIN32)
const char *core_label_at(uintptr_t address)
{
    (void)address;
    return NULL;
}
#  endif

#endif
