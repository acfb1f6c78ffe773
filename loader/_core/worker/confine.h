/* confine.h: placeholder until the real one is merged. */
#ifndef LOADER_CONFINE_H
#define LOADER_CONFINE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct confinement {
    uint64_t memory;
    uint32_t processes, files;
    bool network;
    const char *const *read; size_t read_count;
    const char *const *write; size_t write_count;
    const char *const *libraries; size_t library_count;
    const int *keep; size_t keep_count;
};
struct confined { uint32_t engaged; uint32_t missing; char why[9][96]; uint32_t landlock_abi; };
int confine(const struct confinement *wanted, struct confined *result);
#endif
