/* counter.c: an htmlize plugin that counts its calls, for tests/tsan.sh. Role "count" writes how many there were.
 *
 *     CONTENTS   it changes contents too: gives them back as they are
 *     RACE       it counts without a lock: what ThreadSanitizer must find
 *
 * A role's text "trap" raises SIGTRAP, which is to be ignored or handled; "fail" fails.
 */
#define _GNU_SOURCE
#include "htmlize/htmlize.h"

#include <signal.h>
#include <stdatomic.h>

#ifdef RACE
static unsigned long calls;
#else
static atomic_ulong calls;
#endif

#define IS(text, wanted) ((text)->size == sizeof wanted - 1 && memcmp((text)->data, wanted, sizeof wanted - 1) == 0)

int hooks(loader_call *call)
{
#ifdef CONTENTS
    return loader_write_string(call, "contents\n");
#else
    return loader_write_string(call, "role:count\n");
#endif
}

int process_role(loader_call *call, const loader_text *role, const loader_text *text, const htmlize_post *post)
{
    (void)role, (void)post;
    if (IS(text, "trap"))
        raise(SIGTRAP);
    if (IS(text, "fail"))
        return loader_fail(call, "as it was told");
    return loader_printf(call, "<b>%lu</b>", ++calls);
}

int process_contents(loader_call *call, const loader_text *contents, const htmlize_post *post)
{
    (void)post;
    return loader_write_text(call, contents);
}
