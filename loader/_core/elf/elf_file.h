/* elf_file.h: see elf_file.c. */
#ifndef LOADER_CORE_ELF_FILE_H
#define LOADER_CORE_ELF_FILE_H

#include <Python.h>

/* read_file(path: str) -> bytes, or None: it cannot be read, is no regular file, is large, or changed meanwhile. */
PyObject *elf_read_file(PyObject *module, PyObject *path);

#endif
