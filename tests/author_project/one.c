/* one.c: the smallest plugin of htmlize, in C. */
#include "htmlize/htmlize.h"

int hooks(loader_call *call)
{
    return loader_write_string(call, "role:one\n");
}
