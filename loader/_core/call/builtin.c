/* builtin.c: what callers have of a Function: a builtin_function_or_method, as those of an extension module are, whose
 * __self__ is the Function. The interpreter calls objects of exactly this type by a shorter way than any other of C,
 * PRECALL or CALL_BUILTIN_FAST_WITH_KEYWORDS in its bytecode: 80 instructions less. What it asks of a builtin (name,
 * docstring, signature) it finds in a PyMethodDef, which lies in the Function; loader/contract/layout.py wrote the
 * text.
 *
 * A builtin's signature is text without annotations; those are in the Function's own: inspect.signature(f.__self__). It
 * pickles as getattr(f.__self__, its name); see function_getattro in function_type.c.
 */
#include "call/function.h"

int core_make_builtin(function *f)
{
    f->method = (PyMethodDef){
        .ml_name = f->step.name,
        .ml_meth = (PyCFunction)(void (*)(void))f->entry,
        .ml_flags = METH_FASTCALL | METH_KEYWORDS,
        .ml_doc = PyBytes_AS_STRING(f->text),
    };
    f->builtin = PyCFunction_NewEx(&f->method, (PyObject *)f, NULL); /* a circle, which the collector takes apart */
    return f->builtin == NULL ? -1 : 0;
}
