/* role.h: from a tick back to the role's name, from the name to its plugin.
 *
 * Most names are shorter than 9 bytes: then the name itself, in one word, is what the table is asked for.
 */
#ifndef HTMLIZE_ROLE_H
#define HTMLIZE_ROLE_H

#include "engine.h"

#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#  include <emmintrin.h>
#  define ROLE_VECTORS 1
#elif defined(__aarch64__) && defined(__AARCH64EL__)
#  include <arm_neon.h>
#  define ROLE_VECTORS 1
#endif

#define ROLE_INLINE static inline __attribute__((always_inline))

/* 1 for each byte of a role's name: [0-9A-Za-z_]. */
extern const unsigned char role_word[256];

/* ---- From a name to its role --------------------------------------------------------------------------- */

/* The bytes of a short name in one word: two names of the same size, at most 8, with the same key are one. The key
 * of a longer name only says where to look. */
ROLE_INLINE uint64_t role_key(const char *name, size_t size)
{
    uint64_t key = 0, word = 0;

    for (; size > 8; name += 8, size -= 8) {
        memcpy(&word, name, 8);
        key = (key ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        key ^= key >> 29;
    }
    for (size_t i = 0; i < size; i++)
        key ^= (uint64_t)(unsigned char)name[i] << 8 * i;
    return key;
}

ROLE_INLINE size_t role_slot(const engine *self, uint64_t key, size_t size)
{
    return (size_t)(((key + size) * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & self->slot_mask;
}

/* The role of the `size` bytes at `name`, whose key is known; NULL if no plugin answers it. */
ROLE_INLINE const engine_role *role_find(const engine *self, const char *name, size_t size, uint64_t key)
{
    for (size_t i = role_slot(self, key, size);; i = (i + 1) & self->slot_mask) {
        const engine_slot *slot = &self->slots[i];
        const engine_role *role;
        if (slot->number == 0)
            return NULL; /* there is always an empty slot: the table is at most an eighth full */
        role = &self->roles[slot->number - 1];
        if (slot->key == key && slot->size == size && (size <= 8 || memcmp(role->name.data, name, size) == 0))
            return role;
    }
}

/* ---- From a tick back to the name ---------------------------------------------------------------------- */

/* How many bytes before `colon` may be part of a name, looking no further back than `begin`. */
ROLE_INLINE size_t role_name_size(const char *begin, const char *colon)
{
    const char *name = colon;

    while (name > begin && role_word[(unsigned char)name[-1]])
        name--;
    return (size_t)(colon - name);
}

#if defined(ROLE_VECTORS)
/* A mask has ROLE_BITS bits for each of 16 bytes, the first byte lowest. ARM64 cannot make one of each at once. */
#  if defined(__SSE2__)
typedef uint32_t role_mask;
enum { ROLE_BITS = 1 };

/* How many of the 16 bytes stand behind the last one that is marked. One is. */
ROLE_INLINE size_t role_behind(role_mask mask)
{
    return (size_t)__builtin_clz(mask) - 16;
}

/* Which of the 16 bytes before `end` are colons. */
ROLE_INLINE role_mask role_colons(const char *end)
{
    const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(end - 16));

    return (role_mask)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(':')));
}

/* Which of the 16 bytes before `end` cannot be part of a name. */
ROLE_INLINE role_mask role_others(const char *end)
{
    const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(end - 16));
    const __m128i low = _mm_or_si128(v, _mm_set1_epi8(0x20)); /* bytes above 127 are negative here */
    const __m128i letter =
        _mm_and_si128(_mm_cmpgt_epi8(low, _mm_set1_epi8('a' - 1)), _mm_cmpgt_epi8(_mm_set1_epi8('z' + 1), low));
    const __m128i digit =
        _mm_and_si128(_mm_cmpgt_epi8(v, _mm_set1_epi8('0' - 1)), _mm_cmpgt_epi8(_mm_set1_epi8('9' + 1), v));
    const __m128i word = _mm_or_si128(_mm_or_si128(letter, digit), _mm_cmpeq_epi8(v, _mm_set1_epi8('_')));

    return ~(role_mask)_mm_movemask_epi8(word) & 0xFFFF;
}
#  else
typedef uint64_t role_mask;
enum { ROLE_BITS = 4 };

ROLE_INLINE size_t role_behind(role_mask mask)
{
    return (size_t)__builtin_clzll(mask) / ROLE_BITS;
}

/* Half of each byte of `v`, each of which is 0 or 255. */
ROLE_INLINE role_mask role_halves(uint8x16_t v)
{
    return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(v), 4)), 0);
}

ROLE_INLINE role_mask role_colons(const char *end)
{
    return role_halves(vceqq_u8(vld1q_u8((const uint8_t *)end - 16), vdupq_n_u8(':')));
}

ROLE_INLINE role_mask role_others(const char *end)
{
    const uint8x16_t v = vld1q_u8((const uint8_t *)end - 16), low = vorrq_u8(v, vdupq_n_u8(0x20));
    const uint8x16_t letter = vcltq_u8(vsubq_u8(low, vdupq_n_u8('a')), vdupq_n_u8(26));
    const uint8x16_t digit = vcltq_u8(vsubq_u8(v, vdupq_n_u8('0')), vdupq_n_u8(10));

    return ~role_halves(vorrq_u8(vorrq_u8(letter, digit), vceqq_u8(v, vdupq_n_u8('_'))));
}
#  endif

/* role_name_size of the 16 bytes before `colon`, all at once; 16 if all of them are. */
ROLE_INLINE size_t role_name_size_16(const char *colon)
{
    const role_mask others = role_others(colon);

    return others == 0 ? 16 : role_behind(others);
}
#endif

/* The key of the name of `size` bytes, 16 at most, before `colon`. */
ROLE_INLINE uint64_t role_key_before(const char *colon, size_t size)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t word;

    if (size <= 8) { /* what stands before the name is shifted out */
        memcpy(&word, colon - 8, 8);
        return word >> (64 - 8 * size);
    }
#endif
    return role_key(colon - size, size);
}

/* The size of the name of the role that opens at `tick`, or 0: none does. *role is who answers it, or NULL. Nothing
 * from an earlier match is taken for a name, since that ends with a tick and no name has one. Not inline: it is asked
 * for names that are new only, and would take registers from all others. */
__attribute__((noinline, unused)) static size_t role_look(const engine *self, const char *begin, const char *tick,
                                                          const engine_role **role)
{
    const char *const colon = tick - 1;
    size_t size;

    if (tick - begin < 3 || *colon != ':') /* the shortest is :a: */
        return 0;
#if defined(ROLE_VECTORS)
    if (LOADER_LIKELY(colon - begin > 16 && (size = role_name_size_16(colon)) < 16)) {
        if (size == 0 || colon[-(ptrdiff_t)size - 1] != ':')
            return 0;
        *role = role_find(self, colon - size, size, role_key_before(colon, size));
        return size;
    }
#endif
    size = role_name_size(begin, colon);
    if (size == 0 || size == (size_t)(colon - begin) || colon[-(ptrdiff_t)size - 1] != ':')
        return 0;
    *role = role_find(self, colon - size, size, role_key(colon - size, size));
    return size;
}

/* ---- Names met before ---------------------------------------------------------------------------------- */

/* What role_look said of a name of at most 7 bytes. A text has few different ones, most of them of no plugin, and to
 * know one again takes half of what to judge it takes. */
typedef struct role_met {
    uint64_t key; /* the name and the colon behind it, the top byte: so names of different sizes differ. 0: empty */
    const engine_role *role;
} role_met;

enum { ROLE_MET_BITS = 5, ROLE_MET = 1 << ROLE_MET_BITS, ROLE_AHEAD = 16 };

/* Names met before, and before them the one that was met last of those that a plugin answers: many texts use one
 * role again and again, and to tell that it is the same takes one comparison, a tenth of all for prose. */
typedef struct role_memory {
    uint64_t last_mask, last_word; /* of the 8 bytes before a tick: those of the name and its colons */
    const engine_role *last;
    size_t last_size;
    role_met met[ROLE_MET];
} role_memory;

#define ROLE_MEMORY_EMPTY {.last_word = 1} /* no word equals it under an empty mask */

/* role_look, which is asked only for what `memory` does not know. `begin`: ROLE_AHEAD bytes before `late`, or the text
 * has less. */
ROLE_INLINE size_t role_opens(const engine *self, role_memory *memory, const char *begin, const char *late,
                              const char *tick, const engine_role **role)
{
#if defined(ROLE_VECTORS)
    if (LOADER_LIKELY(tick >= late)) {
        uint64_t word;
        memcpy(&word, tick - 8, 8);
        if (LOADER_LIKELY((word & memory->last_mask) == memory->last_word)) {
            *role = memory->last;
            return memory->last_size;
        }
        const role_mask one = 1, colons = role_colons(tick);
        const role_mask first = colons & ((one << 15 * ROLE_BITS) - 1); /* but for the colon before the tick */
        if (colons == first)
            return 0;
        /* A name of 1 to 7 bytes, whatever they are: */
        if (LOADER_LIKELY(first >= one << 7 * ROLE_BITS && first < one << 14 * ROLE_BITS)) {
            size_t size = role_behind(first) - 1;
            const uint64_t key = word >> (56 - 8 * size);
            role_met *const slot = &memory->met[(key * UINT64_C(0x9E3779B97F4A7C15)) >> (64 - ROLE_MET_BITS)];
            if (LOADER_LIKELY(slot->key == key)) {
                *role = slot->role;
                if (slot->role != NULL && size < 7) { /* 7 letters and two colons are 9 bytes */
                    memory->last_mask = UINT64_MAX << (48 - 8 * size);
                    memory->last_word = word & memory->last_mask;
                    memory->last = slot->role;
                    memory->last_size = size;
                }
                return size;
            }
            size = role_look(self, begin, tick, role);
            if (size != 0)
                *slot = (role_met){key, *role};
            return size;
        }
    }
#else
    (void)memory, (void)late;
#endif
    return role_look(self, begin, tick, role);
}

#endif /* HTMLIZE_ROLE_H */
