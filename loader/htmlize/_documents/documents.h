/* documents.h: contract htmlize_documents 1.0: whole documents in the process of the plugins that they need.
 *
 * The application's own: its engine (../_engine) as a plugin, which is opened in the worker beside the plugins and calls
 * them through function pointers there. So a document crosses once, whatever number of roles it has.
 */
#ifndef HTMLIZE_DOCUMENTS_H
#define HTMLIZE_DOCUMENTS_H

#include "loader/plugin.h"

LOADER_CONTRACT(htmlize_documents, 1, 0);
LOADER_FINGERPRINT(htmlize_documents, 1, 0, 0x7364a1102267e60d);
LOADER_BEGIN_C

/* As htmlize_post of htmlize/htmlize.h. */
typedef struct documents_post {
    size_t size;
    int64_t id;
    loader_text author;
    loader_text title;
    loader_text contents;
} documents_post;

/* A plugin's failure that a document went on after. */
typedef struct documents_problem {
    int64_t role;      /* number of the role in `setup`, or -1: a contents hook */
    int64_t hook;      /* its number, or -1 */
    int64_t offset;    /* bytes before the role's first colon */
    int32_t rewritten; /* 1: they count in what contents hooks left */
    int32_t status;
    loader_text message;
} documents_problem;
LOADER_LIST(documents_problem);

/* Roles and hooks of plugins that are not in this process. */
typedef struct documents_elsewhere documents_elsewhere;
struct documents_elsewhere {
    size_t size;
    int (*process_role)(loader_call *call, const documents_elsewhere *self, int64_t role, const loader_text *text);
    int (*process_contents)(loader_call *call, const documents_elsewhere *self, int64_t hook,
                            const loader_text *contents);
};
LOADER_INTERFACE(documents_elsewhere);

/* What render may be told, together. */
enum { DOCUMENTS_ESCAPE = 1, DOCUMENTS_KEEP = 2, DOCUMENTS_ASCII = 4, DOCUMENTS_LIMITED = 8 };

/* Writes the HTML of a document.
 *
 * engine, version: the numbers of roles and hooks that were set up before, or are by `setup`: a line each, "role",
 * name, the path by which its library is open here or "-", and the most bytes that it may write, with tabs between; or
 * "hook", path and bytes. LOADER_INVALID with the text "unknown": they were not, and `setup` is empty.
 *
 * trail: four numbers, where it says while it works which plugin runs: its role's number plus 1, or its hook's plus 1
 * plus 2^32, 0: none; anything; and the offset of the role in the document.
 *
 * A failure that ends the document has a text that begins with a line "role hook offset rewritten", as in a
 * documents_problem. */
LOADER_GIVES_TEXT LOADER_EXPORT int render(loader_call *call, const loader_text *text, const documents_post *post,
                                           uint64_t engine, const loader_texts *setup, uint32_t options,
                                           const documents_elsewhere *elsewhere, loader_u64s *trail,
                                           LOADER_OUT documents_problem_list *problems);

LOADER_END_C
#endif /* HTMLIZE_DOCUMENTS_H */
