/* frozen.c: which records keep what was packed: those whose class says that its fields never change. All others are
 * packed anew for each call.
 */
#include "call/record.h"

/* What a class has under this name, of its own or of a class between it and Record, and which has it. Borrowed; NULL
 * without an exception: nothing. */
static PyObject *find(PyTypeObject *type, PyObject *name, PyTypeObject **owner)
{
    PyObject *const mro = type->tp_mro;

    for (Py_ssize_t i = 0; mro != NULL && i < PyTuple_GET_SIZE(mro); i++) {
        PyTypeObject *const base = (PyTypeObject *)PyTuple_GET_ITEM(mro, i);
        PyObject *found;
        if (base == &core_record_type)
            break;
        found = base->tp_dict == NULL ? NULL : PyDict_GetItemWithError(base->tp_dict, name);
        PyErr_Clear();
        if (found != NULL) {
            *owner = base;
            return found;
        }
    }
    return NULL;
}

/* Whether this class itself, and not one that it inherits from, is a dataclass that is frozen. */
static bool says_frozen(PyTypeObject *type)
{
    PyObject *name = PyUnicode_InternFromString("__dataclass_params__");
    PyTypeObject *owner = NULL;
    PyObject *params = name == NULL ? NULL : find(type, name, &owner);
    PyObject *frozen = params == NULL || owner != type ? NULL : PyObject_GetAttrString(params, "frozen");
    const bool said = frozen == Py_True;

    Py_XDECREF(frozen);
    Py_XDECREF(name);
    return said;
}

/* Whether a struct's fields are attributes of this class that never change: fields of a frozen dataclass, and no
 * property or the like in their place. (object.__setattr__ gets round that, as it does round all that is frozen.)
 * Without an exception: where it cannot be told, nothing is kept. */
static bool look_whether_frozen(const layout *self, PyTypeObject *type)
{
    PyObject *setattr = PyUnicode_InternFromString("__setattr__"), *fields = NULL;
    PyTypeObject *base = NULL;
    bool frozen = false;

    /* The class that refuses to set attributes has to be the dataclass itself, and not one that got round it. */
    if (setattr != NULL && type->tp_getattro == PyObject_GenericGetAttr && find(type, setattr, &base) != NULL &&
        says_frozen(base))
        fields = PyObject_GetAttrString((PyObject *)base, "__dataclass_fields__");
    frozen = fields != NULL && PyDict_Check(fields);
    for (Py_ssize_t i = 0; frozen && i < self->count; i++) {
        PyObject *const found = find(type, self->fields[i].name, &base); /* a default, a slot, or NULL */
        frozen = PyDict_GetItemWithError(fields, self->fields[i].name) != NULL &&
                 (found == NULL || Py_TYPE(found) == &PyMemberDescr_Type || Py_TYPE(found)->tp_descr_get == NULL);
    }
    Py_XDECREF(fields);
    Py_XDECREF(setattr);
    PyErr_Clear();
    return frozen;
}

/* What was asked last. Records mostly come in rows of one kind. */
static struct {
    const layout *layout;
    const PyTypeObject *type;
    unsigned version;
    bool frozen;
} last;

/* The same, remembered. */
bool core_is_frozen(const layout *self, PyTypeObject *type)
{
    if (last.layout != self || last.type != type || last.version != type->tp_version_tag || last.version == 0) {
        last.frozen = look_whether_frozen(self, type);
        last.layout = self;
        last.type = type;
        last.version = type->tp_version_tag; /* another one as soon as the class changes; 0: it has none */
    }
    return last.frozen;
}

void core_forget_frozen(const layout *self)
{
    if (last.layout == self)
        last.layout = NULL;
}
