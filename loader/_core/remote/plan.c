/* plan.c: how the parameters and results of a function cross to a worker, made of what its header declares. */
#include "remote/remote.h"

#ifdef CORE_REMOTE

enum { MOST_TEXTS = 4096 }; /* of all structs of one function: a struct has at most 4096 bytes, so 256 */

struct planning {
    struct wire_value values[MAX_PARAMETERS];
    uint32_t texts[MOST_TEXTS];
    uint32_t text_count;
};

static int plan_value(struct planning *planning, const struct parameter *parameter, struct wire_value *value)
{
    *value = (struct wire_value){
        .kind = (uint8_t)parameter->kind,
        .place = parameter->place,
        .writable = parameter->writable,
        .size = (uint32_t)parameter->size,
        .offset = (uint32_t)parameter->offset,
        .texts = planning->text_count,
    };
    if (parameter->kind == KIND_STRUCT || parameter->kind == KIND_LIST) {
        const size_t count = core_layout_texts(parameter->layout, 0, planning->texts + planning->text_count,
                                               MOST_TEXTS - planning->text_count);
        value->size = (uint32_t)core_layout_size(parameter->layout);
        value->text_count = (uint32_t)count;
        planning->text_count += value->text_count;
        if (planning->text_count > MOST_TEXTS)
            return -1;
    }
    return 0;
}

struct wire_plan *core_plan(const struct parameter *parameters, Py_ssize_t count, Py_ssize_t result_count)
{
    struct planning *const planning = PyMem_RawCalloc(1, sizeof *planning);
    struct wire_plan *plan = NULL;
    const size_t values = (size_t)(count + result_count);
    size_t size;

    if (planning == NULL)
        return PyErr_NoMemory(), NULL;
    for (size_t i = 0; i < values; i++)
        if (plan_value(planning, &parameters[i], &planning->values[i]) < 0) {
            PyErr_Format(PyExc_ValueError, "%U: its structs have more than %d texts", parameters[i].name, MOST_TEXTS);
            goto done;
        }
    size = sizeof *plan + values * sizeof *plan->values + planning->text_count * sizeof(uint32_t);
    plan = PyMem_RawMalloc(size);
    if (plan == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    *plan = (struct wire_plan){(uint32_t)size, (uint32_t)count, (uint32_t)result_count, planning->text_count};
    memcpy(plan->values, planning->values, values * sizeof *plan->values);
    memcpy((void *)(uintptr_t)wire_texts(plan), planning->texts, planning->text_count * sizeof(uint32_t));
done:
    PyMem_RawFree(planning);
    return plan;
}

#else
typedef int plan_is_for_linux;
#endif
