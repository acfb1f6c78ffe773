package htmlize

/*
#include "htmlize/htmlize.h"

// Go cannot call through a C function pointer. The result comes by value: a Go variable whose address is
// given to C would have to live on the heap.
typedef struct { int status; loader_text text; } kit_answer;
static kit_answer kit_post_title(loader_call *call, const htmlize_posts *posts, int64_t id)
{
    kit_answer answer = {0, {0, 0}};
    answer.status = posts->title(call, posts, id, &answer.text);
    return answer;
}
static int kit_has_title(const htmlize_posts *posts) { return LOADER_HAS(posts, title); }
*/
import "C"

import (
	"unsafe"

	"native-plugin.example/plugin"
)

// Post is the post whose text is turned into HTML: the host's own htmlize_post, seen through a pointer.
// Borrowed until the exported function returns; never copied, never stored, never written to. Any goroutine
// may read it while the call lasts.
type Post C.htmlize_post

// ID is the post's number; 0 if it has none.
func (post *Post) ID() int64 { return int64(post.id) }

// Author is the name of the post's author, not escaped. Borrowed as the post is.
func (post *Post) Author() plugin.Text { return plugin.TextAt(unsafe.Pointer(&post.author)) }

// Title is the post's title, not escaped. Borrowed as the post is.
func (post *Post) Title() plugin.Text { return plugin.TextAt(unsafe.Pointer(&post.title)) }

// Contents is the post's whole source text, as it was before any plugin saw it. Borrowed as the post is.
func (post *Post) Contents() plugin.Text { return plugin.TextAt(unsafe.Pointer(&post.contents)) }

// Posts is the service "htmlize.posts/1": the application's posts. Borrowed, with the Call that it came from,
// until the exported function returns; for the entered goroutine.
type Posts struct {
	call  *plugin.Call
	table *C.htmlize_posts
}

// PostsOf is the application's posts; false if it lends none.
func PostsOf(call *plugin.Call) (Posts, bool) {
	table := (*C.htmlize_posts)(call.Service("htmlize.posts/1"))
	if table == nil || C.kit_has_title(table) == 0 {
		return Posts{}, false
	}
	return Posts{call: call, table: table}, true
}

// Title is the title of post `id`, borrowed until the exported function returns. The error is of status
// Failed if there is no such post.
func (posts Posts) Title(id int64) (plugin.Text, error) {
	call := (*C.loader_call)(unsafe.Pointer(posts.call))
	answer := C.kit_post_title(call, posts.table, C.int64_t(id))
	if answer.status != C.LOADER_OK {
		return plugin.Text{}, posts.call.Err(int(answer.status))
	}
	return plugin.TextAt(unsafe.Pointer(&answer.text)), nil
}
