package plugin

/*
#cgo CFLAGS: -I${SRCDIR}/../..
#include "loader/plugin.h"

// Memory of loader_alloc, set to 0: Go's collector looks at what a pointer there was before it is written.
static void *kit_alloc(loader_call *call, size_t size)
{
    void *memory = loader_alloc(call, size);
    return memory == NULL ? NULL : memset(memory, 0, size);
}
static int kit_allocates(loader_call *call) { return LOADER_HAS(call->host, alloc) && call->host->alloc != NULL; }
*/
import "C"

import (
	"math/bits"
	"unsafe"
)

// Bool is C's bool in a struct or list, where it is a byte that somebody else may have written: what is not 0 is true.
type Bool uint8

// Get is the value.
func (b Bool) Get() bool { return b != 0 }

// BoolOf makes one.
func BoolOf(value bool) Bool {
	if value {
		return 1
	}
	return 0
}

// Array is an array or list as a result: memory of the host's, which is wrapped for the caller and not copied. Made by
// [Alloc], to be filled, or by [Copy]. The zero Array is empty. What is no result goes when the exported function
// returns. T is a number, an enum, or a struct of the contract.
type Array[T any] struct {
	items []T
}

// Slice is the memory, to be filled. Borrowed until the exported function returns.
func (a Array[T]) Slice() []T { return a.items }

// Alloc is room of the host's for `size` items, all 0, for a result that is an array. The error is of status NoMemory
// if it has none to give.
func Alloc[T any](call *Call, size int) (Array[T], error) {
	var item T
	over, bytes := bits.Mul(uint(size), uint(unsafe.Sizeof(item)))
	if size < 0 || over != 0 {
		return Array[T]{}, NoMemory
	}
	memory, err := call.alloc(bytes)
	if memory == nil {
		return Array[T]{}, err
	}
	return Array[T]{unsafe.Slice((*T)(memory), size)}, nil
}

// Copy is an array with a copy of these items, in memory of the host's. Error as of [Alloc].
func Copy[T any](call *Call, items []T) (Array[T], error) {
	array, err := Alloc[T](call, len(items))
	copy(array.items, items)
	return array, err
}

// Text is a copy of the string in memory of the host's, for a struct that is a result. Error as of [Alloc].
func (call *Call) Text(text string) (Text, error) {
	memory, err := call.alloc(uint(len(text)))
	if memory == nil {
		return Text{}, err
	}
	copy(unsafe.Slice((*byte)(memory), len(text)), text)
	return Text{data: (*byte)(memory), size: len(text)}, nil
}

// Bytes is a copy of the bytes in memory of the host's, for a struct that is a result. Error as of [Alloc].
func (call *Call) Bytes(bytes []byte) (Bytes, error) {
	memory, err := call.alloc(uint(len(bytes)))
	if memory == nil {
		return Bytes{}, err
	}
	copy(unsafe.Slice((*byte)(memory), len(bytes)), bytes)
	return Bytes{data: (*byte)(memory), size: len(bytes)}, nil
}

// alloc is memory of the host's, all 0; nil, and no error, for 0 bytes.
func (call *Call) alloc(size uint) (unsafe.Pointer, error) {
	if size == 0 {
		return nil, nil
	}
	if C.kit_allocates(call.native()) == 0 {
		return nil, Fail(Failed, "this application is too old for results that are arrays")
	}
	memory := C.kit_alloc(call.native(), C.size_t(size))
	if memory == nil {
		return nil, NoMemory
	}
	return memory, nil
}
