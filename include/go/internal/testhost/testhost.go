// Package testhost is a small host in C for the kit's tests, so that they run against the real layout and the
// real calls. It is no part of a plugin.
package testhost

/*
#cgo CFLAGS: -I${SRCDIR}/../../..
#include "host.h"

static test_call *test_new(size_t most)
{
    test_call *t = malloc(sizeof *t);
    if (t != NULL)
        test_begin(t, most);
    return t;
}
static void test_free(test_call *t)
{
    test_end(t);
    free(t);
}
static void test_make_older(test_call *t) { t->call.host = &test_older; }
static size_t test_output(const test_call *t) { return (size_t)(t->call.next - t->begin); }
static htmlize_post *test_post(void) { return calloc(1, sizeof(htmlize_post)); }
*/
import "C"

import "unsafe"

// Host is one call's host. Free it with Close.
type Host struct{ c *C.test_call }

// New is a host whose call starts without room and may write `most` bytes.
func New(most int) Host { return Host{C.test_new(C.size_t(most))} }

// Close frees what the host lent.
func (h Host) Close() { C.test_free(h.c) }

// Call is what an exported function receives.
func (h Host) Call() unsafe.Pointer { return unsafe.Pointer(h.c) }

// Output is what was written so far.
func (h Host) Output() string { return C.GoStringN(h.c.begin, C.int(C.test_output(h.c))) }

// Error is the text of the last failure.
func (h Host) Error() string {
	return C.GoStringN(h.c.call.error.data, C.int(h.c.call.error.size))
}

// Counts says how often the functions grow and fail of the host were called.
func (h Host) Counts() (grown, failed int) { return int(h.c.grown), int(h.c.failed) }

// Logged is the last line of the log and its level.
func (h Host) Logged() (level int, line string) {
	return int(h.c.level), C.GoStringN(&h.c.line[0], C.int(h.c.line_size))
}

// Stop makes the host ask the plugin to stop with this status.
func (h Host) Stop(status int) { h.c.stop = C.int(status) }

// Lend makes the service htmlize.posts/1 available.
func (h Host) Lend() { h.c.lends = 1 }

// MakeOlder makes it a host that is older than loader_alloc.
func (h Host) MakeOlder() { C.test_make_older(h.c) }

// Memory is C memory for a value and so many bytes beyond it, all 0xff; never freed.
func Memory(size int) unsafe.Pointer {
	memory := C.malloc(C.size_t(size))
	C.memset(memory, 0xff, C.size_t(size))
	return memory
}

// Text is a loader_text in C memory, and bytes in Go terms too; never freed.
func Text(content string) unsafe.Pointer {
	text := (*C.loader_text)(C.calloc(1, C.sizeof_loader_text))
	if content != "" {
		text.data = (*C.char)(C.CBytes([]byte(content)))
		text.size = C.size_t(len(content))
	}
	return unsafe.Pointer(text)
}

// Overwrite changes every byte of a Text to 'x', as freed memory would.
func Overwrite(text unsafe.Pointer) {
	t := (*C.loader_text)(text)
	for at := C.size_t(0); at < t.size; at++ {
		*(*byte)(unsafe.Add(unsafe.Pointer(t.data), at)) = 'x'
	}
}

// Post is a htmlize_post in C memory, never freed.
func Post(id int64, author, title, contents string) unsafe.Pointer {
	post := C.test_post()
	post.size = C.sizeof_htmlize_post
	post.id = C.int64_t(id)
	post.author = *(*C.loader_text)(Text(author))
	post.title = *(*C.loader_text)(Text(title))
	post.contents = *(*C.loader_text)(Text(contents))
	return unsafe.Pointer(post)
}
