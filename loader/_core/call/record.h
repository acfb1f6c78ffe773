/* record.h: what a Layout is made of, for records that are packed (record.c) and for what they keep (frozen.c). */
#ifndef LOADER_CORE_RECORD_H
#define LOADER_CORE_RECORD_H

#include "call/internal.h"

typedef struct layout {
    PyObject_HEAD
    PyObject *name;
    size_t size;   /* bytes of the struct */
    bool sized;    /* it begins with `size_t size` */
    Py_ssize_t count;
    struct field *fields;
} layout;

/* Whether what was packed of an object of this class may be kept. */
bool core_is_frozen(const layout *self, PyTypeObject *type);

#endif /* LOADER_CORE_RECORD_H */
