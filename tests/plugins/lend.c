/* lend.c: the plugin of contract lend. */
#include "lend.h"

#include <inttypes.h>
#include <pthread.h>

#define ASK(call, db, id) ((db)->title((call), (db), (id), &text))

static const lend_db *database(loader_call *call)
{
    const lend_db *db = lend_db_get(call);
    if (db == NULL)
        (void)loader_fail(call, "nobody lends lend.db/1");
    return db;
}

int title(loader_call *call, int64_t id)
{
    const lend_db *db = database(call);
    loader_text text;
    int status = db == NULL ? LOADER_FAILED : ASK(call, db, id);
    return status != LOADER_OK ? status : loader_write_text(call, &text);
}

int blob(loader_call *call, const loader_bytes *key)
{
    const lend_db *db = database(call);
    loader_bytes value;
    int status = db == NULL ? LOADER_FAILED : db->blob(call, db, key, &value);
    return status != LOADER_OK ? status : loader_write_bytes(call, &value);
}

int count(loader_call *call, const loader_text *name)
{
    const lend_db *db = database(call);
    int64_t found;
    int status = db == NULL ? LOADER_FAILED : db->count(call, db, name, &found);
    return status != LOADER_OK ? status : loader_printf(call, "%" PRId64, found);
}

int ratio(loader_call *call, int8_t a, uint32_t b)
{
    const lend_db *db = database(call);
    double found;
    int status = db == NULL ? LOADER_FAILED : db->ratio(call, db, a, b, &found);
    return status != LOADER_OK ? status : loader_printf(call, "%.17g", found);
}

int note(loader_call *call, const loader_text *text)
{
    const lend_db *db = database(call);
    int status = db == NULL || loader_write_string(call, "<") != LOADER_OK ? LOADER_FAILED : db->note(call, db, text);
    return status != LOADER_OK ? status : loader_write_string(call, ">");
}

int describe(loader_call *call, int64_t id, const loader_text *name)
{
    const unsigned char bytes[] = {0, 1, 255};
    const lend_item item = {sizeof item, id, *name, {bytes, sizeof bytes}, 0.5, 200};
    const lend_db *db = database(call);
    loader_text text;
    int status = db == NULL ? LOADER_FAILED : db->describe(call, db, &item, &text);
    return status != LOADER_OK ? status : loader_write_text(call, &text);
}

int many(loader_call *call)
{
    const lend_db *db = database(call);
    loader_text text;
    int status = db == NULL ? LOADER_FAILED
                            : db->many(call, db, INT8_MIN, UINT8_MAX, INT16_MIN, UINT16_MAX, INT32_MIN, UINT32_MAX,
                                       INT64_MIN, &text);
    return status != LOADER_OK ? status : loader_write_text(call, &text);
}

int clock_now(loader_call *call)
{
    const lend_clock *clock = lend_clock_get(call);
    int64_t now = -1;
    int status = clock == NULL ? loader_fail(call, "no clock") : clock->now(call, clock, &now);
    return status != LOADER_OK ? status : loader_printf(call, "%" PRId64, now);
}

int survey(loader_call *call)
{
    const lend_db *db = lend_db_get(call);
    return loader_printf(call, "db %s, many %s, clock %s, other %s", db == NULL ? "absent" : "there",
                         db != NULL && LOADER_HAS(db, many) ? "there" : "absent",
                         lend_clock_get(call) == NULL ? "absent" : "there",
                         loader_service(call, "lend.db/2") == NULL ? "absent" : "there");
}

int titles(loader_call *call, int64_t id)
{
    const lend_db *db = database(call);
    loader_text found[64];
    int64_t most = id < 64 ? id : 64;
    int status = db == NULL ? LOADER_FAILED : LOADER_OK;

    for (int64_t i = 0; status == LOADER_OK && i < most; i++)
        status = db->title(call, db, i, &found[i]);
    for (int64_t i = 0; status == LOADER_OK && i < most; i++)
        status = loader_write_text(call, &found[i]);
    return status;
}

int recover(loader_call *call, int64_t id, int what)
{
    const lend_db *db = database(call);
    loader_text text = {"untouched", 9};
    int status = db == NULL ? LOADER_FAILED : ASK(call, db, id);

    if (status == LOADER_OK)
        return loader_write_text(call, &text);
    if (what == 0)
        return loader_printf(call, "%d, %.*s, result %.*s", status, LOADER_PRINT(&call->error), LOADER_PRINT(&text));
    if (what == 1)
        return loader_fail(call, "cannot go on");
    if (what == 2)
        return ASK(call, db, 1) == LOADER_OK ? LOADER_INVALID : LOADER_PANIC;
    return loader_write_string(call, "written in spite") == LOADER_OK ? status : LOADER_NO_MEMORY;
}

int misuse(loader_call *call, int what)
{
    const lend_db *db = database(call);
    const lend_clock *clock = lend_clock_get(call);
    const loader_text nowhere = {NULL, 5}, huge = {"x", SIZE_MAX}, broken = {"a\xff", 2};
    const lend_item item = {.size = sizeof item, .title = {NULL, 7}};
    loader_text text;
    int64_t number;
    int status = LOADER_OK;

    if (db == NULL)
        return LOADER_FAILED;
    switch (what) {
    case 0: status = db->count(call, db, NULL, &number); break;
    case 1: status = db->title(call, db, 1, NULL); break;
    case 2: status = db->title(call, NULL, 1, &text); break;
    case 3: status = db->count(call, db, &nowhere, &number); break;
    case 4: status = db->count(call, db, &huge, &number); break;
    case 5: status = db->many(call, (const lend_db *)(const void *)clock, 0, 0, 0, 0, 0, 0, 0, &text); break;
    case 6: status = db->describe(call, db, &item, &text); break;
    case 7: status = db->count(call, db, &broken, &number); break;
    case 8: status = call->host->service(call, "lend.db/1", 0) == NULL ? 100 : 101; break;
    default: status = call->host->service(call, NULL, 9) == NULL ? 100 : 101; break;
    }
    return loader_printf(call, "%d %.*s", status, LOADER_PRINT(&call->error));
}

struct errand {
    loader_call *call;
    int what;
    int status;
};

static void *run(void *given)
{
    struct errand *errand = given;
    const lend_db *db = lend_db_get(errand->call);
    loader_text text;

    if (errand->what == 0)
        errand->status = db == NULL ? -1 : db->title(errand->call, db, 1, &text);
    else if (errand->what == 1)
        loader_log(errand->call, LOADER_ERROR, "from a thread", 13);
    else
        errand->status = loader_reserve(errand->call, (size_t)1 << 20) == NULL ? LOADER_NO_MEMORY : LOADER_OK;
    return NULL;
}

int from_thread(loader_call *call, int what)
{
    struct errand errand = {call, what, LOADER_OK};
    pthread_t thread;

    if (pthread_create(&thread, NULL, run, &errand) != 0 || pthread_join(thread, NULL) != 0)
        return loader_fail(call, "no thread");
    return loader_printf(call, "%d", errand.status);
}
