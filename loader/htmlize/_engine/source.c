/* source.c: a document's text as a pass reads it: where it ends, and white space at the edges that is left out. */
#include "pass.h"

static bool ends_with_run(const char *begin, const char *end)
{
    return end - begin >= 2 && end[-1] == '\n' && end[-2] == '\n';
}

/* Sets up `text` for a pass that wraps paragraphs.
 *
 * A run of two or more '\n' ends a paragraph. If the text ends with such a run, its last paragraph ended
 * there and nothing is trimmed: the run is dropped. Otherwise what follows the last run is trimmed at both
 * ends: the end is cut off here, by walking back over white space, but not over such a run. The beginning
 * is dropped when the pass comes to it (pass_trim), because only few texts need the way back to it. */
void source_wrap(engine_source *source, const loader_text *text)
{
    const char *begin = text->data, *end = begin + text->size;
    size_t size;

    source->begin = begin;
    source->last = NULL;
    source->trim = !ends_with_run(begin, end);
    if (!source->trim) {
        while (end > begin && end[-1] == '\n')
            end--;
    } else {
        while (!ends_with_run(begin, end) && (size = space_before(begin, end)) != 0)
            end -= size;
    }
    source->end = end;
}

/* What follows the last "\n\n" of the source, found once. */
static const char *last_paragraph(engine_source *source)
{
    const char *at = source->end;

    if (source->last == NULL) {
        while (at > source->begin && !ends_with_run(source->begin, at))
            at--;
        source->last = at;
    }
    return source->last;
}

const char *pass_trim(engine_source *source, const char *at)
{
    size_t size;

    if (!source->trim || space_after(at, source->end) == 0 || at != last_paragraph(source))
        return at;
    while ((size = space_after(at, source->end)) != 0)
        at += size;
    return at;
}
