/* stack.c: how much of a thread's stack is left. Python counts its own calls, and not what a plugin's frames take: a
 * plugin that calls itself through a service would overflow the stack of a small thread, or that of any thread where
 * the recursion limit was raised, long before Python says stop.
 */
#if !defined(_WIN32)
#  define _GNU_SOURCE
#endif
#include "call/internal.h"

#if defined(_WIN32)
#  include <windows.h>
#else
#  include <pthread.h>
#endif

/* Where this function's frame is. Not the address of a variable: AddressSanitizer puts those elsewhere, to find who
 * uses one after its function has returned, and every stack would look endless. */
#if defined(_MSC_VER)
#  include <intrin.h>
#  define FRAME_ADDRESS ((uintptr_t)_AddressOfReturnAddress())
#else
#  define FRAME_ADDRESS ((uintptr_t)__builtin_frame_address(0))
#endif

/* Of the stack a quarter, but not more than this, is left to what comes after the last call that is let through: the
 * plugin's own frames, the exception, the way back. */
#define MOST_KEPT ((uintptr_t)1 << 20)

/* The lowest address of this thread's stack and the first one above it; false: unknown here. */
static bool find_stack(uintptr_t *low, uintptr_t *high)
{
#if defined(_WIN32)
    ULONG_PTR first, end;

    GetCurrentThreadStackLimits(&first, &end);
    *low = first;
    *high = end;
    return true;
#elif defined(__APPLE__)
    *high = (uintptr_t)pthread_get_stackaddr_np(pthread_self());
    *low = *high - pthread_get_stacksize_np(pthread_self());
    return true;
#elif defined(__linux__)
    pthread_attr_t attributes;
    void *first = NULL;
    size_t size = 0;

    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return false;
    if (pthread_attr_getstack(&attributes, &first, &size) != 0)
        size = 0;
    pthread_attr_destroy(&attributes);
    *low = (uintptr_t)first;
    *high = *low + size;
    return size != 0;
#else
    return false;
#endif
}

bool core_stack_left(void)
{
    static _Thread_local uintptr_t low, high, kept; /* high 0: not asked yet */
    const uintptr_t at = FRAME_ADDRESS;

    if (high == 0) {
        if (!find_stack(&low, &high))
            low = high = 1;
        kept = (high - low) / 4 < MOST_KEPT ? (high - low) / 4 : MOST_KEPT;
    }
    /* Elsewhere: a stack that the plugin or a library of coroutines made, of which nothing is known. */
    return at < low || at >= high || at - low > kept;
}
