/* parameter.h: a parameter or result of a function, of a plugin's (function.h) or of a service's (service.h). */
#ifndef LOADER_CORE_PARAMETER_H
#define LOADER_CORE_PARAMETER_H

#include "call/internal.h"

/* Windows counts integers and floating-point numbers together: a place is a register or the other, or one on the
 * stack. The other conventions count each for itself. */
#if defined(_WIN32)
#  define CORE_SLOTS MAX_PARAMETERS
#else
#  define CORE_SLOTS MAX_WORDS
_Static_assert(MAX_WORDS == MAX_REALS, "a place is one of either");
#endif

struct parameter {
    PyObject *name; /* interned str */
    enum kind kind;
    size_t size;
    bool is_signed;
    PyObject *layout; /* KIND_STRUCT, KIND_LIST: a Layout; KIND_INTERFACE: a Table; KIND_INSTANCE: a Class; owned */
    PyObject *allowed; /* KIND_INTEGER: the values that there are, see core_choice; or NULL; owned */
    unsigned char place; /* among the words of the call, or among its floating-point numbers */
    bool writable;     /* KIND_NUMBERS: changed in place */
    char element;      /* KIND_NUMBERS: f, i or u */
    size_t offset;     /* of a result: in the room for results */
    PyObject *members; /* of a result: see core_member; or NULL; owned */
};

/* Reads what loader/contract/layout.py tells of one. 0, or -1 with an exception; what was read in part is given back by
 * core_clear_parameter too. */
int core_read_parameter(struct parameter *parameter, PyObject *item);
void core_clear_parameter(struct parameter *parameter);

static inline bool is_real(const struct parameter *parameter)
{
    return parameter->kind == KIND_FLOAT || parameter->kind == KIND_DOUBLE;
}

#endif /* LOADER_CORE_PARAMETER_H */
