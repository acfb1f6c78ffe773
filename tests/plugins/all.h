/* all.h: contract all 1.0: whatever a header can say, and names that are awkward in other languages. */
#include "loader/plugin.h"

#include <stdbool.h>

LOADER_CONTRACT(all, 1, 0);

LOADER_BEGIN_C

typedef enum all_mode { ALL_A = 1, ALL_B = 2, ALL_ALIAS = 1 } all_mode;
typedef struct all_part {
    int8_t bytes[3];
    all_mode mode;
} all_part;
LOADER_LIST(all_part);
typedef struct all_tag {
    size_t size;
    loader_text name;
    all_part parts[2];
    bool on;
    unsigned short type;
} all_whole;

/* A table of the caller's. */
typedef struct all_table all_table;
struct all_table {
    size_t size;
    /* Asks a lot, \
       and more */
    int (*ask)(loader_call *call, const all_table *self, const all_whole *whole, const loader_texts *texts,
               const loader_bytes *bytes, const loader_f32s *numbers, const all_part_list *parts, all_mode mode, bool on,
               long long wide);
    int (*give)(loader_call *call, const all_table *self, const loader_text *name, LOADER_OUT all_whole *back,
                LOADER_OUT loader_text *text, LOADER_OUT loader_i16s *shorts, LOADER_OUT all_part_list *parts,
                LOADER_OUT bool *off, LOADER_OUT long *far);
    int (*tell)(loader_call *call, const all_table *self);
};
LOADER_INTERFACE(all_table);

typedef struct all_lent all_lent;
struct all_lent {
    size_t size;
    int (*of)(loader_call *call, const all_lent *self, double table, LOADER_OUT all_part_list *parts);
    int (*call)(loader_call *call, const all_lent *self, const loader_text *lent);
    int (*lent)(loader_call *call, const all_lent *self);
};
LOADER_SERVICE("all.lent/1", all_lent);

/* A thing. */
LOADER_SHARED_CLASS(all_thing);
LOADER_EXPORT int all_thing_new(loader_call *call, LOADER_OUT all_thing **made);
LOADER_OPTIONAL int all_thing_seek(loader_call *call, const all_thing *thing, long long place);
LOADER_EXPORT int all_thing_next(loader_call *call, all_thing *thing, LOADER_OUT all_mode *mode,
                                 LOADER_OUT loader_text *text);
LOADER_EXPORT int all_thing_split(loader_call *call, all_thing *thing, LOADER_OUT all_thing **rest, LOADER_OUT bool *any);
LOADER_EXPORT void all_thing_free(all_thing *thing);

LOADER_CLASS(all_lines);
LOADER_OPTIONAL int all_lines_new(loader_call *call, LOADER_OUT all_lines **made);
LOADER_OPTIONAL int all_lines_next(loader_call *call, all_lines *lines);
LOADER_OPTIONAL void all_lines_free(all_lines *lines);

LOADER_EXPORT int take(loader_call *call, const all_whole *plugin, const all_part_list *result, all_part_list *derived,
                       const loader_texts *type, const loader_bytes *entered, loader_u8s *u8, unsigned long p0, char c,
                       float f);
LOADER_EXPORT int use(loader_call *call, const all_table *table, all_thing *thing, const all_thing *other);
LOADER_EXPORT int every(loader_call *call, LOADER_OUT all_whole *out, LOADER_OUT loader_text *text,
                        LOADER_OUT loader_bytes *bytes, LOADER_OUT all_part_list *parts, LOADER_OUT loader_u64s *numbers,
                        LOADER_OUT all_mode *mode, LOADER_OUT bool *on, LOADER_OUT unsigned long long *wide);
LOADER_OPTIONAL int error(loader_call *call, const loader_tensor *a, loader_tensor *b, LOADER_OUT loader_bytes *bytes);
LOADER_EXPORT int columns(loader_call *call, const loader_arrow *given, LOADER_OUT loader_arrow *made,
                          LOADER_OUT loader_text *text);
LOADER_GIVES_BYTES LOADER_EXPORT int both(loader_call *call, LOADER_OUT float *number);

LOADER_END_C
