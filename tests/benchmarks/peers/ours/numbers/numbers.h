/* numbers.h: contract numbers 1.0, what tests/benchmarks/numeric.py measures. */
#ifndef NUMBERS_H
#define NUMBERS_H

#include "loader/plugin.h"

LOADER_CONTRACT(numbers, 1, 0);

LOADER_BEGIN_C

/* product = a * b */
LOADER_EXPORT int multiply(loader_call *call, double a, double b, LOADER_OUT double *product);

/* scaled = value * factor */
LOADER_EXPORT int scale(loader_call *call, double value, float factor, LOADER_OUT double *scaled);

/* The sum of a[i] * b[i]. */
LOADER_EXPORT int dot(loader_call *call, const loader_f64s *a, const loader_f64s *b, LOADER_OUT double *product);

/* 0, 1, 2, … */
LOADER_EXPORT int ramp(loader_call *call, int64_t count, LOADER_OUT loader_f64s *values);

LOADER_END_C

#endif /* NUMBERS_H */
