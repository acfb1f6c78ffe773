/* arrow_content.c: whether what an Arrow array holds stays in it: offsets, indices, types and texts that a worker gave,
 * and that consumers believe.
 */
#if defined(__linux__)
#  include "remote/take_arrow.h"

/* An array that is looked at: elements from `first` to before `end`. */
struct content {
    const struct wire_form *form;
    struct ArrowArray *array;
    int64_t first, end;
};

static bool is_null(const struct content *c, int64_t i)
{
    const unsigned char *const bits = c->array->buffers[0];

    return bits != NULL && (bits[i / 8] >> (i % 8) & 1) == 0;
}

static bool has_validity(const struct content *c)
{
    return c->form->count > 0 && c->form->buffers[0].kind == BUFFER_VALIDITY;
}

static void count_nulls(const struct content *c)
{
    int64_t count = 0;

    for (int64_t i = c->first; i < c->end && has_validity(c) && c->array->buffers[0] != NULL; i++)
        count += is_null(c, i);
    c->array->null_count = c->form->count == 0 && c->form->nest == 0 ? c->array->length : count;
}

/* ---- Texts ------------------------------------------------------------------------------------------------ */

/* Bytes of the character that begins here, or 0: it is none. */
static int64_t character(const unsigned char *at, int64_t left)
{
    const unsigned char first = at[0];
    const int64_t size =
        first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;

    if (size == 0 || size > left)
        return 0;
    for (int64_t i = 1; i < size; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    if ((first == 0xE0 && at[1] < 0xA0) || (first == 0xED && at[1] > 0x9F) || (first == 0xF0 && at[1] < 0x90) ||
        (first == 0xF4 && at[1] > 0x8F))
        return 0;
    return size;
}

static bool is_text(const void *data, int64_t size)
{
    const unsigned char *at = data;

    while (size > 0) {
        const int64_t one = character(at, size);
        if (one == 0)
            return false;
        at += one;
        size -= one;
    }
    return true;
}

static const char no_text[] = "has text that is no UTF-8";
static const char leads_out[] = "has offsets that lead out of it";

/* Offsets into `most` bytes or elements. */
static const char *check_offsets(const struct content *c, int64_t most)
{
    const void *const offsets = c->array->buffers[1];
    const uint32_t width = c->form->buffers[1].width;
    const bool text = c->form->is_text;
    int64_t before;

    if (c->end == 0)
        return NULL;
    before = wire_offset(offsets, width, c->first);
    if (before < 0)
        return leads_out;
    for (int64_t i = c->first; i < c->end; i++) {
        const int64_t next = wire_offset(offsets, width, i + 1);
        if (next < before || next > most)
            return leads_out;
        if (text && !is_null(c, i) && !is_text((const char *)c->array->buffers[2] + before, next - before))
            return no_text;
        before = next;
    }
    return before > most ? leads_out : NULL;
}

/* A view: its size, then 12 bytes of its own, or 4 of them, a buffer's number and an offset there. */
static const char *check_views(const struct content *c)
{
    const int64_t others = c->array->n_buffers - 3;
    const int64_t *const sizes = c->array->buffers[c->array->n_buffers - 1];
    char *const views = (char *)(uintptr_t)c->array->buffers[1];

    for (int64_t i = c->first; i < c->end; i++) {
        int32_t view[4];
        memcpy(view, views + i * 16, sizeof view);
        const char *data = views + i * 16 + 4;
        if (is_null(c, i)) {
            memset(views + i * 16, 0, 16);
            continue;
        }
        if (view[0] < 0)
            return leads_out;
        if (view[0] > 12) {
            if (view[2] < 0 || view[2] >= others || view[3] < 0 || view[3] > sizes[view[2]] ||
                view[0] > sizes[view[2]] - view[3])
                return leads_out;
            data = (const char *)c->array->buffers[2 + view[2]] + view[3];
        }
        if (c->form->is_text && !is_text(data, view[0]))
            return no_text;
    }
    return NULL;
}

/* ---- What is in others -------------------------------------------------------------------------------------- */

static const char *check_list_views(const struct content *c, int64_t most)
{
    const uint32_t width = c->form->buffers[1].width;

    for (int64_t i = c->first; i < c->end; i++) {
        const int64_t at = wire_offset(c->array->buffers[1], width, i);
        const int64_t size = wire_offset(c->array->buffers[2], width, i);
        if (at < 0 || size < 0 || at > most || size > most - at)
            return leads_out;
    }
    return NULL;
}

/* The number of the child whose type is `type`, by a union's format: "+ud:0,1,5"; -1: none. */
static int64_t child_of(const char *format, int64_t children, int type)
{
    const char *at = format + 4;

    for (int64_t i = 0; i < children; i++) {
        int number = 0;
        for (; *at >= '0' && *at <= '9' && number < 1000; at++)
            number = number * 10 + (*at - '0');
        if (number == type)
            return i;
        if (*at == ',')
            at++;
    }
    return -1;
}

static const char *check_union(const struct content *c, const struct ArrowSchema *schema)
{
    const signed char *const types = c->array->buffers[0];

    for (int64_t i = c->first; i < c->end; i++) {
        const int64_t child = child_of(schema->format, schema->n_children, types[i]);
        int64_t at = i;
        if (child < 0)
            return "has a type that its union has not";
        if (c->form->nest == 'd')
            at = wire_offset(c->array->buffers[1], 4, i);
        if (at < 0 || at >= c->array->children[child]->length)
            return leads_out;
    }
    return NULL;
}

static int64_t index_of(const struct content *c, const struct ArrowSchema *schema, int64_t i)
{
    const char *const at = (const char *)c->array->buffers[1] + i * c->form->buffers[1].width;

    switch (schema->format[0]) {
    case 'c': return *(const signed char *)at;
    case 'C': return *(const unsigned char *)at;
    case 's': { int16_t value; return memcpy(&value, at, sizeof value), value; }
    case 'S': { uint16_t value; return memcpy(&value, at, sizeof value), value; }
    case 'i': { int32_t value; return memcpy(&value, at, sizeof value), value; }
    case 'I': { uint32_t value; return memcpy(&value, at, sizeof value), value; }
    default: { int64_t value; return memcpy(&value, at, sizeof value), value; } /* over 2**63: below 0 */
    }
}

static const char *check_run_ends(const struct content *c, const struct ArrowSchema *schema)
{
    struct ArrowArray *const ends = c->array->children[0];
    const struct ArrowSchema *const format = schema->children[0];
    struct wire_form form;
    int64_t before = 0;

    if (format->format[0] == '\0' || strchr("sil", format->format[0]) == NULL || format->format[1] != '\0' ||
        !wire_form_of(format->format, 2, &form) || ends->null_count != 0)
        return "has run ends that are none";
    const struct content inner = {&form, ends, ends->offset, ends->offset + ends->length};
    for (int64_t i = inner.first; i < inner.end; i++) {
        const int64_t next = index_of(&inner, format, i);
        if (next <= before)
            return "has run ends that are none";
        before = next;
    }
    return before < c->end || c->array->children[1]->length < ends->length ? leads_out : NULL;
}

static const char *check_nested(const struct content *c, const struct ArrowSchema *schema)
{
    const int64_t children = schema->n_children;
    const int64_t most = children > 0 ? c->array->children[0]->length : 0;
    const int64_t wanted = c->form->nest == 'r' ? 2 : c->form->nest == 0 ? 0 : 1;

    if ((c->form->nest == 0 || strchr("sdu", c->form->nest) == NULL) && children != wanted)
        return "has other children than its format";
    switch (c->form->nest) {
    case 'l':
        if (schema->format[1] == 'm' && (strcmp(schema->children[0]->format, "+s") != 0 ||
                                         schema->children[0]->n_children != 2))
            return "is a map of other than keys and values";
        return check_offsets(c, most);
    case 'v': return check_list_views(c, most);
    case 'w': return c->form->per > 0 && c->end > most / c->form->per ? leads_out : NULL;
    case 'd':
    case 'u': return check_union(c, schema);
    case 'r': return check_run_ends(c, schema);
    case 's':
        for (int64_t i = 0; i < children; i++)
            if (c->array->children[i]->length < c->end)
                return leads_out;
        return NULL;
    default: return NULL;
    }
}

static const char *check_dictionary(const struct content *c, const struct ArrowSchema *schema)
{
    const int64_t most = c->array->dictionary->length;
    char *const indices = (char *)(uintptr_t)c->array->buffers[1];

    for (int64_t i = c->first; i < c->end; i++) {
        if (is_null(c, i)) {
            memset(indices + i * c->form->buffers[1].width, 0, c->form->buffers[1].width);
            continue;
        }
        const int64_t index = index_of(c, schema, i);
        if (index < 0 || index >= most)
            return "has indices that its dictionary has not";
    }
    return NULL;
}

const char *arrow_content_wrong(const struct wire_form *form, const struct ArrowSchema *schema,
                                struct ArrowArray *array, int64_t data_size)
{
    const struct content c = {form, array, array->offset, array->offset + array->length};
    const char *wrong = NULL;

    if (array->dictionary != NULL && !form->is_index)
        return "has a dictionary, and no indices";
    count_nulls(&c);
    if (form->buffers[2].kind == BUFFER_DATA)
        wrong = check_offsets(&c, data_size);
    else if (form->buffers[1].kind == BUFFER_VIEWS)
        wrong = check_views(&c);
    else if (array->dictionary != NULL)
        wrong = check_dictionary(&c, schema);
    return wrong == NULL ? check_nested(&c, schema) : wrong;
}

#else
typedef int arrow_content_is_for_linux;
#endif
