/* pack.c: what Python objects hold as structs in memory, by a Layout (layout.c): struct arguments, and lists of
 * structs. A Record keeps what was made of it (record.c); whether it may is said in frozen.c. The way back is row.c.
 */
#include "call/record.h"

/* A new reference to the field's value; NULL without an exception if a mapping does not have it. */
static PyObject *field_value(PyObject *value, bool mapping, PyObject *name)
{
    if (!mapping)
        return PyObject_GetAttr(value, name);
    if (PyDict_CheckExact(value))
        return Py_XNewRef(PyDict_GetItemWithError(value, name));
    PyObject *item = PyObject_GetItem(value, name);
    if (item == NULL && PyErr_ExceptionMatches(PyExc_KeyError))
        PyErr_Clear();
    return item;
}

static int refuse_unknown(const layout *self, PyObject *mapping)
{
    PyObject *keys = PyMapping_Keys(mapping);

    if (keys == NULL)
        return -1;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(keys); i++) {
        PyObject *key = PyList_GET_ITEM(keys, i);
        bool known = false;
        for (Py_ssize_t j = 0; j < self->count && !known; j++)
            known = PyUnicode_Check(key) && PyUnicode_Compare(key, self->fields[j].name) == 0;
        if (!known) {
            PyErr_Format(PyExc_TypeError, "struct %U has no field %R", self->name, key);
            Py_DECREF(keys);
            return -1;
        }
    }
    Py_DECREF(keys);
    return 0;
}

/* 1: fields are items of the value, 0: its attributes, -1: an exception. A class written in Python that has
 * __getitem__ is a mapping and a sequence to C: keys() tells them apart. */
static int is_mapping(PyObject *value)
{
    PyObject *keys;

    if (PyDict_Check(value))
        return 1;
    if (!PyMapping_Check(value))
        return 0;
    keys = PyObject_GetAttrString(value, "keys"); /* PyObject_HasAttrString says no where there is no memory */
    if (keys == NULL && !PyErr_ExceptionMatches(PyExc_AttributeError))
        return -1;
    PyErr_Clear();
    Py_XDECREF(keys);
    return keys != NULL;
}

static PyObject *pack_values(const layout *self, PyObject *value, char *memory, bool *changes);

/* One value of a field at `at`: a single one, or an element of an array. *item becomes what keeps it. */
static int pack_one(const struct field *field, char *at, PyObject **item, bool *changes)
{
    PyObject *nested;
    int stored;

    if (field->kind != KIND_STRUCT) {
        stored = core_store_field(field, at, item);
        *changes = *changes || stored > 0;
        return stored < 0 ? -1 : 0;
    }
    nested = pack_values((const layout *)field->layout, *item, at, changes);
    if (nested == NULL)
        return -1;
    *changes = true; /* it may be an object that is not frozen */
    Py_SETREF(*item, nested);
    return 0;
}

static int pack_array(const struct field *field, char *at, PyObject **item, bool *changes)
{
    PyObject *values = core_items(*item);
    int failed = 0;

    if (values == NULL || PyTuple_GET_SIZE(values) != (Py_ssize_t)field->count) {
        if (!PyErr_Occurred() || core_not_of_type())
            PyErr_Format(PyExc_TypeError, "%U must be a sequence of %zu, not %.100s%s", field->name, field->count,
                         Py_TYPE(*item)->tp_name, values == NULL ? "" : " of another length");
        Py_XDECREF(values);
        return -1;
    }
    *changes = true; /* a list may */
    Py_SETREF(*item, core_hidden(PyTuple_New((Py_ssize_t)field->count)));
    for (size_t i = 0; *item != NULL && !failed && i < field->count; i++) {
        PyObject *one = Py_NewRef(PyTuple_GET_ITEM(values, (Py_ssize_t)i));
        failed = pack_one(field, at + i * field->size, &one, changes);
        PyTuple_SET_ITEM(*item, (Py_ssize_t)i, one);
    }
    Py_DECREF(values);
    if (*item == NULL || failed)
        return -1;
    core_shown(*item);
    return 0;
}

/* A tuple of every value that the struct at `memory` points into. *changes: another time it may hold something else
 * although the object's attributes are the same. A tuple or list has the fields in order. */
static PyObject *pack_values(const layout *self, PyObject *value, char *memory, bool *changes)
{
    const bool row = PyTuple_CheckExact(value) || PyList_CheckExact(value);
    const int mapping = row ? 0 : is_mapping(value);
    PyObject *storage = mapping < 0 ? NULL : core_hidden(PyTuple_New(self->count));

    if (storage == NULL || (mapping && refuse_unknown(self, value) < 0)) {
        Py_XDECREF(storage);
        return NULL;
    }
    if (row && PySequence_Fast_GET_SIZE(value) != self->count) {
        PyErr_Format(PyExc_TypeError, "struct %U has %zd fields, and this %.100s %zd", self->name, self->count,
                     Py_TYPE(value)->tp_name, PySequence_Fast_GET_SIZE(value));
        Py_DECREF(storage);
        return NULL;
    }
    if (self->sized)
        memcpy(memory, &self->size, sizeof self->size);
    for (Py_ssize_t i = 0; i < self->count; i++) {
        const struct field *field = &self->fields[i];
        PyObject *item = row ? PySequence_GetItem(value, i) : field_value(value, mapping, field->name);
        if (item == NULL && !PyErr_Occurred())
            continue; /* a mapping may leave fields out: they are 0 or empty */
        if (item == NULL && PyErr_ExceptionMatches(PyExc_AttributeError))
            PyErr_Format(PyExc_TypeError, "struct %U wants a field %R, which %.100s does not have", self->name,
                         field->name, Py_TYPE(value)->tp_name);
        int failed = item == NULL ||
                     (field->count != 0 ? pack_array : pack_one)(field, memory + field->offset, &item, changes) < 0;
        PyTuple_SET_ITEM(storage, i, item);
        if (failed) {
            Py_DECREF(storage);
            return NULL;
        }
    }
    return core_shown(storage);
}

/* The packed bytes, and all that they point into. */
static PyObject *pack(const layout *self, PyObject *value, const void **native, bool *changes)
{
    PyObject *memory = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)self->size), *values, *storage;

    if (memory == NULL)
        return NULL;
    memset(PyBytes_AS_STRING(memory), 0, self->size);
    values = pack_values(self, value, PyBytes_AS_STRING(memory), changes);
    storage = values == NULL ? NULL : PyTuple_Pack(2, memory, values);
    *native = PyBytes_AS_STRING(memory);
    Py_DECREF(memory);
    Py_XDECREF(values);
    return storage;
}

/* A sequence of records, packed one behind the other. *keep holds them and what they point into. */
int core_pack_list(PyObject *layout_object, PyObject *value, PyObject *name, PyObject **keep, loader_text *out)
{
    const layout *self = (const layout *)layout_object;
    PyObject *items = core_items(value);
    PyObject *memory = NULL, *held = NULL;
    Py_ssize_t count, done = 0;
    bool changes = false;

    if (items == NULL) {
        if (!PyErr_Occurred() || core_not_of_type())
            PyErr_Format(PyExc_TypeError, "%U must be a sequence of %U, not %.100s", name, self->name,
                         Py_TYPE(value)->tp_name);
        return -1;
    }
    count = PyTuple_GET_SIZE(items);
    if ((size_t)count <= PY_SSIZE_T_MAX / self->size)
        memory = PyBytes_FromStringAndSize(NULL, count * (Py_ssize_t)self->size);
    else
        PyErr_NoMemory();
    held = memory == NULL ? NULL : core_hidden(PyTuple_New(count));
    if (held != NULL)
        memset(PyBytes_AS_STRING(memory), 0, (size_t)count * self->size);
    for (; held != NULL && done < count; done++) {
        char *at = PyBytes_AS_STRING(memory) + (size_t)done * self->size;
        PyObject *one = pack_values(self, PyTuple_GET_ITEM(items, done), at, &changes);
        if (one == NULL)
            break;
        PyTuple_SET_ITEM(held, done, one);
    }
    *keep = held != NULL && done == count ? PyTuple_Pack(2, memory, core_shown(held)) : NULL;
    if (*keep != NULL)
        *out = (loader_text){PyBytes_AS_STRING(memory), (size_t)count};
    Py_XDECREF(held);
    Py_XDECREF(memory);
    Py_DECREF(items);
    return *keep == NULL ? -1 : 0;
}

int core_pack(PyObject *layout_object, PyObject *value, const void **native, PyObject **keep)
{
    layout *self = (layout *)layout_object;
    bool changes = false;
    core_record *cache;

    *keep = NULL;
    if (!PyObject_TypeCheck(value, &core_record_type)) {
        *keep = pack(self, value, native, &changes);
        return *keep == NULL ? -1 : 0;
    }
    cache = (core_record *)value;
    if (cache->layout == layout_object) { /* the caller's argument keeps it alive */
        *native = cache->native;
        return 0;
    }
    *keep = pack(self, value, native, &changes);
    if (*keep == NULL)
        return -1;
    /* Asked in this order: core_is_frozen may run Python code, in which another thread packs the same object. The
     * first layout stays: a call may be using it. */
    if (!changes && core_is_frozen(self, Py_TYPE(value)) && cache->layout == NULL) {
        cache->layout = Py_NewRef(layout_object);
        cache->storage = Py_NewRef(*keep);
        cache->native = *native;
    }
    return 0;
}
