/* probe.h: contract probe 1.2, for tests: every kind of parameter and result, and functions that do what a test
 * asks of them. */
#ifndef PROBE_H
#define PROBE_H

#include "loader/plugin.h"

LOADER_CONTRACT(probe, 1, 2);

LOADER_BEGIN_C

/* A struct of every kind of member, with padding between them. */
typedef struct probe_item {
    size_t size;
    int8_t tiny;
    uint64_t id;
    loader_text title;
    uint8_t flag;
    int16_t low;
    uint16_t high;
    loader_bytes blob;
    int32_t count;
    double weight;
    uint32_t mask;
    int64_t offset;
} probe_item;

/* A struct that does not begin with its size. */
typedef struct probe_point {
    double x;
    double y;
} probe_point;

/* Writes "none". */
LOADER_EXPORT int none(loader_call *call);

/* Each writes its numbers, separated by blanks. */
LOADER_EXPORT int one(loader_call *call, int8_t a);
LOADER_EXPORT int two(loader_call *call, int8_t a, uint8_t b);
LOADER_EXPORT int three(loader_call *call, int8_t a, uint8_t b, int16_t c);
LOADER_EXPORT int four(loader_call *call, int8_t a, uint8_t b, int16_t c, uint16_t d);
LOADER_EXPORT int five(loader_call *call, int8_t a, uint8_t b, int16_t c, uint16_t d, int32_t e);
LOADER_EXPORT int six(loader_call *call, int8_t a, uint8_t b, int16_t c, uint16_t d, int32_t e, uint32_t f);
LOADER_EXPORT int seven(loader_call *call, int8_t a, uint8_t b, int16_t c, uint16_t d, int32_t e, uint32_t f,
                        int64_t g);
LOADER_EXPORT int eight(loader_call *call, int8_t a, uint8_t b, int16_t c, uint16_t d, int32_t e, uint32_t f,
                        int64_t g, uint64_t h);

/* Writes the text as it came. */
LOADER_EXPORT int echo(loader_call *call, const loader_text *text);

/* Writes the bytes as they came. */
LOADER_GIVES_BYTES LOADER_EXPORT int echo_bytes(loader_call *call, const loader_bytes *data);

/* Writes the bytes as they came, and says that they are text. */
LOADER_EXPORT int decode(loader_call *call, const loader_bytes *data);

/* Writes the text, and says that it is bytes. */
LOADER_GIVES_BYTES LOADER_EXPORT int encode(loader_call *call, const loader_text *text);

/* Writes every member of the item, and the size that the host gave it. */
LOADER_EXPORT int show(loader_call *call, const probe_item *item);

/* Writes a text and two structs. */
LOADER_EXPORT int between(loader_call *call, const loader_text *label, const probe_point *start,
                          const probe_point *end);

/* Writes `text`, then `count` letters x, `step` at a time. */
LOADER_EXPORT int pad(loader_call *call, const loader_text *text, uint64_t count, uint64_t step);

/* The same, as bytes. */
LOADER_GIVES_BYTES LOADER_EXPORT int pad_bytes(loader_call *call, const loader_text *text, uint64_t count,
                                               uint64_t step);

/* The same, with two-byte letters. */
LOADER_EXPORT int pad_wide(loader_call *call, const loader_text *text, uint64_t count);

/* Returns `status`, with `message` as its text, or without one if that is empty. Writes "half" before. */
LOADER_EXPORT int fail(loader_call *call, int status, const loader_bytes *message);

/* Fails twice: the second time with the first error text, which the call itself holds, in brackets. */
LOADER_EXPORT int fail_again(loader_call *call, const loader_text *message);

/* Fails with a part of its own call's error text. */
LOADER_EXPORT int fail_with_own(loader_call *call, const loader_text *message, uint64_t start);

/* Logs `line` and writes "logged". */
LOADER_EXPORT int say(loader_call *call, int level, const loader_bytes *line);

/* Runs until loader_cancelled says stop, or `most` milliseconds are over, and returns what it said. */
LOADER_EXPORT int spin(loader_call *call, uint32_t most);

/* Waits until `parties` threads are in it at once. Fails after 20 seconds. `text` is for its length. */
LOADER_EXPORT int meet(loader_call *call, const loader_text *text, uint32_t parties);

/* The same, and always slow. */
LOADER_EXPORT int meet_slowly(loader_call *call, uint32_t parties);

/* Sleeps for so many microseconds. */
LOADER_EXPORT int rest(loader_call *call, uint32_t microseconds);

/* Commits `more` bytes than there is room for. */
LOADER_EXPORT int overrun(loader_call *call, uint64_t more);
LOADER_GIVES_BYTES LOADER_EXPORT int overrun_bytes(loader_call *call, const loader_text *text, uint64_t more);

/* May be missing; probe.c does not have it. */
LOADER_OPTIONAL int extra(loader_call *call, const loader_text *text);

/* May be missing; probe.c has it. Writes "present". */
LOADER_OPTIONAL int present(loader_call *call);

LOADER_END_C

#endif /* PROBE_H */
