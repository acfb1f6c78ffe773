/* many.c: 999 roles that no document uses, so that with tt 1,000 are registered (roles-1000). */
#include "htmlize/htmlize.h"

int hooks(loader_call *call)
{
    for (int number = 0; number < 999; number++) {
        int status = loader_printf(call, "role:role_%d\n", number);
        if (status != LOADER_OK)
            return status;
    }
    return LOADER_OK;
}

int process_role(loader_call *call, const loader_text *role, const loader_text *text,
                 const htmlize_post *post)
{
    (void)role;
    (void)text;
    (void)post;
    return loader_fail(call, "nobody asks for this role");
}
