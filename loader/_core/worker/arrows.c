/* arrows.c: Arrow arrays in a worker: those that its plugins are lent lie in the arena, and those that they give are
 * copied there and released at once.
 */
#define _GNU_SOURCE
#include "worker/worker.h"

/* Of copies in the arena, which go with the call. */
static void release_schema(struct ArrowSchema *schema)
{
    schema->release = NULL;
}

static void release_array(struct ArrowArray *array)
{
    array->release = NULL;
}

void arrows_addresses(uint64_t addresses[2])
{
    addresses[0] = (uint64_t)(uintptr_t)release_schema;
    addresses[1] = (uint64_t)(uintptr_t)release_array;
}

void arrows_drop(struct wire_arrow *room)
{
    if (room->array.release != NULL)
        room->array.release(&room->array);
    if (room->schema.release != NULL)
        room->schema.release(&room->schema);
    room->array.release = NULL; /* whether or not it did */
    room->schema.release = NULL;
}

static const char *put_text(struct wire_arena *arena, const char *text)
{
    char *const room = wire_room(arena, strlen(text) + 1);

    return room == NULL ? NULL : strcpy(room, text);
}

bool arrows_hand_over(struct wire_arena *arena, struct wire_borrowed borrowed, struct wire_arrow *room)
{
    struct ArrowSchema schema = {0};
    struct ArrowArray array = {0};
    uint64_t release[2];
    const char *wrong = wire_arrow_result_wrong(room, borrowed);

    arrows_addresses(release);
    if (wrong == NULL)
        wrong = wire_put_arrow(arena, release, &room->given, &schema, &array);
    arrows_drop(room);
    room->wrong = wrong == NULL ? NULL : put_text(arena, wrong);
    room->schema = schema;
    room->array = array;
    return arena->top <= arena->end;
}
