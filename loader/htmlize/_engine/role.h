/* role.h: from a tick back to the role's name, from the name to its plugin.
 *
 * The name is hashed from its last byte to its first, because the scanner meets it walking back from the
 * tick.
 */
#ifndef HTMLIZE_ROLE_H
#define HTMLIZE_ROLE_H

#include "engine.h"

#define ROLE_INLINE static inline __attribute__((always_inline))

/* 1 for each byte of a role's name: [0-9A-Za-z_]. */
extern const unsigned char role_word[256];

ROLE_INLINE uint64_t role_hash_step(uint64_t hash, char byte)
{
    return (hash << 5) - hash + (unsigned char)byte;
}

ROLE_INLINE uint32_t role_hash_end(uint64_t hash)
{
    return (uint32_t)((hash * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
}

/* The role of `size` bytes at `name`, whose hash is known; NULL if no plugin answers it. */
ROLE_INLINE const engine_role *role_find(const engine *self, const char *name, size_t size, uint32_t hash)
{
    for (size_t i = hash & self->slot_mask;; i = (i + 1) & self->slot_mask) {
        const engine_slot *slot = &self->slots[i];
        const engine_role *role;
        if (slot->number == 0)
            return NULL; /* there is always an empty slot: the table is at most an eighth full */
        if (slot->hash != hash)
            continue;
        role = &self->roles[slot->number - 1];
        if (role->name.size == size && memcmp(role->name.data, name, size) == 0)
            return role;
    }
}

/* Whether a role opens at `tick`: then *start is its first colon and *role who answers it, or NULL. Nothing
 * from an earlier match is taken for a name, since that ends with a tick and no name has one. */
ROLE_INLINE bool role_opens(const engine *self, const char *begin, const char *tick, const char **start,
                            const engine_role **role)
{
    const char *name = tick - 1;
    uint64_t hash = 0;

    if (tick - begin < 3 || *name != ':') /* the shortest is :a: */
        return false;
    while (name > begin && role_word[(unsigned char)name[-1]]) {
        name--;
        hash = role_hash_step(hash, *name);
    }
    if (name == tick - 1 || name == begin || name[-1] != ':')
        return false;
    *start = name - 1;
    *role = role_find(self, name, (size_t)(tick - 1 - name), role_hash_end(hash));
    return true;
}

#endif /* HTMLIZE_ROLE_H */
