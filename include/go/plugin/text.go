package plugin

/*
#cgo CFLAGS: -I${SRCDIR}/../..
#include "loader/plugin.h"
*/
import "C"

import "unsafe"

// Text is UTF-8 text that the host lends: a view, not a copy. It is valid until the exported function
// returns and never after, so do not store one; [Text.String] makes a copy that may be kept.
//
// It is a type of its own, and not a string, because a borrowed string that finds its way into a map or a
// cache reads freed memory later, and nothing in the code would show it. The zero Text is empty.
//
// Thread: may be read by any goroutine while the call lasts.
type Text struct {
	_    [0]func() // no ==, and no key of a map: both would compare addresses, and a key is kept
	data *byte
	size int
}

// TextAt is the Text of a parameter of type const loader_text *, or of a field of type loader_text: pass its
// address. Borrows for as long as the address is valid.
func TextAt(text unsafe.Pointer) Text {
	t := (*C.loader_text)(text)
	return Text{data: (*byte)(unsafe.Pointer(t.data)), size: int(t.size)}
}

// Len is the number of bytes.
func (t Text) Len() int { return t.size }

// String copies the text into a string that may be kept. Text is a fmt.Stringer: %s prints one.
func (t Text) String() string { return string(unsafe.Slice(t.data, t.size)) }

// Borrow is the text as a string WITHOUT a copy, for long texts that are read once. The string, and every
// part of it (slices, fields, map keys, substrings that strings functions return), dies when the exported
// function returns. Keep none of it; strings.Clone what must stay. If unsure, use String: for a few dozen
// bytes the copy cannot be measured beside the call itself; for 4 KB it costs about a microsecond.
func (t Text) Borrow() string { return unsafe.String(t.data, t.size) }

// Bytes are raw bytes that the host lends. As for [Text]: a view, valid until the exported function returns.
type Bytes struct {
	_    [0]func() // as in Text
	data *byte
	size int
}

// BytesAt is the Bytes of a parameter of type const loader_bytes *, or of a field of type loader_bytes: pass
// its address. Borrows for as long as the address is valid.
func BytesAt(bytes unsafe.Pointer) Bytes {
	b := (*C.loader_bytes)(bytes)
	return Bytes{data: (*byte)(unsafe.Pointer(b.data)), size: int(b.size)}
}

// Len is the number of bytes.
func (b Bytes) Len() int { return b.size }

// Copy copies the bytes into a slice of the plugin's own, which may be changed and kept.
func (b Bytes) Copy() []byte { return append([]byte(nil), b.Borrow()...) }

// Borrow is the bytes WITHOUT a copy. The slice dies when the exported function returns. It is the host's
// memory: never write to it.
func (b Bytes) Borrow() []byte { return unsafe.Slice(b.data, b.size) }
