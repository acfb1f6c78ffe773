/* lane_fuzz.c: libFuzzer target of what a host reads out of a lane, loader/_core/remote/take.h and take_arrow.h.
 *
 * The input's first byte says what is read, the next 15 how; the rest is the lane, in memory of exactly that size. While
 * it is read it is changed, as a hostile worker may do: whenever memory is asked for, which is between two reads. All that
 * is handed over is read to its end, so that a sanitizer sees what is not there.
 *
 *     bash tests/fuzz/run.sh 60
 */
#include "remote/take.h"
#include "remote/take_arrow.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BASE = 0x10000000, HEAD = 16, MOST_PIECES = 4096 };

static struct {
    char *lane;
    uint64_t size;
    const uint8_t *head;
    void *pieces[MOST_PIECES];
    int count;
} now;
static volatile unsigned char sum;

static void must(bool held)
{
    if (!held)
        abort();
}

static void *room(void *owner, size_t size)
{
    void *piece;

    (void)owner;
    if (now.count == MOST_PIECES)
        return NULL;
    piece = now.pieces[now.count++] = malloc(size + (size == 0));
    if (now.size >= 8 && now.head[2] != 0) { /* meanwhile the worker goes on */
        const uint64_t at = now.head[3 + now.count % 8] * UINT64_C(8) % (now.size - 7);
        memset(now.lane + at, now.head[11 + now.count % 5], 1 + now.head[2] % 8);
    }
    return piece;
}

static void read_all(const void *data, uint64_t size)
{
    const unsigned char *const at = data;

    must(data != NULL || size == 0);
    for (uint64_t i = 0; i < size; i++)
        sum = (unsigned char)(sum + at[i]);
}

/* What may be NULL, and whoever gets it says so. */
static void read_text(const void *memory)
{
    loader_text text;

    memcpy(&text, memory, sizeof text);
    if (text.data != NULL)
        read_all(text.data, text.size);
}

static const uint32_t texts[] = {8, 40};

static void read_value(const struct wire_value *how, const void *memory)
{
    const uint64_t each = how->kind == 'l' ? sizeof(loader_text) : how->size;
    loader_text array;

    if (how->kind == 't' || how->kind == 'b')
        read_text(memory);
    for (uint32_t i = 0; how->kind == 's' && i < how->text_count; i++)
        read_text((const char *)memory + texts[i]);
    if (how->kind != 'n' && how->kind != 'l' && how->kind != 'v')
        return;
    memcpy(&array, memory, sizeof array);
    if (array.data == NULL)
        return;
    must(array.size <= now.size / each);
    read_all(array.data, array.size * each);
    for (uint64_t i = 0; i < array.size; i++)
        if (how->kind == 'l')
            read_text(array.data + i * each);
        else
            for (uint32_t j = 0; j < how->text_count; j++)
                read_text(array.data + i * each + texts[j]);
}

static void take_one(struct taking *taking)
{
    static const char kinds[] = "tbsnlvi";
    struct wire_value how = {.kind = (uint8_t)kinds[now.head[1] % 7], .size = 64};

    if (how.kind == 's' || how.kind == 'v')
        how.text_count = now.head[1] / 7 % 3;
    if (how.kind == 'n')
        how.size = 1u << now.head[1] / 7 % 4;
    const void *const value = take_value(taking, &how, texts, BASE);
    if (value != NULL)
        read_value(&how, value);
}

static void told(void *owner, int32_t level, const char *text, uint32_t size)
{
    (void)owner, (void)level;
    read_all(text, size);
}

static void take_a_log(void)
{
    static struct wire_log *log; /* once: it is large */
    const uint64_t filled = now.size < sizeof *log ? now.size : sizeof *log;

    if (log == NULL && (log = calloc(1, sizeof *log)) == NULL)
        return;
    memcpy((void *)log, now.lane, filled);
    if (now.head[1] % 64 != 0 && log->used > filled) /* else it has 100,000 empty lines, which takes long */
        log->used = filled;
    must(take_lines(log, told, NULL) <= 1000000000);
    memset((void *)log, 0, filled);
}

static void take_a_tensor(struct taking *taking)
{
    int64_t shape[3], strides[3], count = 1;
    const int32_t ndim = now.head[1] % 4;
    uint64_t offset;

    for (int32_t i = ndim - 1; i >= 0; i--) {
        shape[i] = now.head[4 + i] % 5;
        strides[i] = now.head[7 + i] % 2 ? -count : count;
        count *= shape[i];
    }
    double *const elements = calloc((size_t)count + 1, sizeof *elements);
    int64_t low = 0;
    for (int32_t i = 0; i < ndim; i++)
        if (strides[i] < 0 && count > 0)
            low += (shape[i] - 1) * strides[i];
    loader_tensor tensor = {0};
    tensor.data = elements;
    tensor.ndim = ndim;
    tensor.bits = 64;
    tensor.lanes = 1;
    tensor.shape = shape;
    tensor.strides = strides;
    tensor.byte_offset = (uint64_t)(-low * 8);
    memcpy(&offset, now.head + 8, sizeof offset);
    if (elements != NULL)
        take_tensor(taking, &tensor, now.head[2] % 2 ? offset : offset % (now.size + 1));
    free(elements);
}

/* ---- Arrow ------------------------------------------------------------------------------------------------- */

static void read_array(const struct ArrowSchema *schema, const struct ArrowArray *array, int depth)
{
    const int64_t count = array->offset + array->length;
    struct wire_form form;

    must(depth <= ARROW_MOST_DEPTH && schema->release != NULL && array->release != NULL);
    must(schema->n_children == array->n_children && wire_form_of(schema->format, array->n_buffers, &form));
    read_all(schema->format, strlen(schema->format));
    for (uint32_t i = 0; i < form.count && form.buffers[1].kind != BUFFER_VIEWS; i++) {
        const void *const buffer = array->buffers[i];
        if (form.buffers[i].kind == BUFFER_DATA && count > 0)
            read_all(buffer, (uint64_t)wire_offset(array->buffers[1], form.buffers[1].width, count));
        else if (buffer != NULL)
            read_all(buffer, (uint64_t)wire_buffer_size(&form, i, count));
    }
    if (form.is_text && form.buffers[2].kind == BUFFER_DATA)
        for (int64_t i = array->offset; i < count; i++)
            must(wire_offset(array->buffers[1], form.buffers[1].width, i) <=
                 wire_offset(array->buffers[1], form.buffers[1].width, i + 1));
    for (int64_t i = 0; i < array->n_children; i++)
        read_array(schema->children[i], array->children[i], depth + 1);
    if (array->dictionary != NULL)
        read_array(schema->dictionary, array->dictionary, depth + 1);
}

static void take_an_array(struct taking *taking)
{
    struct wire_arrow arrow = {0};

    if (!take_bytes(taking, BASE, sizeof arrow.schema, &arrow.schema) ||
        !take_bytes(taking, BASE + sizeof arrow.schema, sizeof arrow.array, &arrow.array))
        return;
    if (take_arrow(taking, &arrow.schema, &arrow.array) != NULL)
        return;
    read_array(&arrow.schema, &arrow.array, 0);
    arrow.schema.release(&arrow.schema);
    arrow.array.release(&arrow.array);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD)
        return 0;
    now.size = (size - HEAD) & ~(size_t)7;
    now.lane = malloc(now.size + (now.size == 0));
    now.head = data;
    now.count = 0;
    if (now.lane == NULL)
        return 0;
    memcpy(now.lane, data + HEAD, now.size);
    struct taking taking = {.lane = now.lane, .size = now.size, .base = BASE, .budget = 1 << 16, .room = room};
    switch (data[0] % 4) {
    case 0: take_one(&taking); break;
    case 1: take_a_log(); break;
    case 2: take_a_tensor(&taking); break;
    default: take_an_array(&taking);
    }
    while (now.count > 0)
        free(now.pieces[--now.count]);
    free(now.lane);
    return 0;
}
