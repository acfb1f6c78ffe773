/* take.h: values read out of a lane, whose other side may be hostile: it may write anything at any time, also while it
 * is read. So each number is read once, into memory that only the host has, and checked there; nothing that a pointer
 * leads to is used before it is copied. Plain C, so that it can be fuzzed alone.
 */
#ifndef LOADER_CORE_TAKE_H
#define LOADER_CORE_TAKE_H

#include "wire/wire.h"

/* Where values come from, and where they go. */
struct taking {
    const char *lane;
    uint64_t size, base; /* bytes; the address of the lane in the worker */
    uint64_t budget;     /* bytes that may yet be taken: many pointers may lead to the same ones */
    void *(*room)(void *owner, size_t size); /* memory aligned to 16, or NULL */
    void *owner;
    bool no_memory;      /* room() gave none */
};

/* Copies `size` bytes at an address of the worker. False: not all of them are in the lane. */
bool take_bytes(struct taking *taking, uint64_t address, uint64_t size, void *into);
/* The value at an address of the worker, and all that it leads to, as the host would have it in its own memory. NULL:
 * it cannot be what it should be, or no_memory. */
void *take_value(struct taking *taking, const struct wire_value *how, const uint32_t *texts, uint64_t address);
/* The same of a value that was copied to `memory` already: what it leads to. */
bool take_followed(struct taking *taking, const struct wire_value *how, const uint32_t *texts, void *memory);
/* The elements of a tensor of the host's, from a copy at `offset` in the lane, each where it was: what lies between them
 * is not the plugin's to change. */
void take_tensor(const struct taking *taking, const loader_tensor *tensor, uint64_t offset);
/* Tells each line of a log. Returns how many the worker says were lost, up to a billion. */
uint64_t take_lines(const struct wire_log *log, void (*told)(void *owner, int32_t level, const char *text, uint32_t size),
                    void *owner);
/* A message. */
void take_message(const struct wire_side *side, struct wire_message *into);

#endif /* LOADER_CORE_TAKE_H */
