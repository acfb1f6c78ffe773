/* module.c: the module loader._core._call: its types, its few functions, and the capsule for engines. */
#include "call/instance.h"
#include "call/ends.h"
#include "remote/remote.h"
#include "text/decode.h"

#include "interpreter.h"

static int api_begin(core_call *c, core_owner *owner, char *room, size_t size)
{
    return core_begin(c, owner, room, size);
}

static void api_end(core_call *c)
{
    core_end(c);
}

static core_api api = {
    .size = sizeof(core_api),
    .begin = api_begin,
    .use_result = core_use_result,
    .release = core_release,
    .acquire = core_acquire,
    .go_on = core_go_on,
    .settle = core_settle,
    .tell_log = core_tell_log,
    .text = core_text,
    .bytes = core_bytes,
    .raise = core_raise,
    .forget = core_forget,
    .end = api_end,
    .pack = core_pack,
    .utf8_valid = core_utf8_valid,
    .watch_before = core_watch_before,
    .watch_after = core_watch_after,
    .owner_type = &core_owner_type,
    .now = core_now,
    .keep_cause = core_keep_cause,
    .record_type = &core_record_type,
    .decode = decode_utf8,
    .drop_blocks = core_drop_blocks,
};

static PyObject *forked(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none))
{
    core_generation++;
    core_main_thread = PyThread_get_thread_ident(); /* whichever thread forked */
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"set_error_factory", core_set_error_factory, METH_O,
     "The callable that makes an exception of (name, path, function, status, message, where, cause)."},
    {"set_instance_error", core_set_instance_error, METH_O, "What makes an error of an instance; see hold.c."},
    {"swap_instances", core_swap_instances, METH_VARARGS,
     "swap_instances(one, other): each is what the other was; see loader/reload.py."},
    {"set_log", core_set_log, METH_O, "The callable that takes (plugin name, level, text)."},
    {"forked", forked, METH_NOARGS, "Says that this process is a forked child."},
    {"loading", (PyCFunction)(void (*)(void))core_loading, METH_FASTCALL,
     "loading(owner, function, *args): function(*args), which loads the owner's plugin."},
#if defined(CORE_REMOTE)
    {"shared_add", core_shared_add, METH_VARARGS, "shared_add(number, address, size): see remote/shared.c."},
    {"shared_remove", core_shared_remove, METH_VARARGS, "shared_remove(number, descriptor, size)."},
#endif
    {"crash_enable", core_crash_enable, METH_O,
     "Reports crashes to this descriptor from now on, which must stay open. For this thread at once, for others "
     "at their first call of a plugin."},
    {"crash_disable", core_crash_disable, METH_NOARGS, "Reports no more crashes."},
    {NULL, NULL, 0, NULL},
};

static int fill_module(PyObject *module)
{
    PyTypeObject *const types[] = {&core_cancel_token_type, &core_deadline_type, &core_function_type,
                                   &core_layout_type,       &core_limit_type,    &core_owner_type,
                                   &core_record_type,       &core_services_type, &core_array_type,
                                   &core_table_type,        &core_class_type,    &core_instance_type,
                                   &core_method_type,       &core_lent_type,     &core_arrow_type,
#if defined(CORE_REMOTE)
                                   &core_worker_type,       &core_remote_type,
#endif
    };
    PyObject *capsule;
    int status = -1;

    if (core_main_interpreter() < 0 || short_text_model(&core_text_model) < 0)
        return -1;
    api.text_model = core_text_model;
    core_find_main_thread();
    api.interpreter = core_interpreter;
    core_signals_learn();
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (PyModule_AddType(module, types[i]) < 0)
            return -1;
    capsule = PyCapsule_New(&api, CORE_API_NAME, NULL);
    if (capsule != NULL && PyModule_AddFunctions(module, core_watch_functions) == 0 &&
        PyModule_AddObjectRef(module, "api", capsule) == 0 && core_limit_init(module) == 0)
        status = PyModule_AddIntConstant(module, "MAX_PARAMETERS", MAX_PARAMETERS);
    Py_XDECREF(capsule);
    return status;
}

static struct PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)(uintptr_t)fill_module},
    CORE_ONE_INTERPRETER
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "loader._core._call",
    .m_doc = "The C caller: contract functions through their addresses.",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__call(void)
{
    return PyModuleDef_Init(&definition);
}
