/* record.h: what a Layout (layout.c) is made of, for objects that are packed (pack.c) and for what they keep
 * (frozen.c). */
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
    PyObject *arrays; /* what array_form of loader/contract/arrays.py gives, or a callable that does; see core_made */
    PyObject *row;   /* the class of rows, or a callable that makes it; see core_made */
} layout;

/* Whether what was packed of an object of this class may be kept. */
bool core_is_frozen(const layout *self, PyTypeObject *type);
void core_forget_frozen(const layout *self); /* the layout goes: another may come to lie where it was */

#endif /* LOADER_CORE_RECORD_H */
