/* block.h: copies 64 bytes and says where in them something happens. One version for each kind of vectors.
 *
 * Every version is   uint64_t block_NAME(const char *from, char *to, unsigned mode): copies 64 bytes from
 * `from` to `to` (not under ENGINE_LOOK) and returns a bit for each byte, lowest first, that is one of the
 * marks of `mode`, which is a constant where it is inlined, so each use has only the code it needs.
 *
 * Under ENGINE_WRAP it reads 65 bytes: the first '\n' of a pair is a mark, and in the copy every '\n' has
 * become a space. So the '\n' at the end of a line, the most frequent thing in a text, costs no branch.
 */
#ifndef HTMLIZE_BLOCK_H
#define HTMLIZE_BLOCK_H

#include <stdint.h>
#include <string.h>

enum { BLOCK = 64 };

/* What a pass looks for. */
enum engine_mode {
    ENGINE_WRAP = 1,   /* "\n\n", see above */
    ENGINE_ROLES = 2,  /* ` */
    ENGINE_ESCAPE = 4, /* & < > " ' */
    ENGINE_LINES = 8,  /* any '\n' */
    ENGINE_LOOK = 16   /* copies nothing */
};

#define NEWLINE_TO_SPACE ('\n' ^ ' ')

#define BLOCK_INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)
#  define HAVE_SSE2 1
#  include <immintrin.h>
/* GCC for Windows puts longer vectors on a stack that is aligned for these only, and crashes (GCC bug 54412). */
#  if !defined(_WIN32) || defined(__clang__)
#    define HAVE_AVX 1
#  endif
#  define TARGET_AVX2 __attribute__((target("avx2,bmi,lzcnt")))
#  define TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512vbmi2,bmi,bmi2,lzcnt")))
#elif defined(__aarch64__) && defined(__AARCH64EL__)
#  define HAVE_NEON 1
#  include <arm_neon.h>
#endif

/* ---- Plain C: eight bytes in a word -------------------------------------------------------------------- */

#define EACH(byte) ((uint64_t)(byte) * UINT64_C(0x0101010101010101))

/* 0x80 in each byte of `word` that is zero. Exact: the carry of the addition never leaves its byte. */
BLOCK_INLINE uint64_t word_zeros(uint64_t word)
{
    return ~(((word & EACH(0x7F)) + EACH(0x7F)) | word | EACH(0x7F));
}

BLOCK_INLINE uint64_t word_marks(uint64_t word, unsigned mode)
{
    uint64_t found = 0;

    if (mode & ENGINE_LINES)
        found |= word_zeros(word ^ EACH('\n'));
    if (mode & ENGINE_ROLES)
        found |= word_zeros(word ^ EACH('`'));
    if (mode & ENGINE_ESCAPE) { /* & and ' differ in bit 0, < and > in bit 1 */
        found |= word_zeros((word | EACH(1)) ^ EACH('\''));
        found |= word_zeros((word | EACH(2)) ^ EACH('>'));
        found |= word_zeros(word ^ EACH('"'));
    }
    return found;
}

BLOCK_INLINE uint64_t block_portable(const char *from, char *to, unsigned mode)
{
    uint64_t marks = 0;

    for (unsigned i = 0; i < BLOCK; i += 8) {
        uint64_t word, found;
        memcpy(&word, from + i, 8);
        found = word_marks(word, mode);
        if (mode & ENGINE_WRAP) {
            uint64_t next, lines = word_zeros(word ^ EACH('\n'));
            memcpy(&next, from + i + 1, 8);
            if (lines != 0)
                found |= lines & word_zeros(next ^ EACH('\n'));
            word ^= (lines >> 7) * NEWLINE_TO_SPACE;
        }
        if (!(mode & ENGINE_LOOK))
            memcpy(to + i, &word, 8);
        if (found == 0)
            continue;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        found = __builtin_bswap64(found);
#endif
        /* Gathers the eight top bits, first byte lowest. */
        marks |= (((found >> 7) * UINT64_C(0x0102040810204080)) >> 56) << i;
    }
    return marks;
}

/* ---- x86-64 -------------------------------------------------------------------------------------------- */

#ifdef HAVE_SSE2
BLOCK_INLINE __m128i marks_sse2(__m128i v, unsigned mode)
{
    __m128i found = _mm_setzero_si128();

    if (mode & ENGINE_LINES)
        found = _mm_cmpeq_epi8(v, _mm_set1_epi8('\n'));
    if (mode & ENGINE_ROLES)
        found = _mm_or_si128(found, _mm_cmpeq_epi8(v, _mm_set1_epi8('`')));
    if (mode & ENGINE_ESCAPE) {
        __m128i amp = _mm_cmpeq_epi8(_mm_or_si128(v, _mm_set1_epi8(1)), _mm_set1_epi8('\''));
        __m128i tag = _mm_cmpeq_epi8(_mm_or_si128(v, _mm_set1_epi8(2)), _mm_set1_epi8('>'));
        found = _mm_or_si128(found, _mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
        found = _mm_or_si128(found, _mm_or_si128(amp, tag));
    }
    return found;
}

BLOCK_INLINE uint64_t part_sse2(const char *from, char *to, unsigned mode)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)from), found = marks_sse2(v, mode);

    if (mode & ENGINE_WRAP) {
        __m128i next = _mm_loadu_si128((const __m128i *)(const void *)(from + 1));
        __m128i line = _mm_set1_epi8('\n'), lines = _mm_cmpeq_epi8(v, line);
        found = _mm_or_si128(found, _mm_and_si128(lines, _mm_cmpeq_epi8(next, line)));
        v = _mm_xor_si128(v, _mm_and_si128(lines, _mm_set1_epi8(NEWLINE_TO_SPACE)));
    }
    if (!(mode & ENGINE_LOOK))
        _mm_storeu_si128((__m128i *)(void *)to, v);
    return (uint64_t)(unsigned)_mm_movemask_epi8(found);
}

BLOCK_INLINE uint64_t block_sse2(const char *from, char *to, unsigned mode)
{
    uint64_t marks = 0;

    for (unsigned i = 0; i < BLOCK; i += 16)
        marks |= part_sse2(from + i, to + i, mode) << i;
    return marks;
}
#endif

#ifdef HAVE_AVX
TARGET_AVX2 BLOCK_INLINE __m256i marks_avx2(__m256i v, unsigned mode)
{
    __m256i found = _mm256_setzero_si256();

    if (mode & ENGINE_LINES)
        found = _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\n'));
    if (mode & ENGINE_ROLES)
        found = _mm256_or_si256(found, _mm256_cmpeq_epi8(v, _mm256_set1_epi8('`')));
    if (mode & ENGINE_ESCAPE) {
        __m256i amp = _mm256_cmpeq_epi8(_mm256_or_si256(v, _mm256_set1_epi8(1)), _mm256_set1_epi8('\''));
        __m256i tag = _mm256_cmpeq_epi8(_mm256_or_si256(v, _mm256_set1_epi8(2)), _mm256_set1_epi8('>'));
        found = _mm256_or_si256(found, _mm256_cmpeq_epi8(v, _mm256_set1_epi8('"')));
        found = _mm256_or_si256(found, _mm256_or_si256(amp, tag));
    }
    return found;
}

TARGET_AVX2 BLOCK_INLINE uint64_t part_avx2(const char *from, char *to, unsigned mode)
{
    __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)from), found = marks_avx2(v, mode);

    if (mode & ENGINE_WRAP) {
        __m256i next = _mm256_loadu_si256((const __m256i *)(const void *)(from + 1));
        __m256i line = _mm256_set1_epi8('\n'), lines = _mm256_cmpeq_epi8(v, line);
        found = _mm256_or_si256(found, _mm256_and_si256(lines, _mm256_cmpeq_epi8(next, line)));
        v = _mm256_blendv_epi8(v, _mm256_set1_epi8(' '), lines);
    }
    if (!(mode & ENGINE_LOOK))
        _mm256_storeu_si256((__m256i *)(void *)to, v);
    return (uint64_t)(unsigned)_mm256_movemask_epi8(found);
}

TARGET_AVX2 BLOCK_INLINE uint64_t block_avx2(const char *from, char *to, unsigned mode)
{
    uint64_t low = part_avx2(from, to, mode);

    return low | part_avx2(from + 32, to + 32, mode) << 32;
}

TARGET_AVX512 BLOCK_INLINE uint64_t marks_avx512(__m512i v, unsigned mode)
{
    uint64_t found = 0;

    if (mode & ENGINE_LINES)
        found = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\n'));
    if (mode & ENGINE_ROLES)
        found |= _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('`'));
    if (mode & ENGINE_ESCAPE) {
        found |= _mm512_cmpeq_epi8_mask(_mm512_or_si512(v, _mm512_set1_epi8(1)), _mm512_set1_epi8('\''));
        found |= _mm512_cmpeq_epi8_mask(_mm512_or_si512(v, _mm512_set1_epi8(2)), _mm512_set1_epi8('>'));
        found |= _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('"'));
    }
    return found;
}

TARGET_AVX512 BLOCK_INLINE uint64_t block_avx512(const char *from, char *to, unsigned mode)
{
    __m512i v = _mm512_loadu_si512(from);
    uint64_t found = marks_avx512(v, mode);

    if (mode & ENGINE_WRAP) {
        const __m512i line = _mm512_set1_epi8('\n');
        const uint64_t lines = _mm512_cmpeq_epi8_mask(v, line);
        found |= _mm512_mask_cmpeq_epi8_mask(lines, _mm512_loadu_si512(from + 1), line);
        v = _mm512_mask_blend_epi8(lines, v, _mm512_set1_epi8(' '));
    }
    if (!(mode & ENGINE_LOOK))
        _mm512_storeu_si512(to, v);
    return found;
}
#endif

/* ---- ARM64 --------------------------------------------------------------------------------------------- */

#ifdef HAVE_NEON
BLOCK_INLINE uint8x16_t part_neon(const uint8_t *from, uint8_t *to, unsigned mode)
{
    uint8x16_t v = vld1q_u8(from), found = vdupq_n_u8(0), line = vdupq_n_u8('\n');

    if (mode & ENGINE_LINES)
        found = vceqq_u8(v, line);
    if (mode & ENGINE_ROLES)
        found = vorrq_u8(found, vceqq_u8(v, vdupq_n_u8('`')));
    if (mode & ENGINE_ESCAPE) {
        found = vorrq_u8(found, vceqq_u8(vorrq_u8(v, vdupq_n_u8(1)), vdupq_n_u8('\'')));
        found = vorrq_u8(found, vceqq_u8(vorrq_u8(v, vdupq_n_u8(2)), vdupq_n_u8('>')));
        found = vorrq_u8(found, vceqq_u8(v, vdupq_n_u8('"')));
    }
    if (mode & ENGINE_WRAP) {
        uint8x16_t lines = vceqq_u8(v, line);
        found = vorrq_u8(found, vandq_u8(lines, vceqq_u8(vld1q_u8(from + 1), line)));
        v = veorq_u8(v, vandq_u8(lines, vdupq_n_u8(NEWLINE_TO_SPACE)));
    }
    if (!(mode & ENGINE_LOOK))
        vst1q_u8(to, v);
    return found;
}

BLOCK_INLINE uint64_t block_neon(const char *from, char *to, unsigned mode)
{
    static const uint8_t bits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const uint8x16_t bit = vld1q_u8(bits);
    uint8x16_t part[4], low, high;

    for (unsigned i = 0; i < 4; i++)
        part[i] = vandq_u8(bit, part_neon((const uint8_t *)from + 16 * i,
                                          (uint8_t *)to + 16 * i, mode));
    low = vpaddq_u8(part[0], part[1]); /* one bit a byte, then neighbours added three times: a bit each */
    high = vpaddq_u8(part[2], part[3]);
    low = vpaddq_u8(low, high);
    low = vpaddq_u8(low, low);
    return vgetq_lane_u64(vreinterpretq_u64_u8(low), 0);
}
#endif

#endif /* HTMLIZE_BLOCK_H */
