/* wire_copy.c: copies into memory that two processors share.
 *
 * What was in a lane before is in the other processor's cache: it has just read it. To write there, each line has to
 * be taken away from it, and that costs more than the copy. Measured with 1 MB each way between two processors that are
 * far from each other: 820 microseconds by memcpy and 130 past the caches; with 64 KB 61 and 12. Between two that are
 * near: 115 and 135, 16 and 11. On one processor memcpy is faster, as it is for little.
 */
#if defined(__linux__)
#  include "wire/wire.h"

#  if defined(__x86_64__)
#    include <emmintrin.h>

enum { LONG = 32 << 10, LINE = 64 };

static void copy_past_caches(char *to, const char *from, uint64_t size)
{
    const uint64_t before = (uint64_t)(-(uintptr_t)to & (LINE - 1));
    uint64_t at = before;

    memcpy(to, from, before);
    for (; size - at >= LINE; at += LINE)
        for (uint64_t i = at; i < at + LINE; i += 16)
            _mm_stream_si128((__m128i *)(void *)(to + i), _mm_loadu_si128((const __m128i *)(const void *)(from + i)));
    memcpy(to + at, from + at, size - at);
    _mm_sfence(); /* before the message that tells of it */
}
#  endif

void wire_copy(void *to, const void *from, uint64_t size, bool apart)
{
#  if defined(__x86_64__)
    if (apart && size >= LONG) {
        copy_past_caches(to, from, size);
        return;
    }
#  endif
    (void)apart;
    if (size != 0)
        memcpy(to, from, size);
}
#else
typedef int wire_copy_is_for_linux;
#endif
