/* decode.c: UTF-8 as a new str. See decode.h.
 *
 * PyUnicode_DecodeUTF8 begins with a str for ASCII and makes it anew, wider, at the first character that does not fit.
 * A short text is looked at first: how many characters, and the largest first byte of one, which tells the kind of str.
 * That is the right kind for well-formed text only, and the second pass sees whether it is. 0.55 to 0.7 of the other's
 * time at 20 bytes, equal at 160 to 400; so long texts are left to Python, which knows more about them.
 */
#include "text/decode.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { SHORT_MOST = 160 }; /* bytes */

/* How many characters `size` bytes are, if they are well-formed, and their largest byte. */
static size_t count(const unsigned char *s, size_t size, unsigned *largest)
{
    size_t characters = 0;
    unsigned char most = 0;

    for (size_t i = 0; i < size; i++) {
        characters += (s[i] & 0xC0) != 0x80;
        most = s[i] > most ? s[i] : most;
    }
    *largest = most;
    return characters;
}

/* The character of two to four bytes at `s`, and how many those are; 0: it is none. `left` bytes are there. The ranges
 * are table 3-7 of the Unicode standard: nothing overlong, no surrogates, nothing past 10FFFF. */
static inline size_t character(const unsigned char *s, size_t left, uint32_t *found)
{
    const unsigned first = s[0];

    if (first < 0xE0) {
        if (first < 0xC2 || left < 2 || (s[1] & 0xC0) != 0x80)
            return 0;
        *found = (first & 0x1F) << 6 | (s[1] & 0x3Fu);
        return 2;
    }
    if (first < 0xF0) {
        if (left < 3 || (s[1] & 0xC0) != 0x80 || (s[2] & 0xC0) != 0x80)
            return 0;
        *found = (first & 0x0F) << 12 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
        return *found < 0x800 || (*found >= 0xD800 && *found < 0xE000) ? 0 : 3;
    }
    if (first > 0xF4 || left < 4 || (s[1] & 0xC0) != 0x80 || (s[2] & 0xC0) != 0x80 || (s[3] & 0xC0) != 0x80)
        return 0;
    *found = (first & 0x07) << 18 | (s[1] & 0x3Fu) << 12 | (s[2] & 0x3Fu) << 6 | (s[3] & 0x3Fu);
    return *found < 0x10000 || *found > 0x10FFFF ? 0 : 4;
}

/* Writes the characters of `s` to a str's data of one kind, as many as were counted; false if they are not
 * well-formed. Eight bytes of ASCII are taken at once. A first byte that counts as a character and is none ends it, so
 * that no more is written than there is room for. */
#define WRITE(name, type)                                                                               \
    static bool name(type *to, const unsigned char *s, size_t size)                                     \
    {                                                                                                   \
        const unsigned char *const end = s + size;                                                      \
                                                                                                        \
        while (s < end) {                                                                               \
            uint64_t eight;                                                                             \
            uint32_t found;                                                                             \
            size_t taken;                                                                               \
            if (*s < 0x80) {                                                                            \
                if ((size_t)(end - s) >= 8 &&                                                           \
                    (memcpy(&eight, s, 8), (eight & UINT64_C(0x8080808080808080)) == 0)) {              \
                    for (int i = 0; i < 8; i++)                                                         \
                        to[i] = s[i];                                                                   \
                    to += 8;                                                                            \
                    s += 8;                                                                             \
                } else {                                                                                \
                    *to++ = *s++;                                                                       \
                }                                                                                       \
                continue;                                                                               \
            }                                                                                           \
            taken = character(s, (size_t)(end - s), &found);                                            \
            if (taken == 0)                                                                             \
                return false;                                                                           \
            *to++ = (type)found;                                                                        \
            s += taken;                                                                                 \
        }                                                                                               \
        return true;                                                                                    \
    }
WRITE(write_1, Py_UCS1)
WRITE(write_2, Py_UCS2)
WRITE(write_4, Py_UCS4)

static PyObject *by_python(const char *data, size_t size)
{
    PyObject *text = PyUnicode_DecodeUTF8(data, (Py_ssize_t)size, NULL);

    if (text == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
        PyErr_Clear();
    return text;
}

PyObject *decode_utf8(const char *data, size_t size)
{
    const unsigned char *const s = (const unsigned char *)data;
    PyObject *text;
    size_t characters;
    unsigned largest;
    Py_UCS4 most;
    bool good;

    if (size > SHORT_MOST)
        return by_python(data, size);
    characters = count(s, size, &largest);
    /* By the largest first byte: C3 leads to U+00FF, EF to U+FFFF. */
    most = largest < 0x80 ? 0x7F : largest < 0xC4 ? 0xFF : largest < 0xF0 ? 0xFFFF : 0x10FFFF;
    if (characters < 2) /* the empty str and many of one character are shared objects: Python has them, we may not write */
        return by_python(data, size);
    text = PyUnicode_New((Py_ssize_t)characters, most);
    if (text == NULL)
        return NULL;
    if (most == 0x7F) {
        memcpy(PyUnicode_DATA(text), data, size);
        return text;
    }
    if (most == 0xFF)
        good = write_1(PyUnicode_1BYTE_DATA(text), s, size);
    else if (most == 0xFFFF)
        good = write_2(PyUnicode_2BYTE_DATA(text), s, size);
    else
        good = write_4(PyUnicode_4BYTE_DATA(text), s, size);
    if (!good)
        Py_CLEAR(text);
    return text;
}
