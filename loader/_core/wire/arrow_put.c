/* arrow_put.c: Arrow arrays copied into a lane's arena, all buffers of them. Who copies believes what it copies, as in
 * wire_put.c.
 */
#include "wire/wire_arrow.h"

#if defined(__linux__)

struct putting {
    struct wire_arena *arena;
    const uint64_t *release; /* of a schema, of an array */
    const char *why;         /* it cannot be copied */
};

static const char unknown[] = "has a format, or buffers, that cannot be copied to another process";
static const char lacking[] = "lacks a buffer that its format has";

static uint64_t there(const struct putting *putting, const void *here)
{
    return (uint64_t)(uintptr_t)here + putting->arena->shift;
}

/* A copy's address in the worker as a pointer; NULL: there is no room, or nothing. */
static void *put(struct putting *putting, const void *from, uint64_t size)
{
    void *const room = from == NULL ? NULL : wire_room(putting->arena, size);

    if (room == NULL)
        return NULL;
    if (size != 0)
        memmove(room, from, size); /* a plugin that says too much has it end in the copy itself */
    return (void *)(uintptr_t)there(putting, room);
}

static const char *put_string(struct putting *putting, const char *text)
{
    return put(putting, text, text == NULL ? 0 : strlen(text) + 1);
}

/* Room for pointers to children. Their number was checked. */
static uint64_t *put_places(struct putting *putting, int64_t count, void *pointer)
{
    uint64_t *const places = count == 0 ? NULL : wire_room(putting->arena, (uint64_t)count * sizeof *places);
    const uint64_t at = places == NULL ? 0 : there(putting, places);

    memcpy(pointer, &at, sizeof at);
    return places;
}

static void put_schema(struct putting *putting, const struct ArrowSchema *from, struct ArrowSchema *to)
{
    struct ArrowSchema *child;
    uint64_t *places;
    int64_t size = 0;

    *to = *from;
    to->format = put_string(putting, from->format);
    to->name = put_string(putting, from->name);
    if (from->metadata != NULL && (size = wire_metadata_size(from->metadata, INT64_MAX)) < 0)
        putting->why = "has metadata that is none";
    else
        to->metadata = put(putting, from->metadata, (uint64_t)size);
    to->private_data = (void *)(uintptr_t)size;
    memcpy((void *)&to->release, &putting->release[0], sizeof to->release);
    places = put_places(putting, from->n_children, (void *)&to->children);
    for (int64_t i = 0; places != NULL && i < from->n_children; i++) {
        child = wire_room(putting->arena, sizeof *child);
        if (child == NULL)
            return;
        put_schema(putting, from->children[i], child);
        places[i] = there(putting, child);
    }
    if (from->dictionary != NULL && (child = wire_room(putting->arena, sizeof *child)) != NULL) {
        put_schema(putting, from->dictionary, child);
        to->dictionary = (void *)(uintptr_t)there(putting, child);
    }
}

/* Bytes of a buffer of an array; -1 with `why`, or 0 where the buffer is NULL. */
static int64_t size_of(struct putting *putting, const struct wire_form *form, const struct ArrowArray *array, int64_t i)
{
    const int64_t count = array->offset + array->length, last = array->n_buffers - 1;
    const void *told_by; /* the buffer that says how long this one is */
    int64_t size = 0;

    if (form->buffers[1].kind == BUFFER_VIEWS && i >= 2) {
        told_by = array->buffers[last];
        if (i == last || told_by != NULL)
            size = i == last ? (last - 2) * 8 : wire_offset(told_by, 8, i - 2);
    } else if (form->buffers[i].kind == BUFFER_DATA) {
        told_by = array->buffers[i - 1];
        if (count > 0 && told_by != NULL)
            size = wire_offset(told_by, form->buffers[1].width, count);
    } else if (form->buffers[i].kind != BUFFER_OFFSETS || count > 0) { /* without elements it may have none */
        size = wire_buffer_size(form, (uint32_t)i, count);
    }
    if (size < 0)
        putting->why = "has a length, or offsets, that no array has";
    else if (array->buffers[i] == NULL && size > 0 && (i > 0 || form->buffers[0].kind != BUFFER_VALIDITY))
        putting->why = lacking;
    return size;
}

static void put_buffers(struct putting *putting, const struct wire_form *form, const struct ArrowArray *from,
                        struct ArrowArray *to)
{
    uint64_t *const places = put_places(putting, from->n_buffers, (void *)&to->buffers);

    for (int64_t i = 0; places != NULL && i < from->n_buffers; i++) {
        const int64_t size = size_of(putting, form, from, i);
        if (putting->why != NULL)
            return;
        places[i] = (uint64_t)(uintptr_t)put(putting, from->buffers[i], (uint64_t)size);
        if (form->buffers[i < 2 ? i : 0].kind == BUFFER_OFFSETS && size == 0) { /* one that says: nothing */
            static const int64_t nothing = 0;
            places[i] = (uint64_t)(uintptr_t)put(putting, &nothing, sizeof nothing);
        }
    }
}

static void put_array(struct putting *putting, const struct ArrowSchema *schema, const struct ArrowArray *from,
                      struct ArrowArray *to)
{
    struct ArrowArray *child;
    struct wire_form form;
    uint64_t *places;

    *to = *from;
    to->private_data = NULL;
    memcpy((void *)&to->release, &putting->release[1], sizeof to->release);
    if (!wire_form_of(schema->format, from->n_buffers, &form)) {
        putting->why = unknown;
        return;
    }
    put_buffers(putting, &form, from, to);
    places = put_places(putting, from->n_children, (void *)&to->children);
    for (int64_t i = 0; places != NULL && putting->why == NULL && i < from->n_children; i++) {
        child = wire_room(putting->arena, sizeof *child);
        if (child == NULL)
            return;
        put_array(putting, schema->children[i], from->children[i], child);
        places[i] = there(putting, child);
    }
    if (from->dictionary != NULL && (child = wire_room(putting->arena, sizeof *child)) != NULL) {
        put_array(putting, schema->dictionary, from->dictionary, child);
        to->dictionary = (void *)(uintptr_t)there(putting, child);
    }
}

const char *wire_put_arrow(struct wire_arena *arena, const uint64_t release[2], const loader_arrow *from,
                           struct ArrowSchema *schema, struct ArrowArray *array)
{
    struct putting putting = {.arena = arena, .release = release};

    put_schema(&putting, from->schema, schema);
    if (putting.why == NULL)
        put_array(&putting, from->schema, from->array, array);
    return putting.why;
}

#else
typedef int arrow_put_is_for_linux;
#endif
