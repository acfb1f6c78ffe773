/* unset.c: functions that return LOADER_OK and set nothing. */
#include "unset.h"

#define NOTHING(name, ...)                                                                              \
    int name(loader_call *call, int32_t a, __VA_ARGS__)                                                 \
    {                                                                                                   \
        (void)call;                                                                                     \
        return a == 7 ? LOADER_OK : LOADER_INVALID;                                                     \
    }

#if defined(__GNUC__)
#  pragma GCC diagnostic ignored "-Wunused-parameter"
#endif
NOTHING(numbers, int64_t *wide, uint8_t *small, double *real, float *narrow, bool *flag, unset_mode *mode)
NOTHING(memory, loader_text *text, loader_bytes *bytes, loader_i16s *array, unset_point_list *points)
NOTHING(point, unset_point *given)
NOTHING(sized, unset_sized *given)
NOTHING(both, int64_t *number)
NOTHING(no_zero, unset_odd *mode)
NOTHING(arrow, loader_arrow *values)
NOTHING(unset_thing_new, unset_thing **thing)

void unset_thing_free(unset_thing *thing)
{
    (void)thing;
}

int fill(loader_call *call, int32_t a)
{
    volatile unsigned char much[4096];

    (void)call;
    for (size_t i = 0; i < sizeof much; i++)
        much[i] = 0xA5;
    return much[(size_t)a] == 0xA5 ? LOADER_OK : LOADER_FAILED;
}
