/* space.h: Unicode white space (the White_Space property) in UTF-8, met from either side.
 *
 * U+0009-000D, 0020, 0085, 00A0, 1680, 2000-200A, 2028, 2029, 202F, 205F, 3000. Not U+001C-001F, which
 * Python's str.strip() takes for white space too. The text is well-formed UTF-8.
 */
#ifndef HTMLIZE_SPACE_H
#define HTMLIZE_SPACE_H

#include <stdbool.h>
#include <stddef.h>

static inline bool space_ascii(unsigned char c)
{
    return c == ' ' || (c >= 9 && c <= 13);
}

/* Three bytes at p are one white space character. */
static inline bool space_three(const unsigned char *p)
{
    if (p[0] == 0xE1)
        return p[1] == 0x9A && p[2] == 0x80;
    if (p[0] == 0xE3)
        return p[1] == 0x80 && p[2] == 0x80;
    if (p[0] != 0xE2)
        return false;
    if (p[1] == 0x81)
        return p[2] == 0x9F;
    return p[1] == 0x80 && (p[2] <= 0x8A || p[2] == 0xA8 || p[2] == 0xA9 || p[2] == 0xAF);
}

/* Bytes of the white space character at `at`, before `end`; 0 if there is none. */
static inline size_t space_after(const char *at, const char *end)
{
    const unsigned char *p = (const unsigned char *)at;
    size_t left = (size_t)(end - at);

    if (left >= 1 && space_ascii(p[0]))
        return 1;
    if (left >= 2 && p[0] == 0xC2 && (p[1] == 0x85 || p[1] == 0xA0))
        return 2;
    if (left >= 3 && space_three(p))
        return 3;
    return 0;
}

/* Bytes of the white space character that ends at `at`, after `begin`; 0 if there is none. */
static inline size_t space_before(const char *begin, const char *at)
{
    const unsigned char *p = (const unsigned char *)at;
    size_t left = (size_t)(at - begin);

    if (left >= 1 && space_ascii(p[-1]))
        return 1;
    if (left >= 2 && p[-2] == 0xC2 && (p[-1] == 0x85 || p[-1] == 0xA0))
        return 2;
    if (left >= 3 && space_three(p - 3))
        return 3;
    return 0;
}

#endif /* HTMLIZE_SPACE_H */
