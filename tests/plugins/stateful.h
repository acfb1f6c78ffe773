/* stateful.h: contract stateful 1.0: classes and interfaces, for tests. */
#include "loader/plugin.h"

LOADER_CONTRACT(stateful, 1, 0);

LOADER_BEGIN_C

typedef enum stateful_mode { STATEFUL_PLAIN = 0, STATEFUL_NOISY = 1 } stateful_mode;
typedef struct stateful_point { double x, y; } stateful_point;
LOADER_LIST(stateful_point);

/* Sees words, and weighs them. */
typedef struct stateful_visitor stateful_visitor;
struct stateful_visitor {
    size_t size;
    /* Sees a word; gives how much it weighs. */
    int (*see)(loader_call *call, const stateful_visitor *self, const loader_text *word, double share,
               LOADER_OUT int64_t *weight);
    int (*place)(loader_call *call, const stateful_visitor *self, const stateful_point_list *points, stateful_mode mode,
                 LOADER_OUT stateful_point *centre);
};
LOADER_INTERFACE(stateful_visitor);

typedef struct stateful_step stateful_step;
struct stateful_step {
    size_t size;
    int (*at)(loader_call *call, const stateful_step *self, double done);
};
LOADER_INTERFACE(stateful_step);

/* What the visitor gave for all words, and in all. */
LOADER_EXPORT int visit(loader_call *call, const loader_texts *words, const stateful_visitor *visitor,
                        LOADER_OUT int64_t *weight);
LOADER_EXPORT int locate(loader_call *call, const stateful_point_list *points, const stateful_visitor *visitor,
                         LOADER_OUT stateful_point *centre);
/* Text, while a step is asked `count` times. */
LOADER_EXPORT int walk(loader_call *call, int64_t count, const stateful_step *step);

/* Counts. */
LOADER_CLASS(counter);
LOADER_EXPORT int counter_new(loader_call *call, int64_t start, stateful_mode mode, LOADER_OUT counter **made);
/* Adds to the count. */
LOADER_EXPORT int counter_add(loader_call *call, counter *self, int64_t more, LOADER_OUT int64_t *total);
LOADER_EXPORT int counter_name(loader_call *call, const counter *self);
LOADER_EXPORT int counter_next(loader_call *call, counter *self, LOADER_OUT int64_t *value);
LOADER_EXPORT int counter_during(loader_call *call, counter *self, const stateful_step *step);
LOADER_EXPORT int counter_spin(loader_call *call, counter *self, int64_t rounds, LOADER_OUT int64_t *overlaps);
LOADER_EXPORT int counter_clone(loader_call *call, const counter *self, LOADER_OUT counter **copy);
LOADER_EXPORT int counter_pair(loader_call *call, LOADER_OUT counter **one, LOADER_OUT counter **two);
LOADER_OPTIONAL int counter_lacking(loader_call *call, counter *self);
LOADER_EXPORT void counter_free(counter *self);

LOADER_EXPORT int merge(loader_call *call, counter *a, const counter *b, LOADER_OUT int64_t *total);
LOADER_EXPORT int unset(loader_call *call, LOADER_OUT counter **made);
/* Gives an instance, and with it what is wrong: no member of the enum, a failure, text that is none. */
LOADER_GIVES_TEXT LOADER_EXPORT int spoil(loader_call *call, int64_t how, LOADER_OUT counter **made,
                                          LOADER_OUT stateful_mode *mode);
LOADER_EXPORT int done(loader_call *call);
/* Instances that were made and not freed, and how many were freed on another thread than the one that made them. */
LOADER_EXPORT int living(loader_call *call, LOADER_OUT int64_t *count, LOADER_OUT int64_t *elsewhere);

/* Several threads may be in it. */
LOADER_SHARED_CLASS(hub);
LOADER_EXPORT int hub_new(loader_call *call, LOADER_OUT hub **made);
LOADER_EXPORT int hub_during(loader_call *call, hub *self, const stateful_step *step);
LOADER_EXPORT void hub_free(hub *self);

LOADER_END_C
