/* lend.h: contract lend 1.0, for tests: a plugin that uses services of every shape. */
#ifndef LEND_H
#define LEND_H

#include "loader/plugin.h"

LOADER_CONTRACT(lend, 1, 0);

LOADER_BEGIN_C

/* What one call of lend_db.describe is about. */
typedef struct lend_item {
    size_t size;
    int64_t id;
    loader_text title;
    loader_bytes blob;
    double weight;
    uint8_t flag;
} lend_item;

/* Service "lend.db/1": every kind of argument and result. */
typedef struct lend_db lend_db;
struct lend_db {
    size_t size;
    /* The title of a post. */
    int (*title)(loader_call *call, const lend_db *db, int64_t id, LOADER_OUT loader_text *title);
    /* Bytes for bytes. */
    int (*blob)(loader_call *call, const lend_db *db, const loader_bytes *key, LOADER_OUT loader_bytes *value);
    /* How many there are. */
    int (*count)(loader_call *call, const lend_db *db, const loader_text *name, LOADER_OUT int64_t *count);
    /* Of two integers that are not 64 bits wide. */
    int (*ratio)(loader_call *call, const lend_db *db, int8_t a, uint32_t b, LOADER_OUT double *ratio);
    /* No result: what it gives is written to the call's output. */
    int (*note)(loader_call *call, const lend_db *db, const loader_text *text);
    /* A struct as argument. */
    int (*describe)(loader_call *call, const lend_db *db, const lend_item *item, LOADER_OUT loader_text *text);
    /* As many arguments as there can be. */
    int (*many)(loader_call *call, const lend_db *db, int8_t a, uint8_t b, int16_t c, uint16_t d, int32_t e,
                uint32_t f, int64_t g, LOADER_OUT loader_text *text);
};

LOADER_SERVICE("lend.db/1", lend_db);

/* Service "lend.clock/2": of one function; tests give it as a table of C too. */
typedef struct lend_clock lend_clock;
struct lend_clock {
    size_t size;
    /* What time it is. */
    int (*now)(loader_call *call, const lend_clock *clock, LOADER_OUT int64_t *now);
};

LOADER_SERVICE("lend.clock/2", lend_clock);

/* Each calls the function of its name and writes what it gives; a failure is passed on as it is. */
LOADER_EXPORT int title(loader_call *call, int64_t id);
LOADER_GIVES_BYTES LOADER_EXPORT int blob(loader_call *call, const loader_bytes *key);
LOADER_EXPORT int count(loader_call *call, const loader_text *name);
LOADER_EXPORT int ratio(loader_call *call, int8_t a, uint32_t b);
LOADER_EXPORT int note(loader_call *call, const loader_text *text);
LOADER_EXPORT int describe(loader_call *call, int64_t id, const loader_text *title);
LOADER_EXPORT int many(loader_call *call);
LOADER_EXPORT int clock_now(loader_call *call);

/* Writes which services there are, and which functions of them. */
LOADER_EXPORT int survey(loader_call *call);

/* Asks for all titles below `id`, then writes them: all of them still have to be there. */
LOADER_EXPORT int titles(loader_call *call, int64_t id);

/* What it does with a title's failure: 0 writes status and text, 1 fails with a text of its own, 2 fails with
 * the status only, after a second, successful call of the service, 3 hands on the status and what it wrote. */
LOADER_EXPORT int recover(loader_call *call, int64_t id, int what);

/* Misuses the service: 0 NULL for a text, 1 NULL for a result, 2 NULL for the table, 3 a text with no memory, 4 a
 * text of huge size, 5 another table's address, 6 a struct whose text has no memory, 7 invalid UTF-8,
 * 8 an id of size 0, 9 the id NULL. Writes the status and the error's text. */
LOADER_EXPORT int misuse(loader_call *call, int what);

/* Does `what` from a thread of its own, with this call: 0 calls a service, 1 logs, 2 grows the output. Writes
 * the status. */
LOADER_EXPORT int from_thread(loader_call *call, int what);

LOADER_END_C

#endif /* LEND_H */
