/* interpreter.h: the modules in C belong to the main interpreter. Libraries, types and the addresses of plugins are the
 * whole process's: in a second interpreter they would lead into objects of the first one.
 *
 * So that each interpreter's import comes by here they are initialised in two phases; Python hands out a copy of a
 * module of one phase without asking it.
 */
#ifndef LOADER_CORE_INTERPRETER_H
#define LOADER_CORE_INTERPRETER_H

#include <Python.h>

static inline int core_main_interpreter(void)
{
    if (PyInterpreterState_Get() == PyInterpreterState_Main())
        return 0;
    PyErr_SetString(PyExc_ImportError, "native plugins are loaded by the main interpreter only, not by a subinterpreter: "
                                       "they are one process's, as are loader's own types. Call loader from there");
    return -1;
}

#if PY_VERSION_HEX >= 0x030C0000
#  define CORE_ONE_INTERPRETER {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#else
#  define CORE_ONE_INTERPRETER
#endif

#endif /* LOADER_CORE_INTERPRETER_H */
