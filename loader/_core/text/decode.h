/* decode.h: UTF-8 as a new str, in two passes: one that counts, one that writes into a str of the right kind. */
#ifndef LOADER_DECODE_H
#define LOADER_DECODE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* `size` bytes as a new str, what PyUnicode_DecodeUTF8 makes of them. NULL: they are not well-formed UTF-8 (then no
 * exception is set), or there is no memory (then one is). GIL held. */
PyObject *decode_utf8(const char *data, size_t size);

#endif /* LOADER_DECODE_H */
