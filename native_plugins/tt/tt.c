/* tt.c: plugin for contract htmlize. :tt:`text` becomes <tt>text</tt>, the text as it stands, not escaped. */
#include "htmlize/htmlize.h"

LOADER_NEVER_BLOCKS(hooks);
LOADER_NEVER_BLOCKS(process_role);

static const char before[] = "<tt>";
static const char after[] = "</tt>";

enum { BEFORE = sizeof before - 1, AFTER = sizeof after - 1 };

int hooks(loader_call *call)
{
    return loader_write_string(call, "role:tt\n");
}

int process_role(loader_call *call, const loader_text *role, const loader_text *text,
                 const htmlize_post *post)
{
    /* Read once: for all the compiler knows, what is written to `room` is `text`. */
    const char *const data = text->data;
    const size_t size = text->size;
    /* One reservation for all parts. It cannot overflow: no text in memory is as long as SIZE_MAX / 2. */
    char *const room = loader_reserve(call, BEFORE + size + AFTER);

    (void)role; /* hooks named one role only */
    (void)post;
    if (room == NULL)
        return LOADER_NO_MEMORY;
    if (size >= LOADER_LONG) { /* the host's own copy is the faster one; it cannot fail, as there is room */
        (void)loader_write(call, before, BEFORE);
        (void)loader_write(call, data, size);
        return loader_write(call, after, AFTER);
    }
    memcpy(room, before, BEFORE);
    loader_copy(room + BEFORE, data, size);
    memcpy(room + BEFORE + size, after, AFTER);
    loader_commit(call, BEFORE + size + AFTER);
    return LOADER_OK;
}
