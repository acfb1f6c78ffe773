/* kit.h: contract kit 2.1, the author's own: one function that does what its first argument says. */
#ifndef KIT_H
#define KIT_H

#include "loader/plugin.h"

LOADER_CONTRACT(kit, 2, 1);
LOADER_FINGERPRINT(kit, 2, 1, 0x0d1a36b02917f982);

LOADER_BEGIN_C

LOADER_GIVES_BYTES LOADER_EXPORT int run(loader_call *call, const loader_text *what, const loader_bytes *bytes,
                                         int64_t number);

LOADER_OPTIONAL int walk(loader_call *call);

LOADER_END_C

#endif /* KIT_H */
