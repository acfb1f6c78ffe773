/* htmlize.h: contract htmlize 1.0. Plugins that take part in turning lightly marked text into HTML.
 *
 * The rules of <loader/plugin.h> hold: every pointer is borrowed until the function returns, `call` is used
 * on the calling thread only, 0 is success, nothing unwinds.
 */
#ifndef HTMLIZE_HTMLIZE_H
#define HTMLIZE_HTMLIZE_H

#include "loader/plugin.h"

LOADER_CONTRACT(htmlize, 1, 0);
LOADER_FINGERPRINT(htmlize, 1, 0, 0x289833ee10589802);

LOADER_BEGIN_C

/* The post whose text is turned into HTML. Owned by the host and borrowed, with all its texts, until the
 * function that received it returns; the same on every thread, never written to. */
typedef struct htmlize_post {
    size_t size;          /* bytes of this struct as the host knows it */
    int64_t id;           /* the post's number; 0 if it has none */
    loader_text author;   /* its author's name, not escaped */
    loader_text title;    /* its title, not escaped */
    loader_text contents; /* its whole source text, as it was before any plugin saw it */
} htmlize_post;

LOADER_STATIC_ASSERT(offsetof(htmlize_post, id) == 8 && offsetof(htmlize_post, author) == 16 &&
                         offsetof(htmlize_post, title) == 32 && offsetof(htmlize_post, contents) == 48 &&
                         sizeof(htmlize_post) == 64,
                     "htmlize_post is frozen");

/* Writes what the plugin takes part in, a line each, every line ended by '\n':
 *     role:NAME     it answers :NAME:`text` (NAME: 1 to 100 of [0-9A-Za-z_])
 *     contents      it changes whole contents
 * Called once, after loading. A plugin that writes nothing takes part in nothing.
 * Thread: the thread that loads. Returns LOADER_OK or an error, which refuses the plugin. */
LOADER_EXPORT int hooks(loader_call *call);

/* Writes the HTML that replaces one :role:`text`. `role` is a name that hooks wrote, `text` is what stands
 * between the backticks and is not escaped; what is written is not scanned for roles again.
 * Required of a plugin whose hooks name a role.
 * Thread: any, several at once. Returns LOADER_OK or an error, which fails the document or, if the
 * application asked for that, leaves the role as it stood. */
LOADER_OPTIONAL int process_role(loader_call *call, const loader_text *role, const loader_text *text,
                                 const htmlize_post *post);

/* Writes the whole contents anew. `contents` is HTML in which roles are not yet replaced.
 * Required of a plugin whose hooks say contents.
 * Thread: any, several at once. Returns LOADER_OK or an error, which fails the document or, if the
 * application asked for that, leaves the contents as they stood. */
LOADER_OPTIONAL int process_contents(loader_call *call, const loader_text *contents, const htmlize_post *post);

/* Service "htmlize.posts/1": the application's posts. Absent where the application has none: check for NULL.
 * Owned by the host; table and results are valid until the plugin's function returns; calling thread only. */
typedef struct htmlize_posts htmlize_posts;
struct htmlize_posts {
    size_t size; /* bytes of this table as the host knows it */
    /* Sets *title to the title of post `id`. Fails with LOADER_FAILED and a text if there is no such post. */
    int (*title)(loader_call *call, const htmlize_posts *posts, int64_t id, LOADER_OUT loader_text *title);
};

LOADER_SERVICE("htmlize.posts/1", htmlize_posts);

LOADER_END_C

#endif /* HTMLIZE_HTMLIZE_H */
