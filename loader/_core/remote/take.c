/* take.c: see take.h. */
#if defined(__linux__)
#  include "remote/take.h"

#  include <stdlib.h>

/* The compiler may not read again what was copied from. */
static void copy_once(void *into, const void *from, uint64_t size)
{
    if (size != 0)
        memcpy(into, from, size);
    __asm__ __volatile__("" : : : "memory");
}

static const char *find(const struct taking *taking, uint64_t address, uint64_t size)
{
    const uint64_t offset = address - taking->base;

    return offset <= taking->size && size <= taking->size - offset ? taking->lane + offset : NULL;
}

bool take_bytes(struct taking *taking, uint64_t address, uint64_t size, void *into)
{
    const char *const from = find(taking, address, size);

    if (from == NULL || size > taking->budget)
        return false;
    taking->budget -= size;
    copy_once(into, from, size);
    return true;
}

/* `count` elements of `each` bytes at *pointer, which becomes the copy's address. It is as aligned as that was. */
static char *take_elements(struct taking *taking, const char **pointer, uint64_t count, uint64_t each)
{
    const uint64_t address = (uint64_t)(uintptr_t)*pointer, skew = address & 15;
    char *room;

    *pointer = NULL;
    if (count > taking->size / each || find(taking, address, count * each) == NULL || count * each > taking->budget)
        return NULL;
    room = taking->room(taking->owner, count * each + skew);
    if (room == NULL) {
        taking->no_memory = true;
        return NULL;
    }
    taking->budget -= count * each;
    copy_once(room + skew, find(taking, address, count * each), count * each);
    *pointer = room + skew;
    return room + skew;
}

static bool take_text(struct taking *taking, void *memory)
{
    loader_text text;
    bool taken = true;

    memcpy(&text, memory, sizeof text);
    if (text.size == 0)
        text.data = NULL;
    else if (text.data != NULL) /* otherwise whoever gets it says so */
        taken = take_elements(taking, &text.data, text.size, 1) != NULL;
    memcpy(memory, &text, sizeof text);
    return taken;
}

static bool take_texts_of(struct taking *taking, const struct wire_value *how, const uint32_t *texts, char *memory)
{
    for (uint32_t i = 0; i < how->text_count; i++)
        if (!take_text(taking, memory + texts[how->texts + i]))
            return false;
    return true;
}

static bool take_array(struct taking *taking, const struct wire_value *how, const uint32_t *texts, void *memory)
{
    const uint64_t each = how->kind == 'l' ? sizeof(loader_text) : how->size;
    loader_text array;
    char *elements = NULL;

    memcpy(&array, memory, sizeof array);
    if (array.size == 0)
        array.data = NULL;
    else if (array.data == NULL) /* whoever gets it says so */
        return true;
    else if ((elements = take_elements(taking, &array.data, array.size, each)) == NULL)
        return false;
    memcpy(memory, &array, sizeof array);
    for (uint64_t i = 0; i < array.size; i++)
        if (how->kind == 'l' ? !take_text(taking, elements + i * each)
                             : !take_texts_of(taking, how, texts, elements + i * each))
            return false;
        else if (how->kind != 'l' && how->text_count == 0)
            break;
    return true;
}

bool take_followed(struct taking *taking, const struct wire_value *how, const uint32_t *texts, void *memory)
{
    switch (how->kind) {
    case 't':
    case 'b': return take_text(taking, memory);
    case 's': return take_texts_of(taking, how, texts, memory);
    case 'n':
    case 'l':
    case 'v': return take_array(taking, how, texts, memory);
    default: return true; /* a number */
    }
}

void *take_value(struct taking *taking, const struct wire_value *how, const uint32_t *texts, uint64_t address)
{
    const uint64_t size = how->kind == 's' ? how->size : sizeof(loader_text);
    void *const memory = taking->room(taking->owner, size);

    if (memory == NULL) {
        taking->no_memory = true;
        return NULL;
    }
    return take_bytes(taking, address, size, memory) && take_followed(taking, how, texts, memory) ? memory : NULL;
}

void take_message(const struct wire_side *side, struct wire_message *into)
{
    copy_once(into, &side->message, sizeof *into);
}
void take_tensor(const struct taking *taking, const loader_tensor *tensor, uint64_t offset)
{
    const int64_t item = tensor->bits / 8 * tensor->lanes;
    char *const first = (char *)tensor->data + tensor->byte_offset;
    int64_t low = 0, index[64] = {0};

    if (tensor->ndim > 64)
        return;
    for (int32_t i = 0; i < tensor->ndim; i++) {
        if (tensor->shape[i] == 0)
            return;
        if (tensor->strides[i] < 0)
            low += (tensor->shape[i] - 1) * tensor->strides[i];
    }
    for (;;) {
        int64_t place = 0;
        int32_t i = tensor->ndim - 1;
        for (int32_t j = 0; j < tensor->ndim; j++)
            place += index[j] * tensor->strides[j];
        const uint64_t from = offset + (uint64_t)((place - low) * item);
        if (from <= taking->size && (uint64_t)item <= taking->size - from)
            memcpy(first + place * item, taking->lane + from, (size_t)item);
        for (; i >= 0 && ++index[i] == tensor->shape[i]; i--)
            index[i] = 0;
        if (i < 0)
            return;
    }
}

uint64_t take_lines(const struct wire_log *log, void (*told)(void *owner, int32_t level, const char *text, uint32_t size),
                    void *owner)
{
    uint64_t used = atomic_load_explicit(&log->used, memory_order_acquire), at = 0;
    const uint64_t lost = *(const volatile uint64_t *)&log->lost, most = 1000000000;
    struct wire_line line;

    if (used > sizeof log->lines)
        used = sizeof log->lines;
    while (used - at >= sizeof line) {
        struct taking taking = {.lane = log->lines, .size = used, .base = 0, .budget = used};
        char *text;
        take_bytes(&taking, at, sizeof line, &line);
        at += sizeof line;
        if (line.size > used - at || (text = malloc((size_t)line.size + 1)) == NULL)
            break;
        take_bytes(&taking, at, line.size, text);
        told(owner, line.level, text, line.size);
        free(text);
        at += ((uint64_t)line.size + 7) & ~UINT64_C(7);
        if (at > used)
            break;
    }
    return lost < most ? lost : most;
}
#else
typedef int take_is_for_linux;
#endif
