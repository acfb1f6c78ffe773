/* greeter.h: contract greeter 1.0 */
#ifndef GREETER_H
#define GREETER_H

#include "loader/plugin.h"

LOADER_CONTRACT(greeter, 1, 0);

LOADER_BEGIN_C

/* Writes a greeting for `name`, which is borrowed until the function returns.
 * Thread: any, several at once. Returns LOADER_OK or an error. */
LOADER_EXPORT int greet(loader_call *call, const loader_text *name);

LOADER_END_C

#endif /* GREETER_H */
