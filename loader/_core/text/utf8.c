/* utf8.c: is this well-formed UTF-8. */
#include "call/internal.h"

/* The number of bytes of the well-formed sequence at `s`, of which `size` > 0 are there; 0 if it is none.
 * The ranges are table 3-7 of the Unicode standard: no overlong forms, no surrogates, nothing past 10FFFF. */
static size_t sequence(const unsigned char *s, size_t size)
{
    unsigned char low = 0x80, high = 0xBF;
    size_t wanted;

    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xC2 && s[0] <= 0xDF) {
        wanted = 2;
    } else if ((s[0] & 0xF0) == 0xE0) {
        wanted = 3;
        if (s[0] == 0xE0)
            low = 0xA0;
        else if (s[0] == 0xED)
            high = 0x9F;
    } else if (s[0] >= 0xF0 && s[0] <= 0xF4) {
        wanted = 4;
        if (s[0] == 0xF0)
            low = 0x90;
        else if (s[0] == 0xF4)
            high = 0x8F;
    } else {
        return 0;
    }
    if (size < wanted || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < wanted; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    return wanted;
}

size_t core_utf8_valid(const char *data, size_t size)
{
    size_t i = 0;

    while (i < size) {
        if (size - i >= 64 && ascii_all(data + i, 64)) {
            i += 64;
            continue;
        }
        size_t step = sequence((const unsigned char *)data + i, size - i);
        if (step == 0)
            return i;
        i += step;
    }
    return size;
}
