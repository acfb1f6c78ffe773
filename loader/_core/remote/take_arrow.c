/* take_arrow.c: see take_arrow.h.
 *
 * A copy's memory is in pieces, which go when all of its structs are released: a consumer may move children away and
 * release them later than what they were in, as the specification has it.
 */
#if defined(__linux__)
#  include "remote/take_arrow.h"

#  include <stdlib.h>

enum { MOST_STRING = 1 << 20 };

static const char hostile[] = "has pointers that lead out of what its process shares";
static const char no_memory[] = "takes more memory than there is";

/* ---- The memory of a copy ------------------------------------------------------------------------------ */

struct piece {
    struct piece *next;
    alignas(16) char memory[];
};

/* Of a schema and what is in it, or of an array. */
struct copy {
    atomic_llong users; /* structs that are not released */
    struct piece *first;
};

static void *more(struct copy *copy, uint64_t size)
{
    struct piece *const piece = size > SIZE_MAX - sizeof *piece - 1 ? NULL : malloc(sizeof *piece + size + 1);

    if (piece == NULL)
        return NULL;
    piece->next = copy->first;
    copy->first = piece;
    return piece->memory;
}

static void end(struct copy *copy)
{
    while (copy->first != NULL) {
        struct piece *const next = copy->first->next;
        free(copy->first);
        copy->first = next;
    }
    free(copy);
}

static void leave(struct copy *copy)
{
    if (atomic_fetch_sub_explicit(&copy->users, 1, memory_order_acq_rel) == 1)
        end(copy);
}

static void release_schema(struct ArrowSchema *schema)
{
    struct copy *const copy = schema->private_data;

    for (int64_t i = 0; i < schema->n_children; i++)
        if (schema->children[i]->release != NULL)
            schema->children[i]->release(schema->children[i]);
    if (schema->dictionary != NULL && schema->dictionary->release != NULL)
        schema->dictionary->release(schema->dictionary);
    schema->release = NULL;
    leave(copy);
}

static void release_array(struct ArrowArray *array)
{
    struct copy *const copy = array->private_data;

    for (int64_t i = 0; i < array->n_children; i++)
        if (array->children[i]->release != NULL)
            array->children[i]->release(array->children[i]);
    if (array->dictionary != NULL && array->dictionary->release != NULL)
        array->dictionary->release(array->dictionary);
    array->release = NULL;
    leave(copy);
}

/* ---- Taking ---------------------------------------------------------------------------------------------- */

struct arrow_taking {
    struct taking *taking;
    struct copy *copy; /* of what is taken now */
    int64_t left;      /* structs that it may have */
    const char *why;   /* it is wrong */
};

static bool fail(struct arrow_taking *t, const char *why)
{
    if (t->why == NULL)
        t->why = why;
    return false;
}

static void *room(struct arrow_taking *t, uint64_t size)
{
    void *const made = size > t->taking->budget ? NULL : more(t->copy, size);

    if (made != NULL)
        return made;
    t->taking->no_memory = size <= t->taking->budget;
    fail(t, t->taking->no_memory ? no_memory : hostile);
    return NULL;
}

/* A copy of `size` bytes at an address of the worker; NULL: it is wrong. */
static void *bytes(struct arrow_taking *t, const void *address, uint64_t size)
{
    void *const made = size > t->taking->size ? (fail(t, hostile), NULL) : room(t, size);

    if (made != NULL && !take_bytes(t->taking, (uint64_t)(uintptr_t)address, size, made))
        return fail(t, hostile), NULL;
    return made;
}

static char *string(struct arrow_taking *t, const char *address)
{
    const uint64_t at = (uint64_t)(uintptr_t)address;
    uint64_t size = 0, budget = t->taking->budget;
    char letter = 1;
    char *made;

    while (letter != '\0' && size < MOST_STRING && take_bytes(t->taking, at + size, 1, &letter))
        size++;
    t->taking->budget = budget;
    if (letter != '\0')
        return fail(t, hostile), NULL;
    made = bytes(t, address, size);
    if (made != NULL)
        made[size - 1] = '\0'; /* it was there before, and may not be now */
    return made;
}

/* The addresses of children; `pointers` is NULL if there are none. */
static bool places(struct arrow_taking *t, int64_t count, const void *address, uint64_t **pointers)
{
    *pointers = NULL;
    if (count < 0 || count > t->left)
        return fail(t, hostile);
    if (count > 0)
        *pointers = bytes(t, address, (uint64_t)count * sizeof **pointers);
    return t->why == NULL;
}

/* One more struct, at `depth`. */
static bool enter(struct arrow_taking *t, int depth)
{
    if (depth > ARROW_MOST_DEPTH || --t->left < 0)
        return fail(t, hostile);
    return true;
}

static struct ArrowSchema *take_child_schema(struct arrow_taking *t, uint64_t address, int depth);
static struct ArrowArray *take_child(struct arrow_taking *t, const struct ArrowSchema *schema, uint64_t address,
                                     int depth);

/* `schema` was copied, and leads into the lane. */
static bool take_schema(struct arrow_taking *t, struct ArrowSchema *schema, int depth)
{
    const struct ArrowSchema given = *schema;
    const int64_t metadata = (int64_t)(uintptr_t)given.private_data;
    uint64_t *children;

    *schema = (struct ArrowSchema){.flags = given.flags};
    if (!enter(t, depth))
        return false;
    schema->format = string(t, given.format);
    if (given.name != NULL)
        schema->name = string(t, given.name);
    if (given.metadata != NULL) {
        schema->metadata = metadata < 0 ? NULL : bytes(t, given.metadata, (uint64_t)metadata);
        if (schema->metadata == NULL || wire_metadata_size(schema->metadata, metadata) != metadata)
            return fail(t, "has metadata that is none");
    }
    if (t->why != NULL || !places(t, given.n_children, given.children, &children))
        return false;
    for (int64_t i = 0; i < given.n_children; i++)
        children[i] = (uint64_t)(uintptr_t)take_child_schema(t, children[i], depth + 1);
    if (given.dictionary != NULL)
        schema->dictionary = take_child_schema(t, (uint64_t)(uintptr_t)given.dictionary, depth + 1);
    schema->n_children = given.n_children;
    schema->children = (struct ArrowSchema **)(void *)children;
    schema->release = release_schema;
    schema->private_data = t->copy;
    atomic_fetch_add_explicit(&t->copy->users, 1, memory_order_relaxed);
    return t->why == NULL;
}

static struct ArrowSchema *take_child_schema(struct arrow_taking *t, uint64_t address, int depth)
{
    struct ArrowSchema *const made = t->why != NULL ? NULL : bytes(t, (void *)(uintptr_t)address, sizeof *made);

    return made != NULL && take_schema(t, made, depth) ? made : NULL;
}

/* ---- Arrays ---------------------------------------------------------------------------------------------- */

/* Bytes of buffer `i`, of those that were taken already; -1: it is wrong. */
static int64_t size_of(const struct wire_form *form, const struct ArrowArray *array, int64_t i, const int64_t *sizes)
{
    const int64_t count = array->offset + array->length, last = array->n_buffers - 1;

    if (form->buffers[1].kind == BUFFER_VIEWS && i >= 2)
        return i == last ? (last - 2) * 8 : sizes[i - 2];
    if (form->buffers[i].kind == BUFFER_DATA)
        return count == 0 ? 0 : wire_offset(array->buffers[i - 1], form->buffers[1].width, count);
    return wire_buffer_size(form, (uint32_t)i, count);
}

/* Copies buffer `i`, which is at buffers[i] in the worker. */
static bool take_buffer(struct arrow_taking *t, const struct wire_form *form, struct ArrowArray *array, int64_t i,
                        const int64_t *sizes)
{
    const void *const address = array->buffers[i];
    const int64_t size = size_of(form, array, i, sizes);

    array->buffers[i] = NULL;
    if (size < 0)
        return fail(t, "has a length, or offsets, that no array has");
    if (address == NULL && i == 0 && form->buffers[0].kind == BUFFER_VALIDITY)
        return true;
    if (address == NULL && size > 0)
        return fail(t, "lacks a buffer that its format has");
    array->buffers[i] = address == NULL ? room(t, 0) : bytes(t, address, (uint64_t)size);
    return t->why == NULL;
}

static bool take_buffers(struct arrow_taking *t, const struct wire_form *form, struct ArrowArray *array,
                         int64_t *data_size)
{
    const bool views = form->buffers[1].kind == BUFFER_VIEWS;
    const int64_t last = array->n_buffers - 1;
    const int64_t *sizes = NULL;
    uint64_t *pointers;

    if (!places(t, array->n_buffers, (const void *)array->buffers, &pointers))
        return false;
    array->buffers = (const void **)(void *)pointers;
    if (views) { /* how long the others are */
        if (!take_buffer(t, form, array, last, NULL))
            return false;
        sizes = array->buffers[last];
    }
    for (int64_t i = 0; i < array->n_buffers - views; i++)
        if (!take_buffer(t, form, array, i, sizes))
            return false;
    *data_size = form->buffers[2].kind == BUFFER_DATA ? size_of(form, array, 2, NULL) : 0;
    return true;
}

static bool take_array(struct arrow_taking *t, const struct ArrowSchema *schema, struct ArrowArray *array, int depth)
{
    const struct ArrowArray given = *array;
    int64_t data_size = 0;
    struct wire_form form;
    uint64_t *children;
    const char *why;

    *array = (struct ArrowArray){.length = given.length, .null_count = given.null_count, .offset = given.offset,
                                 .n_buffers = given.n_buffers, .buffers = given.buffers};
    if (!enter(t, depth))
        return false;
    if (given.length < 0 || given.offset < 0 || given.length > INT64_MAX - given.offset ||
        given.n_children != schema->n_children || (given.dictionary == NULL) != (schema->dictionary == NULL))
        return fail(t, "is not what its schema says");
    if (!wire_form_of(schema->format, given.n_buffers, &form))
        return fail(t, "has a format, or buffers, that cannot be copied to another process");
    if (!take_buffers(t, &form, array, &data_size) || !places(t, given.n_children, given.children, &children))
        return false;
    for (int64_t i = 0; i < given.n_children; i++)
        children[i] = (uint64_t)(uintptr_t)take_child(t, schema->children[i], children[i], depth + 1);
    if (given.dictionary != NULL)
        array->dictionary = take_child(t, schema->dictionary, (uint64_t)(uintptr_t)given.dictionary, depth + 1);
    array->n_children = given.n_children;
    array->children = (struct ArrowArray **)(void *)children;
    array->release = release_array;
    array->private_data = t->copy;
    atomic_fetch_add_explicit(&t->copy->users, 1, memory_order_relaxed);
    if (t->why == NULL && (why = arrow_content_wrong(&form, schema, array, data_size)) != NULL)
        return fail(t, why);
    return t->why == NULL;
}

static struct ArrowArray *take_child(struct arrow_taking *t, const struct ArrowSchema *schema, uint64_t address,
                                     int depth)
{
    struct ArrowArray *const made = t->why != NULL ? NULL : bytes(t, (void *)(uintptr_t)address, sizeof *made);

    return made != NULL && take_array(t, schema, made, depth) ? made : NULL;
}

const char *take_arrow(struct taking *taking, struct ArrowSchema *schema, struct ArrowArray *array)
{
    struct copy *const first = calloc(1, sizeof *first), *const second = calloc(1, sizeof *second);
    struct arrow_taking t = {taking, first, ARROW_MOST_PARTS, NULL};

    if (first == NULL || second == NULL) {
        free(first);
        free(second);
        taking->no_memory = true;
        return no_memory;
    }
    if (take_schema(&t, schema, 0)) {
        t.copy = second;
        t.left = ARROW_MOST_PARTS;
        take_array(&t, schema, array, 0);
    }
    if (t.why != NULL) {
        end(first);
        end(second);
        memset(schema, 0, sizeof *schema);
        memset(array, 0, sizeof *array);
    }
    return t.why;
}

#else
typedef int take_arrow_is_for_linux;
#endif
