/* names.h: contract names 1.0: what a contract may be full of, and what bindings call their own parts. */
#include "loader/plugin.h"

LOADER_CONTRACT(names, 1, 0);

LOADER_BEGIN_C

typedef struct result { int64_t call, raw, p0; } result;
typedef struct instance { double next, more; } instance;
typedef enum p1 { P1_A, P1_B } p1;
LOADER_LIST(result);

typedef struct names_found names_found;
struct names_found {
    size_t size;
    int (*entered)(loader_call *call, const names_found *self, const loader_text *name, LOADER_OUT result *found);
    int (*table)(loader_call *call, const names_found *self, const result *self_, LOADER_OUT int64_t *table);
};
LOADER_INTERFACE(names_found);
typedef struct names_failure names_failure;
struct names_failure {
    size_t size;
    int (*of)(loader_call *call, const names_failure *self);
};
LOADER_SERVICE("names.failure/1", names_failure);

LOADER_EXPORT int call(loader_call *c, const loader_text *raw, LOADER_OUT int64_t *result);
LOADER_EXPORT int raw(loader_call *c, const result *call, LOADER_OUT result *p0, LOADER_OUT instance *result);
LOADER_EXPORT int next(loader_call *c, p1 failure, const result_list *found, LOADER_OUT p1 *next);
LOADER_EXPORT int more(loader_call *c, const names_found *plugin);
LOADER_EXPORT int plugin(loader_call *c, int64_t derived, int64_t p2);
LOADER_EXPORT int entered(loader_call *c, const instance *instance);
LOADER_EXPORT int failure(loader_call *c);
LOADER_EXPORT int detail(loader_call *c);

LOADER_CLASS(names_plugin);
LOADER_EXPORT int names_plugin_new(loader_call *c, LOADER_OUT names_plugin **result);
LOADER_EXPORT int names_plugin_next(loader_call *c, names_plugin *instance, LOADER_OUT int64_t *call, LOADER_OUT result *raw);
LOADER_EXPORT int names_plugin_call(loader_call *c, names_plugin *self, int64_t self_, int64_t result);
LOADER_EXPORT void names_plugin_free(names_plugin *raw);

LOADER_END_C
