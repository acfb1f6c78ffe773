/* arrow_check.c: whether an Arrow array is one: what its specification asks for, and C can see. What its buffers hold,
 * and how many elements they have room for, nobody says there.
 */
#include "wire/wire_arrow.h"

static const char *wrong_numbers(const struct ArrowSchema *schema, const struct ArrowArray *array)
{
    if (schema->format == NULL)
        return "has no format";
    if (array->length < 0 || array->offset < 0 || array->length > INT64_MAX - array->offset || array->null_count < -1)
        return "has a length, an offset or a number of nulls that no array has";
    if (array->n_buffers < 0 || (array->n_buffers > 0 && array->buffers == NULL))
        return "has buffers and no pointer to them";
    if (schema->n_children != array->n_children || array->n_children < 0)
        return "has other children than its schema";
    if (array->n_children > 0 && (schema->children == NULL || array->children == NULL))
        return "has children and no pointer to them";
    if ((schema->dictionary == NULL) != (array->dictionary == NULL))
        return "has a dictionary and its schema none, or the other way round";
    return NULL;
}

/* What is looked at, in an array and what is in it. */
struct look {
    struct wire_borrowed borrowed;
    int64_t left; /* parts that it may have, so that one which contains itself comes to an end */
};

static bool is_of_call(const struct look *look, const void *data)
{
    return data != NULL && look->borrowed.found(look->borrowed.owner, data);
}

/* Memory of loader_alloc, of which all other results are: it is a likely mistake. */
static const char *borrows(const struct look *look, const struct ArrowSchema *schema, const struct ArrowArray *array)
{
    bool found = is_of_call(look, schema->format) || is_of_call(look, schema->name) ||
                 is_of_call(look, (const void *)schema->children) || is_of_call(look, (const void *)array->children) ||
                 is_of_call(look, (const void *)array->buffers);

    for (int64_t i = 0; !found && i < array->n_buffers; i++)
        found = is_of_call(look, array->buffers[i]);
    return found ? "is in memory of loader_alloc, which goes when the call ends" : NULL;
}

/* What is wrong with an array, or NULL: what its specification asks for and C can see. */
static const char *wrong(struct look *look, const struct ArrowSchema *schema, const struct ArrowArray *array, int depth)
{
    const char *found;

    if (schema == NULL || array == NULL)
        return "has a child that is NULL";
    if (schema->release == NULL || array->release == NULL)
        return depth == 0 ? "was released, or given away already" : "has a child that was released";
    if (depth > ARROW_MOST_DEPTH || --look->left < 0)
        return "nests more deeply, or has more parts, than any array";
    found = wrong_numbers(schema, array);
    if (found == NULL && look->borrowed.found != NULL)
        found = borrows(look, schema, array);
    for (int64_t i = 0; found == NULL && i < array->n_children; i++)
        found = wrong(look, schema->children[i], array->children[i], depth + 1);
    if (found == NULL && array->dictionary != NULL)
        found = wrong(look, schema->dictionary, array->dictionary, depth + 1);
    return found;
}

const char *wire_arrow_wrong(const struct ArrowSchema *schema, const struct ArrowArray *array,
                             struct wire_borrowed borrowed)
{
    struct look look = {.borrowed = borrowed, .left = ARROW_MOST_PARTS};

    return wrong(&look, schema, array, 0);
}

const char *wire_arrow_result_wrong(const struct wire_arrow *room, struct wire_borrowed borrowed)
{
    if (room->wrong != NULL)
        return room->wrong;
    if (room->given.schema != &room->schema || room->given.array != &room->array)
        return "points elsewhere; fill the two structs where they are";
    if (room->schema.release == NULL && room->array.release == NULL)
        return "was not set";
    if (room->array.release == NULL)
        return "has a schema and no array";
    if (room->schema.release == NULL)
        return "has an array and no schema";
    return wire_arrow_wrong(&room->schema, &room->array, borrowed);
}
