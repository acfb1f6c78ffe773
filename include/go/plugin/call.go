package plugin

/*
#cgo CFLAGS: -I${SRCDIR}/../..
#include "loader/plugin.h"

// Go cannot call through a C function pointer: one step in C for each function of the host's table.
static int kit_grow(loader_call *call, size_t more) { return call->host->grow(call, more); }
static int kit_cancelled(loader_call *call) { return call->host->cancelled(call); }
static int kit_fail(loader_call *call, int status, const char *text, size_t size)
{
    return call->host->fail(call, status, text, size);
}
static void kit_log(loader_call *call, int level, const char *text, size_t size)
{
    call->host->log(call, level, text, size);
}
static const void *kit_service(loader_call *call, const char *id, size_t size)
{
    return call->host->service(call, id, size);
}
static loader_text kit_path(loader_call *call) { return loader_plugin_path(call); }
*/
import "C"

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// Call is the context of one call from the host. It is the host's own loader_call, seen through a pointer:
// borrowed until the exported function returns; never copied, never stored. Its methods are for the goroutine
// that was entered, and no other.
//
// Output goes straight into the host's memory. C is entered only to get more room. A failed write returns
// [NoMemory]; return it, for what is written after it would leave a hole.
//
// go vet reports a copy of one; a Call that a plugin made itself panics when it is used.
type Call struct {
	_ noCopy
	c C.loader_call
}

// noCopy is what go vet looks for: a type with these methods is not to be copied. It takes no room.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

var (
	_ io.Writer       = (*Call)(nil)
	_ io.StringWriter = (*Call)(nil)
	_ io.ByteWriter   = (*Call)(nil)
)

// native is the call as C knows it. C would follow the address of a host that is not there.
func (call *Call) native() *C.loader_call {
	if call.c.host == nil {
		panic("plugin: this Call was not made by the host")
	}
	return &call.c
}

// room sees to it that `size` bytes fit at call.next. A negative size counts as a huge one, and fails. It is
// apart from grow so that it is inlined: most writes find room.
func (call *Call) room(size int) bool {
	return uintptr(size) <= call.left() || call.grow(size)
}

// left is the number of bytes that fit at call.next.
func (call *Call) left() uintptr {
	return uintptr(unsafe.Pointer(call.c.limit)) - uintptr(unsafe.Pointer(call.c.next))
}

// grow asks the host for room.
func (call *Call) grow(size int) bool {
	return C.kit_grow(call.native(), C.size_t(size)) == C.LOADER_OK
}

// space is the `size` bytes at call.next, which room has made sure of.
func (call *Call) space(size int) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(call.c.next)), size)
}

// advance makes the next `size` bytes output.
func (call *Call) advance(size int) {
	call.c.next = (*C.char)(unsafe.Add(unsafe.Pointer(call.c.next), size))
}

// Reserve is room for `size` bytes of output, in the host's memory, or nil if the host has none to give (then
// return NoMemory) or size is 0. Fill it, then say with Commit how much was used. The slice is lost at the
// next call of any method.
func (call *Call) Reserve(size int) []byte {
	if !call.room(size) {
		return nil
	}
	return call.space(size)
}

// Commit makes the first `size` bytes of what Reserve gave output. It panics if there is no such room.
func (call *Call) Commit(size int) {
	if uintptr(size) > call.left() {
		panic("plugin: Commit of more than Reserve gave")
	}
	call.advance(size)
}

// Write appends bytes to the result. It copies all of them or none; the error is nil or NoMemory.
func (call *Call) Write(bytes []byte) (int, error) {
	if !call.room(len(bytes)) {
		return 0, NoMemory
	}
	copy(call.space(len(bytes)), bytes)
	call.advance(len(bytes))
	return len(bytes), nil
}

// WriteString appends a string to the result. It copies all of it or nothing; the error is nil or NoMemory.
func (call *Call) WriteString(text string) (int, error) {
	if !call.room(len(text)) {
		return 0, NoMemory
	}
	copy(call.space(len(text)), text)
	call.advance(len(text))
	return len(text), nil
}

// WriteByte appends one byte to the result. The error is nil or NoMemory.
func (call *Call) WriteByte(value byte) error {
	if !call.room(1) {
		return NoMemory
	}
	call.space(1)[0] = value
	call.advance(1)
	return nil
}

// WriteRune appends a character as UTF-8. Returns its size; the error is nil or NoMemory.
func (call *Call) WriteRune(value rune) (int, error) {
	var bytes [utf8.UTFMax]byte
	size := utf8.EncodeRune(bytes[:], value)
	if !call.room(size) {
		return 0, NoMemory
	}
	copy(call.space(size), bytes[:size])
	call.advance(size)
	return size, nil
}

// WriteText appends a borrowed text, without a copy in between. Returns nil or NoMemory.
func (call *Call) WriteText(text Text) error {
	_, err := call.WriteString(text.Borrow())
	return err
}

// Print appends all of the strings, or, without room for them all, none. Returns nil or NoMemory.
func (call *Call) Print(texts ...string) error {
	size := 0
	for _, text := range texts {
		size += len(text)
	}
	if !call.room(size) {
		return NoMemory
	}
	for _, text := range texts {
		copy(call.space(len(text)), text)
		call.advance(len(text))
	}
	return nil
}

// Printf appends what fmt.Sprintf would give. Returns nil or NoMemory. A [Text] prints with %s.
func (call *Call) Printf(format string, arguments ...any) error {
	_, err := fmt.Fprintf(call, format, arguments...)
	return err
}

// Level is a level of Log: the numbers of Python's logging.
type Level int32

// The numbers of loader/plugin.h, enum loader_level.
const (
	LogDebug   Level = 10
	LogInfo    Level = 20
	LogWarning Level = 30
	LogError   Level = 40
)

// Log hands one line to the application's log, under this plugin's name. The host copies it. What is not
// UTF-8 in it is replaced by U+FFFD.
func (call *Call) Log(level Level, text string) {
	text = strings.ToValidUTF8(text, "\uFFFD")
	C.kit_log(call.native(), C.int(level), chars(text), C.size_t(len(text)))
}

// Cancelled is nil, or, if the host wants this call to stop, [Cancelled] or [Deadline]: return it. Costs a
// call into C and reading a clock, so ask every few thousand steps of long work.
func (call *Call) Cancelled() error {
	if status := C.kit_cancelled(call.native()); status != C.LOADER_OK {
		return Status(status)
	}
	return nil
}

// Service is the function table that the host lends under this id ("app.db/1"), or nil if it lends none:
// check. The table is C, declared by the header of the service; its functions are called from C in the
// plugin's cgo preamble, and [Call.Err] makes an error of what they return. Owned by the host; borrowed until
// the exported function returns; for the entered goroutine.
func (call *Call) Service(id string) unsafe.Pointer {
	return unsafe.Pointer(C.kit_service(call.native(), chars(id), C.size_t(len(id))))
}

// PluginPath is the absolute path of the plugin's file as it was named to the host, links not replaced: what lies
// beside the plugin is found by it. A copy. Empty if the host is older than this. (os.Executable is the application;
// what is mapped is a copy in memory.)
func (call *Call) PluginPath() string {
	path := C.kit_path(call.native())
	return C.GoStringN(path.data, C.int(path.size))
}

// Err is nil for status 0, else an [Error] with a copy of the text that the last failure left on this call:
// for what functions of services return. Returned to the host unchanged, it keeps its cause there.
func (call *Call) Err(status int) error {
	if status == 0 {
		return nil
	}
	text := call.failure().String()
	if text == "" {
		return Status(status)
	}
	return &Error{Status: Status(status), Err: errors.New(text)}
}

// failure is the text of the last failure on this call. Borrowed until the next one.
func (call *Call) failure() Text { return TextAt(unsafe.Pointer(&call.c.error)) }

// fail gives the text of a failure to the host, and returns the status to end the call with.
func (call *Call) fail(status Status, text string) Status {
	if text != "" && text == call.failure().Borrow() {
		return status // a service's error passed on: the host has it already, and knows its cause
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	return Status(C.kit_fail(call.native(), C.int(status), chars(text), C.size_t(len(text))))
}

// chars is the address of a string's bytes, lent to C for one call. C may read it; it holds no Go pointer.
func chars(text string) *C.char { return (*C.char)(unsafe.Pointer(unsafe.StringData(text))) }
