/* elf_facts.c: the module loader._core._elf: what elf_read.c reads, as keyword arguments of loader.image.Image. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "elf/elf_file.h"
#include "elf/elf_read.h"

/* Collected while the file is read; all owned. */
struct names {
    PyObject *exports, *data_exports, *imports; /* frozenset, not yet seen by anybody */
    PyObject *needed;                           /* list */
    PyObject *soname, *rpath, *runpath;         /* str or NULL */
    PyObject *versions;                         /* dict: library -> list */
    PyObject *wanted;                           /* the list of the last library, or NULL */
};

/* Adds what is stolen from the caller to a set or list. */
static enum elf_answer add(int (*to)(PyObject *, PyObject *), PyObject *collection, PyObject *name)
{
    int failed = to(collection, name);

    Py_DECREF(name);
    return failed != 0 ? ELF_FAILED : ELF_READ;
}

/* A library of which versions are asked. That one stands twice in a file is not worth a rule. */
static enum elf_answer begin_wanted(struct names *names, PyObject *library)
{
    enum elf_answer answer = ELF_FAILED;

    Py_XSETREF(names->wanted, PyList_New(0));
    if (names->wanted != NULL && PyDict_SetDefault(names->versions, library, names->wanted) != NULL)
        answer = PyDict_GetItemWithError(names->versions, library) == names->wanted ? ELF_READ : ELF_OTHER;
    Py_DECREF(library);
    return answer;
}

static enum elf_answer take(void *context, enum elf_name kind, struct elf_bytes bytes)
{
    struct names *names = context;
    PyObject *name = PyUnicode_DecodeUTF8((const char *)bytes.at, (Py_ssize_t)bytes.size, "backslashreplace");

    if (name == NULL)
        return ELF_FAILED;
    switch (kind) {
    case ELF_NEEDED:
        return add(PyList_Append, names->needed, name);
    case ELF_SONAME:
        Py_XSETREF(names->soname, name);
        return ELF_READ;
    case ELF_RPATH:
        Py_XSETREF(names->rpath, name);
        return ELF_READ;
    case ELF_RUNPATH:
        Py_XSETREF(names->runpath, name);
        return ELF_READ;
    case ELF_DATA_EXPORT:
        if (PySet_Add(names->data_exports, name) < 0) {
            Py_DECREF(name);
            return ELF_FAILED;
        }
        return add(PySet_Add, names->exports, name);
    case ELF_EXPORT:
        return add(PySet_Add, names->exports, name);
    case ELF_IMPORT:
        return add(PySet_Add, names->imports, name);
    case ELF_WANTED_FROM:
        return begin_wanted(names, name);
    case ELF_WANTED:
        return add(PyList_Append, names->wanted, name);
    }
    Py_UNREACHABLE();
}

/* ---- Facts ------------------------------------------------------------------------------------------- */

/* Folders between colons; none if there is no such entry. */
static PyObject *folders(PyObject *text)
{
    PyObject *colon, *list, *result;

    if (text == NULL || PyUnicode_GET_LENGTH(text) == 0)
        return PyTuple_New(0);
    colon = PyUnicode_FromString(":");
    if (colon == NULL)
        return NULL;
    list = PyUnicode_Split(text, colon, -1);
    Py_DECREF(colon);
    if (list == NULL)
        return NULL;
    result = PyList_AsTuple(list);
    Py_DECREF(list);
    return result;
}

/* The different texts between NULs, in order. */
static PyObject *texts(struct elf_bytes bytes)
{
    PyObject *found = PyList_New(0), *result = NULL;

    if (found == NULL)
        return NULL;
    for (size_t begin = 0, end; begin < bytes.size; begin = end + 1) {
        PyObject *text;
        int known;

        for (end = begin; end < bytes.size && bytes.at[end] != 0; end++)
            continue;
        if (end == begin)
            continue;
        text = PyUnicode_DecodeASCII((const char *)bytes.at + begin, (Py_ssize_t)(end - begin), NULL);
        if (text == NULL)
            goto done;
        known = PySequence_Contains(found, text);
        if (known == 0)
            known = PyList_Append(found, text);
        Py_DECREF(text);
        if (known < 0)
            goto done;
    }
    result = PyList_AsTuple(found);
done:
    Py_DECREF(found);
    return result;
}

static PyObject *hex(struct elf_bytes bytes)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * 64];

    if (bytes.at == NULL)
        Py_RETURN_NONE;
    assert(bytes.size <= sizeof text / 2);
    for (size_t i = 0; i < bytes.size; i++) {
        text[2 * i] = digits[bytes.at[i] >> 4];
        text[2 * i + 1] = digits[bytes.at[i] & 15];
    }
    return PyUnicode_FromStringAndSize(text, (Py_ssize_t)(2 * bytes.size));
}

/* Makes the lists of versions tuples. */
static int freeze(PyObject *versions)
{
    PyObject *library, *list;
    Py_ssize_t at = 0;

    while (PyDict_Next(versions, &at, &library, &list)) {
        PyObject *tuple = PyList_AsTuple(list);
        if (tuple == NULL || PyDict_SetItem(versions, library, tuple) < 0) { /* of a key that is there */
            Py_XDECREF(tuple);
            return -1;
        }
        Py_DECREF(tuple);
    }
    return 0;
}

static PyObject *as_dict(const struct names *names, const struct elf_facts *facts)
{
    PyObject *soname = names->soname == NULL ? Py_None : names->soname;

    if (freeze(names->versions) < 0)
        return NULL;
    /* N takes what was made here, and NULL as the error that it is. */
    return Py_BuildValue("{sOsOsOsNsOsNsNsOsNsNsOsOsOsO}",
                         "exports", names->exports, "data_exports", names->data_exports, "imports", names->imports,
                         "needed", PyList_AsTuple(names->needed), "soname", soname,
                         "rpath", folders(names->rpath), "runpath", folders(names->runpath),
                         "versions", names->versions, "compilers", texts(facts->comment),
                         "build_id", hex(facts->build_id), "debug", facts->debug ? Py_True : Py_False,
                         "executable_stack", facts->executable_stack ? Py_True : Py_False,
                         "text_relocations", facts->text_relocations ? Py_True : Py_False,
                         "static_tls", facts->static_tls ? Py_True : Py_False);
}

static PyObject *read_facts(PyObject *Py_UNUSED(module), PyObject *data)
{
    struct names names = {.exports = PyFrozenSet_New(NULL)};
    struct elf_facts facts;
    PyObject *result = NULL;
    enum elf_answer answer = ELF_FAILED;
    struct elf_bytes file;

    if (!PyBytes_CheckExact(data)) {
        PyErr_Format(PyExc_TypeError, "data must be bytes, not %.200s", Py_TYPE(data)->tp_name);
        goto done;
    }
    names.data_exports = PyFrozenSet_New(NULL);
    names.imports = PyFrozenSet_New(NULL);
    names.needed = PyList_New(0);
    names.versions = PyDict_New();
    if (names.exports == NULL || names.data_exports == NULL || names.imports == NULL || names.needed == NULL ||
        names.versions == NULL)
        goto done;
    file = (struct elf_bytes){(const unsigned char *)PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data)};
    answer = elf_read(file, &facts, take, &names);
    if (answer == ELF_READ)
        result = as_dict(&names, &facts);
    else if (answer == ELF_OTHER)
        result = Py_NewRef(Py_None);
done:
    Py_XDECREF(names.exports);
    Py_XDECREF(names.data_exports);
    Py_XDECREF(names.imports);
    Py_XDECREF(names.needed);
    Py_XDECREF(names.soname);
    Py_XDECREF(names.rpath);
    Py_XDECREF(names.runpath);
    Py_XDECREF(names.versions);
    Py_XDECREF(names.wanted);
    return result;
}

static PyMethodDef functions[] = {
    {"read_file", elf_read_file, METH_O, "A file's bytes, or None: Python is to read it, or to say why it cannot."},
    {"read_facts", read_facts, METH_O,
     "Keyword arguments of Image for a file's bytes, or None: the reader in Python is to be asked."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "loader._core._elf",
    .m_doc = "Reads a file, and the ELF files that nearly all plugins are.",
    .m_methods = functions,
};

PyMODINIT_FUNC PyInit__elf(void)
{
    return PyModuleDef_Init(&definition);
}
