/* soften.h: contract soften 1.0: an image, softened. */
#ifndef SOFTEN_H
#define SOFTEN_H
#include "loader/plugin.h"

LOADER_CONTRACT(soften, 1, 0);
LOADER_FINGERPRINT(soften, 1, 0, 0x517c2ecc2452670f);
LOADER_NEEDS(3);
LOADER_BEGIN_C

/* Each element of `result` becomes the mean of those of `image` that are at most `radius` rows and columns away, edges
 * repeated. Both are of float or unsigned bytes, rows × columns or rows × columns × channels, and have the same shape;
 * strides are free, but they share no memory. */
LOADER_EXPORT int soften(loader_call *call, const loader_tensor *image, int64_t radius, loader_tensor *result);

LOADER_END_C
#endif /* SOFTEN_H */
