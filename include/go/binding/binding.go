// Package binding is what `loader bindings --lang go` builds on: how values of a contract cross the ABI. It is for
// generated code, which knows what a header declares; a plugin's author has no need of it, nor of unsafe.
//
// Pointers here are to C memory, the host's, and valid until the exported function returns. No Go pointer is stored
// there: what a plugin keeps for the host, an instance of a class, is known to it by a number.
package binding

import (
	"runtime/cgo"
	"unsafe"

	"native-plugin.example/plugin"
)

// view is loader_text, loader_f64s, T_list and their like.
type view struct {
	data unsafe.Pointer
	size uintptr
}

// Slice is the items of an array, a list or texts: for parameters, and for fields of answers. Borrowed.
func Slice[T any](array unsafe.Pointer) []T {
	lent := (*view)(array)
	return unsafe.Slice((*T)(lent.data), lent.size)
}

// Set puts a result into its place: a number, an enum, a struct without its size.
func Set[T any](room unsafe.Pointer, value T) { *(*T)(room) = value }

// SetBool puts a bool into its place.
func SetBool(room unsafe.Pointer, value bool) { *(*plugin.Bool)(room) = plugin.BoolOf(value) }

// SetText puts a copy of a string into its place, a loader_text.
func SetText(call *plugin.Call, room unsafe.Pointer, text string) error {
	copied, err := call.Text(text)
	Set(room, copied)
	return err
}

// SetBytes puts a copy of bytes into its place, a loader_bytes.
func SetBytes(call *plugin.Call, room unsafe.Pointer, bytes []byte) error {
	copied, err := call.Bytes(bytes)
	Set(room, copied)
	return err
}

// SetArray puts an array or list into its place. Its memory is the host's already.
func SetArray[T any](room unsafe.Pointer, array plugin.Array[T]) {
	items := array.Slice()
	Set(room, view{unsafe.Pointer(unsafe.SliceData(items)), uintptr(len(items))})
}

// Sized is a struct that begins with its size, as a member of another one, or as a parameter.
type Sized[T any] struct {
	Size  uintptr
	Value T
}

// WithSize is the struct with the size that it has here.
func WithSize[T any](value T) Sized[T] { return Sized[T]{unsafe.Sizeof(Sized[T]{}), value} }

const header = unsafe.Sizeof(uintptr(0))

// common is how many bytes of a struct's members both sides know.
func common[T any](sized unsafe.Pointer) uintptr {
	var value T
	size := *(*uintptr)(sized)
	if size < header {
		return 0
	}
	if size-header < unsafe.Sizeof(value) {
		return size - header
	}
	return unsafe.Sizeof(value)
}

// Sized structs are copied whole where both sides know all of them, so that the collector sees pointers as such.

// GetSized is a copy of the members of a struct that begins with its size. What the other side does not know is 0.
func GetSized[T any](sized unsafe.Pointer) T {
	var value T
	size, members := common[T](sized), unsafe.Add(sized, header)
	if size == unsafe.Sizeof(value) {
		return *(*T)(members)
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&value)), size), unsafe.Slice((*byte)(members), size))
	return value
}

// SetSized puts the members of a struct that begins with its size into their places, as far as the host knows them.
func SetSized[T any](room unsafe.Pointer, value T) {
	size, members := common[T](room), unsafe.Add(room, header)
	if size == unsafe.Sizeof(value) {
		*(*T)(members) = value
		return
	}
	copy(unsafe.Slice((*byte)(members), size), unsafe.Slice((*byte)(unsafe.Pointer(&value)), size))
}

// New makes an instance known to the host, by a number that stands in the place of its address.
func New(room unsafe.Pointer, instance any) error {
	if instance == nil {
		return plugin.Fail(plugin.Failed, "the plugin made no instance: nil")
	}
	Set(room, uintptr(cgo.NewHandle(instance)))
	return nil
}

// Instance is the instance that the host knows by this number.
func Instance[T any](number uintptr) T { return cgo.Handle(number).Value().(T) }

// Free has the instance end, by its method Free, and forgets it. A panic of that method goes no further: there is no
// call whose error it could be.
func Free(number uintptr) {
	defer func() { _ = recover() }()
	handle := cgo.Handle(number)
	instance := handle.Value()
	handle.Delete()
	instance.(interface{ Free() }).Free()
}

// Err is the error of a function of the host's: nil for status 0, and for -1 that the host has no such function.
func Err(call *plugin.Call, status int) error {
	if status == -1 {
		return plugin.Fail(plugin.Failed, "this application has no such function: it is older than the plugin")
	}
	return call.Err(status)
}

// Texts is the strings as C has them, in memory of the host's.
func Texts(call *plugin.Call, texts []string) ([]plugin.Text, error) {
	array, err := plugin.Alloc[plugin.Text](call, len(texts))
	for at := range array.Slice() {
		if err == nil {
			array.Slice()[at], err = call.Text(texts[at])
		}
	}
	return array.Slice(), err
}

// Data is the address of the items, lent to C for one call.
func Data[T any](items []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(items)) }

// Address is that of a struct, lent to C for one call.
func Address[T any](value *T) unsafe.Pointer { return unsafe.Pointer(value) }

// Chars is the address of a string's bytes, lent to C for one call.
func Chars(text string) unsafe.Pointer { return unsafe.Pointer(unsafe.StringData(text)) }
