package plugin

/*
#cgo CFLAGS: -I${SRCDIR}/../..
#include "loader/plugin.h"
*/
import "C"

import "unsafe"

// Number is what the elements of a tensor can be.
type Number interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64
}

// Tensor is an array of any shape and stride that the host lends: to be read, or, where the contract says so, to be
// changed in place. [ViewOf] gives its elements. Borrowed until the exported function returns.
type Tensor struct{ c *C.loader_tensor }

// TensorAt is the Tensor of a parameter of type loader_tensor *, const or not.
func TensorAt(tensor unsafe.Pointer) Tensor { return Tensor{(*C.loader_tensor)(tensor)} }

// Shape is the size of each dimension. Borrowed, and not to be written to.
func (t Tensor) Shape() []int64 { return unsafe.Slice((*int64)(t.c.shape), t.c.ndim) }

func (t Tensor) strides() []int64 { return unsafe.Slice((*int64)(t.c.strides), t.c.ndim) }

// View is a tensor whose elements are known to be of type T. Borrowed until the exported function returns.
type View[T Number] struct {
	first          unsafe.Pointer
	shape, strides []int64
}

// ViewOf is the tensor, if its elements are of type T. The error is of status Invalid, and says what they are.
func ViewOf[T Number](tensor Tensor) (View[T], error) {
	c := tensor.c
	kind := kindOf[T]()
	var element T
	if c.code != kind.code || uintptr(c.bits) != 8*unsafe.Sizeof(element) || c.lanes != 1 {
		return View[T]{}, Fail(Invalid, "this tensor has elements of %s%d; wanted are those of %s",
			codeName(int(c.code)), c.bits, kind.name)
	}
	first := unsafe.Add(c.data, uintptr(c.byte_offset))
	return View[T]{first, tensor.Shape(), tensor.strides()}, nil
}

// kind is what a number is called: by DLPack, by Go, by Arrow.
type kind struct {
	code   C.uint8_t
	name   string
	format string
}

// kindOf is asked in every call of a function with a tensor or an Arrow array: it allocates nothing.
func kindOf[T Number]() kind {
	var element T
	switch any(element).(type) {
	case int8:
		return kind{C.LOADER_TENSOR_INT, "int8", "c"}
	case int16:
		return kind{C.LOADER_TENSOR_INT, "int16", "s"}
	case int32:
		return kind{C.LOADER_TENSOR_INT, "int32", "i"}
	case int64:
		return kind{C.LOADER_TENSOR_INT, "int64", "l"}
	case uint8:
		return kind{C.LOADER_TENSOR_UINT, "uint8", "C"}
	case uint16:
		return kind{C.LOADER_TENSOR_UINT, "uint16", "S"}
	case uint32:
		return kind{C.LOADER_TENSOR_UINT, "uint32", "I"}
	case uint64:
		return kind{C.LOADER_TENSOR_UINT, "uint64", "L"}
	case float32:
		return kind{C.LOADER_TENSOR_FLOAT, "float32", "f"}
	}
	return kind{C.LOADER_TENSOR_FLOAT, "float64", "g"}
}

func codeName(code int) string {
	switch code {
	case C.LOADER_TENSOR_INT:
		return "int"
	case C.LOADER_TENSOR_UINT:
		return "uint"
	case C.LOADER_TENSOR_FLOAT:
		return "float"
	case C.LOADER_TENSOR_BFLOAT:
		return "bfloat"
	case C.LOADER_TENSOR_COMPLEX:
		return "complex"
	case C.LOADER_TENSOR_BOOL:
		return "bool"
	}
	return "unknown"
}

// Shape is the size of each dimension. Borrowed, and not to be written to.
func (v View[T]) Shape() []int64 { return v.shape }

// At is an element, by an index for each dimension. It panics if one is beyond its dimension.
func (v View[T]) At(index ...int) T { return *v.address(index) }

// Set changes an element, of a tensor that the contract has the plugin change. It panics as At does.
func (v View[T]) Set(value T, index ...int) { *v.address(index) = value }

func (v View[T]) address(index []int) *T {
	if len(index) != len(v.shape) {
		panic("plugin: not as many indices as the tensor has dimensions")
	}
	offset := int64(0)
	for dimension, at := range index {
		if uint64(at) >= uint64(v.shape[dimension]) {
			panic("plugin: index beyond a dimension of the tensor")
		}
		offset += int64(at) * v.strides[dimension]
	}
	var element T
	return (*T)(unsafe.Add(v.first, offset*int64(unsafe.Sizeof(element))))
}

// Slice is all elements in order, the last dimension first; false if they do not lie so in memory. Borrowed.
func (v View[T]) Slice() ([]T, bool) {
	size, contiguous := int64(1), true
	for dimension := len(v.shape) - 1; dimension >= 0; dimension-- {
		contiguous = contiguous && (v.shape[dimension] == 1 || v.strides[dimension] == size)
		size *= v.shape[dimension]
	}
	if size != 0 && !contiguous {
		return nil, false
	}
	return unsafe.Slice((*T)(v.first), size), true
}
