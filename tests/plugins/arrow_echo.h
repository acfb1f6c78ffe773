/* arrow_echo.h: contract arrow_echo 1.0: gives back what it was lent. For workers, where both are copies. */
#ifndef ARROW_ECHO_H
#define ARROW_ECHO_H

#include "loader/plugin.h"

LOADER_CONTRACT(arrow_echo, 1, 0);

LOADER_BEGIN_C

/* The same array. */
LOADER_EXPORT int echo(loader_call *call, const loader_arrow *values, LOADER_OUT loader_arrow *same);
/* The same, but in the array that is reached by going `depth` times to the first child, or to the dictionary where
 * there is one, `size` bytes of buffer `buffer` from byte `at` on are those of `value`. Of buffer -1: its length; -2:
 * its offset; -3: its number of nulls; -4: its number of buffers; -5: its format is the letter `value`; -6: the buffer
 * `at` is NULL. */
LOADER_EXPORT int spoil(loader_call *call, const loader_arrow *values, int64_t depth, int64_t buffer, int64_t at,
                        int64_t value, int64_t size, LOADER_OUT loader_arrow *spoilt);

LOADER_END_C

#endif
