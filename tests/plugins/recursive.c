/* Calls the service "again", with FRAME bytes of its own on the stack. */
#include "recursive.h"

#include <string.h>

#ifndef FRAME
#  define FRAME 16
#endif

int down(loader_call *call)
{
    volatile char frame[FRAME];
    const recursive_again *service = recursive_again_get(call);

    memset((char *)frame, 1, FRAME);
    return service == NULL ? LOADER_FAILED : service->again(call, service) + (frame[FRAME - 1] - 1);
}
