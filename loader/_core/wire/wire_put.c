/* wire_put.c: values copied into a lane's arena, with all that they lead to. Who copies believes what it copies: the
 * host its own arguments, the worker its plugin's.
 */
#if defined(__linux__)
#  include "wire/wire.h"

void *wire_room(struct wire_arena *arena, uint64_t size)
{
    const uint64_t at = (arena->top + 15) & ~UINT64_C(15);

    if (at > arena->end || size > arena->end - at) {
        arena->top = arena->end + 1; /* from now on there is no room for anything, and it can be seen */
        return NULL;
    }
    arena->top = at + size;
    return arena->base + at;
}

static uint64_t seen_by_worker(const struct wire_arena *arena, const void *here)
{
    return (uint64_t)(uintptr_t)here + arena->shift;
}

static bool lies_in(const struct wire_arena *arena, const void *at)
{
    const uint64_t offset = (uint64_t)(uintptr_t)at - (uint64_t)(uintptr_t)arena->base;

    return offset < arena->end;
}

/* `size` elements of `each` bytes at *pointer, which becomes an address in the worker. Nothing stays where it points;
 * of a size that no memory has the pointer becomes NULL, and whoever gets that says what is wrong. */
static char *follow(struct wire_arena *arena, const char **pointer, size_t size, size_t each)
{
    const char *const from = *pointer;
    char *room;

    if (from == NULL)
        return NULL;
    if (size == 0) { /* an address there, and not one of this process, which is not for a worker to know */
        *pointer = (const char *)(uintptr_t)seen_by_worker(arena, arena->base);
        return NULL;
    }
    if (size > UINT64_MAX / 2 / each) {
        *pointer = NULL;
        return NULL;
    }
    if (arena->stays && lies_in(arena, from))
        return (char *)(uintptr_t)from;
    room = wire_room(arena, size * each);
    if (room == NULL)
        return NULL;
    wire_copy(room, from, size * each, arena->apart);
    *pointer = (const char *)(uintptr_t)seen_by_worker(arena, room);
    return room;
}

/* From here on `from` is what the copier alone has, and `to` where it goes. They may be the same in a worker. In a host
 * what was put there is never read again: a hostile worker may have changed it, and where it points to then would be
 * copied. */
static void follow_text(struct wire_arena *arena, const void *from, void *to)
{
    loader_text copy;

    memcpy(&copy, from, sizeof copy);
    follow(arena, &copy.data, copy.size, 1);
    memcpy(to, &copy, sizeof copy);
}

static void follow_texts_of(struct wire_arena *arena, const struct wire_value *how, const uint32_t *texts,
                            const char *from, char *to)
{
    for (uint32_t i = 0; i < how->text_count; i++)
        follow_text(arena, from + texts[how->texts + i], to + texts[how->texts + i]);
}

/* Of a tensor only const ones cross, or those that are written back by the host. All of its memory from its lowest
 * element to its highest is copied, so that its strides stay what they are. */
static void follow_tensor(struct wire_arena *arena, const void *from, void *to)
{
    loader_tensor tensor;
    int64_t low = 0, high = 0;
    const char *data;
    bool empty = false;

    memcpy(&tensor, from, sizeof tensor);
    const size_t item = (size_t)(tensor.bits / 8) * tensor.lanes, places = (size_t)tensor.ndim * sizeof(int64_t);
    for (int32_t i = 0; i < tensor.ndim; i++) {
        empty = empty || tensor.shape[i] == 0;
        if (!empty) {
            const int64_t reach = (tensor.shape[i] - 1) * tensor.strides[i];
            *(reach < 0 ? &low : &high) += reach;
        }
    }
    data = (const char *)tensor.data + tensor.byte_offset + low * (int64_t)item;
    if (empty)
        tensor.data = NULL;
    else {
        const uint64_t before = arena->top;
        follow(arena, &data, (size_t)(high - low + 1), item);
        tensor.data = (void *)(uintptr_t)(arena->top == before ? NULL : data);
    }
    tensor.byte_offset = empty ? 0 : (uint64_t)(-low * (int64_t)item);
    follow(arena, (const char **)(void *)&tensor.shape, places, 1);
    follow(arena, (const char **)(void *)&tensor.strides, places, 1);
    memcpy(to, &tensor, sizeof tensor);
}

static void follow_array(struct wire_arena *arena, const struct wire_value *how, const uint32_t *texts,
                         const void *from, void *to)
{
    const size_t each = how->kind == 'l' ? sizeof(loader_text) : how->size;
    const char *elements;
    loader_text array;
    char *copied;

    memcpy(&array, from, sizeof array);
    elements = array.data;
    copied = follow(arena, &array.data, array.size, each);
    memcpy(to, &array, sizeof array);
    for (size_t i = 0; copied != NULL && i < array.size; i++) {
        if (how->kind == 'l')
            follow_text(arena, elements + i * each, copied + i * each);
        else if (how->text_count > 0)
            follow_texts_of(arena, how, texts, elements + i * each, copied + i * each);
        else
            break;
    }
}

bool wire_follow(struct wire_arena *arena, const struct wire_value *how, const uint32_t *texts, const void *from,
                 void *to)
{
    switch (how->kind) {
    case 't':
    case 'b': follow_text(arena, from, to); break;
    case 's': follow_texts_of(arena, how, texts, from, to); break;
    case 'x': follow_tensor(arena, from, to); break;
    case 'n':
    case 'l':
    case 'v': follow_array(arena, how, texts, from, to); break;
    default: break;
    }
    return arena->top <= arena->end;
}

uint64_t wire_put(struct wire_arena *arena, const struct wire_value *how, const uint32_t *texts, const void *value)
{
    const size_t size = how->kind == 's' ? how->size : how->kind == 'x' ? sizeof(loader_tensor) : sizeof(loader_text);
    void *room;

    if (value == NULL || (room = wire_room(arena, size)) == NULL)
        return 0;
    memcpy(room, value, size);
    return wire_follow(arena, how, texts, value, room) ? seen_by_worker(arena, room) : 0;
}
#else
typedef int wire_put_is_for_linux;
#endif
