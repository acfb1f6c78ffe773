/* take_arrow.h: Arrow arrays read out of a lane: as take.h has it, each number once, and nothing believed. What comes of
 * it is whole: its offsets, indices and texts lead nowhere else, so whoever reads it by its format stays in it. Plain C.
 */
#ifndef LOADER_CORE_TAKE_ARROW_H
#define LOADER_CORE_TAKE_ARROW_H

#include "remote/take.h"
#include "wire/wire_arrow.h"

/* Makes copies of the two structs, which were read out of the lane, and of what they lead to, each with a release
 * function of its own. What is wrong, or NULL; or taking->no_memory. Then there are no copies. */
const char *take_arrow(struct taking *taking, struct ArrowSchema *schema, struct ArrowArray *array);

/* ---- arrow_content.c ---- */
/* What is wrong with the content of an array whose buffers are as long as its format says, `data_size` bytes of data
 * (or sizes[] of each, with views), or NULL. What is null is cleared, and null_count counted. */
const char *arrow_content_wrong(const struct wire_form *form, const struct ArrowSchema *schema,
                                struct ArrowArray *array, int64_t data_size);

#endif /* LOADER_CORE_TAKE_ARROW_H */
