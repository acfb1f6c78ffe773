/* arrow_form.c: what buffers an Arrow array has, by its format: the table of the C data interface's specification. */
#include "wire/wire_arrow.h"

#if defined(__linux__)

#  include <string.h>

/* A number of decimal digits, which ends the text; -1: it is none. */
static int64_t number(const char *text)
{
    int64_t value = 0;
    int digits = 0;

    for (; *text >= '0' && *text <= '9' && digits < 10; text++, digits++)
        value = value * 10 + (*text - '0');
    return digits == 0 || *text != '\0' ? -1 : value;
}

static bool fixed(struct wire_form *form, int64_t width)
{
    form->count = 2;
    form->buffers[0].kind = BUFFER_VALIDITY;
    form->buffers[1].kind = BUFFER_FIXED;
    form->buffers[1].width = (uint32_t)width;
    return width > 0 && width < INT32_MAX;
}

static bool offsets(struct wire_form *form, uint32_t width, uint32_t count)
{
    form->count = count;
    form->buffers[0].kind = BUFFER_VALIDITY;
    form->buffers[1].kind = BUFFER_OFFSETS;
    form->buffers[1].width = width;
    form->buffers[2].kind = BUFFER_DATA;
    return true;
}

/* d:precision,scale[,bits] */
static bool decimal(const char *format, struct wire_form *form)
{
    const char *const first = strchr(format, ','), *const second = first == NULL ? NULL : strchr(first + 1, ',');
    const int64_t bits = second == NULL ? 128 : number(second + 1);

    return format[1] == ':' && first != NULL && bits % 8 == 0 && fixed(form, bits / 8);
}

/* td. dates, tt. times, ts.: timestamps, tD. durations, ti. intervals */
static bool temporal(const char *format, struct wire_form *form)
{
    static const struct {
        char text[4];
        uint8_t width;
    } known[] = {{"tdD", 4}, {"tdm", 8}, {"tts", 4}, {"ttm", 4}, {"ttu", 8}, {"ttn", 8}, {"tDs", 8}, {"tDm", 8},
                 {"tDu", 8}, {"tDn", 8}, {"tiM", 4}, {"tiD", 8}, {"tin", 16}};

    if (format[1] == 's')
        return format[2] != '\0' && strchr("smun", format[2]) != NULL && format[3] == ':' && fixed(form, 8);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(format, known[i].text) == 0)
            return fixed(form, known[i].width);
    return false;
}

static bool list_view(const char *format, struct wire_form *form)
{
    const uint32_t width = format[2] == 'l' ? 4 : 8;

    fixed(form, width);
    form->count = 3;
    form->buffers[2].kind = BUFFER_FIXED;
    form->buffers[2].width = width;
    return (format[2] == 'l' || format[2] == 'L') && format[3] == '\0';
}

static bool nested(const char *format, struct wire_form *form)
{
    form->nest = format[1];
    form->count = 1;
    form->buffers[0].kind = BUFFER_VALIDITY;
    switch (format[1]) {
    case 's': return format[2] == '\0';
    case 'w': return form->per = number(format + (format[2] == ':' ? 3 : 2)), format[2] == ':' && form->per >= 0;
    case 'm':
    case 'l': return form->nest = 'l', offsets(form, 4, 2) && format[2] == '\0';
    case 'L': return form->nest = 'l', offsets(form, 8, 2) && format[2] == '\0';
    case 'v': return list_view(format, form);
    case 'r': return form->count = 0, format[2] == '\0';
    case 'u':
        form->nest = format[2] == 'd' ? 'd' : 'u';
        form->count = format[2] == 'd' ? 2 : 1;
        form->buffers[0].kind = form->buffers[1].kind = BUFFER_FIXED;
        form->buffers[0].width = 1;
        form->buffers[1].width = 4;
        return (format[2] == 'd' || format[2] == 's') && format[3] == ':';
    default: return false;
    }
}

static bool primitive(char letter, struct wire_form *form)
{
    form->is_index = strchr("cCsSiIlL", letter) != NULL;
    switch (letter) {
    case 'n': return form->count = 0, true;
    case 'b': return fixed(form, 1) && (form->buffers[1].kind = BUFFER_BITS, true);
    case 'c':
    case 'C': return fixed(form, 1);
    case 's':
    case 'S':
    case 'e': return fixed(form, 2);
    case 'i':
    case 'I':
    case 'f': return fixed(form, 4);
    case 'l':
    case 'L':
    case 'g': return fixed(form, 8);
    case 'z':
    case 'u': return form->is_text = letter == 'u', offsets(form, 4, 3);
    case 'Z':
    case 'U': return form->is_text = letter == 'U', offsets(form, 8, 3);
    default: return false;
    }
}

static bool form_of(const char *format, struct wire_form *form)
{
    switch (format[0]) {
    case '\0': return false;
    case 'd': return decimal(format, form);
    case 'w': return format[1] == ':' && fixed(form, number(format + 2));
    case 't': return temporal(format, form);
    case '+': return nested(format, form);
    case 'v':
        fixed(form, 16);
        form->buffers[1].kind = BUFFER_VIEWS;
        form->is_text = format[1] == 'u';
        return (format[1] == 'z' || format[1] == 'u') && format[2] == '\0';
    default: return format[1] == '\0' && primitive(format[0], form);
    }
}

bool wire_form_of(const char *format, int64_t n_buffers, struct wire_form *form)
{
    *form = (struct wire_form){0};
    if (!form_of(format, form))
        return false;
    return form->buffers[1].kind == BUFFER_VIEWS ? n_buffers >= 3 : n_buffers == (int64_t)form->count;
}

int64_t wire_buffer_size(const struct wire_form *form, uint32_t buffer, int64_t count)
{
    const int64_t width = form->buffers[buffer].width, most = INT64_MAX / 2;

    switch (form->buffers[buffer].kind) {
    case BUFFER_VALIDITY:
    case BUFFER_BITS: return count / 8 + (count % 8 != 0);
    case BUFFER_OFFSETS: return count >= most / width ? -1 : (count + 1) * width;
    case BUFFER_FIXED:
    case BUFFER_VIEWS: return count > most / width ? -1 : count * width;
    default: return 0;
    }
}

int64_t wire_offset(const void *offsets, uint32_t width, int64_t i)
{
    int64_t wide;
    int32_t narrow;

    if (width == 8)
        return memcpy(&wide, (const char *)offsets + i * 8, sizeof wide), wide;
    return memcpy(&narrow, (const char *)offsets + i * 4, sizeof narrow), narrow;
}

int64_t wire_metadata_size(const char *metadata, int64_t most)
{
    int64_t at = 4;
    int32_t count, size;

    if (most < at)
        return -1;
    memcpy(&count, metadata, sizeof count);
    for (int64_t i = 0; i < 2 * (int64_t)count; i++) { /* keys and values */
        if (most - at < 4)
            return -1;
        memcpy(&size, metadata + at, sizeof size);
        at += 4;
        if (size < 0 || most - at < size)
            return -1;
        at += size;
    }
    return at;
}

#else
typedef int arrow_form_is_for_linux;
#endif
