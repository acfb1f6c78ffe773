#include "worker/confine.h"
int confine(const struct confinement *wanted, struct confined *result) { (void)wanted; (void)result; return 0; }
