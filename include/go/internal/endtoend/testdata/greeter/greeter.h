/* greeter.h: contract greeter 1.0, an application's own. */
#ifndef GREETER_H
#define GREETER_H

#include "loader/plugin.h"

LOADER_CONTRACT(greeter, 1, 0);

/* Writes a greeting for `name`. Thread: any. Returns LOADER_OK or an error. */
LOADER_EXPORT int greet(loader_call *call, const loader_text *name);

#endif /* GREETER_H */
