/* ascii.h: is text ASCII, and copying it where it is. Plain C: no Python.
 *
 * Both are inline, because most answers of plugins are a few bytes long and a call would cost more than the look.
 * Text of 16 bytes and more is read in vectors whose last one overlaps the one before: no loop over single bytes.
 */
#ifndef LOADER_ASCII_H
#define LOADER_ASCII_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) || defined(_M_X64)
#  include <emmintrin.h>
typedef __m128i ascii_vector;
#  define ASCII_LOAD(from) _mm_loadu_si128((const __m128i *)(const void *)(from))
#  define ASCII_STORE(to, vector) _mm_storeu_si128((__m128i *)(void *)(to), vector)
#  define ASCII_OR(a, b) _mm_or_si128(a, b)
#  define ASCII_HOLDS(vector) (_mm_movemask_epi8(vector) == 0)
#elif defined(__aarch64__)
#  include <arm_neon.h>
typedef uint8x16_t ascii_vector;
#  define ASCII_LOAD(from) vld1q_u8((const uint8_t *)(from))
#  define ASCII_STORE(to, vector) vst1q_u8((uint8_t *)(to), vector)
#  define ASCII_OR(a, b) vorrq_u8(a, b)
#  define ASCII_HOLDS(vector) (vmaxvq_u8(vector) < 0x80)
#else
typedef struct ascii_vector {
    uint64_t low, high;
} ascii_vector;
static inline ascii_vector ascii_load(const char *from)
{
    ascii_vector vector;
    memcpy(&vector, from, sizeof vector);
    return vector;
}
static inline ascii_vector ascii_or(ascii_vector a, ascii_vector b)
{
    a.low |= b.low;
    a.high |= b.high;
    return a;
}
#  define ASCII_LOAD(from) ascii_load(from)
#  define ASCII_STORE(to, vector) memcpy(to, &(vector), sizeof(vector))
#  define ASCII_OR(a, b) ascii_or(a, b)
#  define ASCII_HOLDS(vector) ((((vector).low | (vector).high) & UINT64_C(0x8080808080808080)) == 0)
#endif

/* Less than 16 bytes, in two words that may overlap. `to` is NULL if nothing is to be copied. */
static inline bool ascii_short(char *to, const char *from, size_t size)
{
    uint64_t all = 0;

    if (size >= 8) {
        uint64_t first, last;
        memcpy(&first, from, 8);
        memcpy(&last, from + size - 8, 8);
        if (to != NULL) {
            memcpy(to, &first, 8);
            memcpy(to + size - 8, &last, 8);
        }
        all = first | last;
    } else if (size >= 4) {
        uint32_t first, last;
        memcpy(&first, from, 4);
        memcpy(&last, from + size - 4, 4);
        if (to != NULL) {
            memcpy(to, &first, 4);
            memcpy(to + size - 4, &last, 4);
        }
        all = first | last;
    } else {
        for (size_t i = 0; i < size; i++) {
            all |= (unsigned char)from[i];
            if (to != NULL)
                to[i] = from[i];
        }
    }
    return (all & UINT64_C(0x8080808080808080)) == 0;
}

#if defined(__GNUC__) && defined(__x86_64__)
#  include <immintrin.h>
#  define ASCII_AVX2 1
/* How much of `size` bytes, in blocks of 256, is ASCII for sure. */
__attribute__((target("avx2"), unused)) static size_t ascii_blocks(const char *data, size_t size)
{
    size_t at = 0;

    for (; size - at >= 256; at += 256) {
        const __m256i *from = (const __m256i *)(const void *)(data + at);
        __m256i first = _mm256_loadu_si256(from), second = _mm256_loadu_si256(from + 1);
        for (size_t i = 2; i < 8; i += 2) {
            first = _mm256_or_si256(first, _mm256_loadu_si256(from + i));
            second = _mm256_or_si256(second, _mm256_loadu_si256(from + i + 1));
        }
        if (_mm256_movemask_epi8(_mm256_or_si256(first, second)) != 0)
            break;
    }
    return at;
}
#endif

/* Whether all `size` bytes are below 128. */
static inline bool ascii_all(const char *data, size_t size)
{
    const char *at = data, *const end = data + size;
    ascii_vector all;

    if (size < 16)
        return ascii_short(NULL, data, size);
    if (size <= 32) { /* most answers of roles */
        all = ASCII_OR(ASCII_LOAD(data), ASCII_LOAD(end - 16));
        return ASCII_HOLDS(all);
    }
#ifdef ASCII_AVX2
    if (size >= 1024 && __builtin_cpu_supports("avx2"))
        at += ascii_blocks(data, size); /* what it stopped at is looked at once more below */
#endif
    for (; end - at >= 256; at += 256) { /* stops at the first block that is not */
        ascii_vector first = ASCII_LOAD(at), second = ASCII_LOAD(at + 128);
        for (size_t i = 16; i < 128; i += 16) {
            first = ASCII_OR(first, ASCII_LOAD(at + i));
            second = ASCII_OR(second, ASCII_LOAD(at + i + 128));
        }
        all = ASCII_OR(first, second);
        if (!ASCII_HOLDS(all))
            return false;
    }
    all = ASCII_LOAD(end - 16);
    for (; end - at >= 16; at += 16)
        all = ASCII_OR(all, ASCII_LOAD(at));
    return ASCII_HOLDS(all);
}

/* Copies `size` bytes, which are few, to where there is room for them, and tells whether all are below 128. */
static inline bool ascii_copy(char *to, const char *from, size_t size)
{
    const char *const end = from + size;
    ascii_vector all, last;

    if (size < 16)
        return ascii_short(to, from, size);
    all = last = ASCII_LOAD(end - 16);
    if (size <= 32) { /* most answers of roles: no loop */
        const ascii_vector first = ASCII_LOAD(from);
        all = ASCII_OR(all, first);
        ASCII_STORE(to, first);
    } else {
        for (char *next = to; end - from > 16; from += 16, next += 16) {
            const ascii_vector vector = ASCII_LOAD(from);
            all = ASCII_OR(all, vector);
            ASCII_STORE(next, vector);
        }
    }
    ASCII_STORE(to + size - 16, last);
    return ASCII_HOLDS(all);
}

#ifdef ASCII_AVX2
/* ascii_copy_long for `size` of 128 and more. Stores that are not at multiples of their own size cost as much as two,
 * so the first bytes are stored on their own and the others from the next such address on. */
__attribute__((target("avx2"), unused)) static bool ascii_copy_avx2(char *to, const char *from, size_t size)
{
    const __m256i first = _mm256_loadu_si256((const __m256i *)(const void *)from);
    const __m256i last = _mm256_loadu_si256((const __m256i *)(const void *)(from + size - 32));
    __m256i all = _mm256_or_si256(first, last), others = all;
    size_t at = 32 - ((uintptr_t)to & 31);

    for (; size - at >= 128; at += 128) {
        const __m256i *in = (const __m256i *)(const void *)(from + at);
        __m256i *const out = (__m256i *)(void *)(to + at);
        const __m256i a = _mm256_loadu_si256(in), b = _mm256_loadu_si256(in + 1), c = _mm256_loadu_si256(in + 2),
                      d = _mm256_loadu_si256(in + 3);
        _mm256_store_si256(out, a);
        _mm256_store_si256(out + 1, b);
        _mm256_store_si256(out + 2, c);
        _mm256_store_si256(out + 3, d);
        all = _mm256_or_si256(all, _mm256_or_si256(a, b));
        others = _mm256_or_si256(others, _mm256_or_si256(c, d));
    }
    for (; size - at >= 32; at += 32) {
        const __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(from + at));
        _mm256_store_si256((__m256i *)(void *)(to + at), a);
        all = _mm256_or_si256(all, a);
    }
    _mm256_storeu_si256((__m256i *)(void *)to, first);
    _mm256_storeu_si256((__m256i *)(void *)(to + size - 32), last);
    return _mm256_movemask_epi8(_mm256_or_si256(all, others)) == 0;
}
#endif

/* Copies `size` bytes, which are many, to where they do not overlap, and tells whether all are below 128. One pass over
 * memory where memcpy and a look at the copy are two; 4 KB take half the time of those, 1 MB two thirds. */
static inline bool ascii_copy_long(char *to, const char *from, size_t size)
{
#ifdef ASCII_AVX2
    if (size >= 128 && __builtin_cpu_supports("avx2"))
        return ascii_copy_avx2(to, from, size);
#endif
    if (size != 0)
        memcpy(to, from, size);
    return ascii_all(to, size); /* not `from`, which another thread may be writing to */
}

#undef ASCII_AVX2
#undef ASCII_LOAD
#undef ASCII_STORE
#undef ASCII_OR
#undef ASCII_HOLDS

#endif /* LOADER_ASCII_H */
