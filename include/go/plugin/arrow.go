package plugin

/*
#cgo CFLAGS: -I${SRCDIR}/../..
#include "loader/plugin.h"

#include <stdlib.h>

// The string of one letter, which outlives all schemas; NULL for another letter.
static const char *kit_format(char letter)
{
    static const char formats[][2] = {"c", "s", "i", "l", "C", "S", "I", "L", "f", "g"};

    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (formats[i][0] == letter)
            return formats[i];
    return NULL;
}

static void kit_release_schema(struct ArrowSchema *schema) { schema->release = NULL; }

// Buffers, bits and values are one block.
static void kit_release_array(struct ArrowArray *array)
{
    free(array->private_data);
    array->private_data = NULL;
    array->release = NULL;
}

// Copies bits (none: NULL) and values, which lie behind the two addresses; 0 without memory.
static int kit_arrow(loader_arrow *room, const char *format, int64_t length, int64_t nulls, const void *bits,
                     size_t bits_size, const void *values, size_t size)
{
    const size_t start = 2 * sizeof(void *) + (bits_size + 7) / 8 * 8;
    char *block = size > SIZE_MAX - start ? NULL : malloc(start + size);
    const void **buffers = (const void **)(void *)block;

    if (block == NULL)
        return 0;
    buffers[0] = bits == NULL ? NULL : memcpy(block + 2 * sizeof(void *), bits, bits_size);
    buffers[1] = size == 0 ? block + start : memcpy(block + start, values, size);
    room->schema->format = format;
    room->schema->flags = ARROW_FLAG_NULLABLE;
    room->schema->release = kit_release_schema;
    room->array->length = length;
    room->array->null_count = nulls;
    room->array->n_buffers = 2;
    room->array->buffers = buffers;
    room->array->release = kit_release_array;
    room->array->private_data = block;
    return 1;
}
*/
import "C"

import "unsafe"

// Arrow is an array in Arrow's C data interface, of any type, that the host lends. [NumbersOf] reads one of numbers.
// Borrowed until the exported function returns.
type Arrow struct{ c *C.loader_arrow }

// ArrowAt is the Arrow of a parameter of type const loader_arrow *.
func ArrowAt(arrow unsafe.Pointer) Arrow { return Arrow{(*C.loader_arrow)(arrow)} }

// Format is the type as Arrow writes it: "l" for numbers of 64 bits.
func (a Arrow) Format() string { return C.GoString(a.c.schema.format) }

// Pointers are the schema and the array, for a package that reads the C data interface. Neither is to be changed or
// released.
func (a Arrow) Pointers() (schema, array unsafe.Pointer) {
	return unsafe.Pointer(a.c.schema), unsafe.Pointer(a.c.array)
}

// Numbers is an Arrow array of numbers, some of which may be null. Borrowed until the exported function returns.
type Numbers[T Number] struct {
	values []T
	bits   []byte
	offset int
}

// NumbersOf is the array, if it is of numbers of type T. The error is of status Invalid, and says what it is of.
func NumbersOf[T Number](arrow Arrow) (Numbers[T], error) {
	array := arrow.c.array
	kind := kindOf[T]()
	if arrow.Format() != kind.format || array.n_buffers != 2 || arrow.c.schema.dictionary != nil {
		of := ""
		if arrow.c.schema.dictionary != nil {
			of = " of a dictionary"
		}
		return Numbers[T]{}, Fail(Invalid, "this Arrow array has the format %q%s; wanted are numbers of %s",
			arrow.Format(), of, kind.name)
	}
	buffers := unsafe.Slice(array.buffers, 2)
	size, offset := int(array.length), int(array.offset)
	numbers := Numbers[T]{offset: offset}
	if size > 0 {
		var value T
		if buffers[1] == nil || uintptr(buffers[1])%unsafe.Alignof(value) != 0 {
			return Numbers[T]{}, Fail(Invalid, "the numbers of this Arrow array are not there, or not aligned")
		}
		numbers.values = unsafe.Slice((*T)(buffers[1]), offset+size)[offset:]
		if buffers[0] != nil {
			numbers.bits = unsafe.Slice((*byte)(buffers[0]), (offset+size+7)/8)
		}
	}
	return numbers, nil
}

// Slice is all of them; where one is null stands any number.
func (n Numbers[T]) Slice() []T { return n.values }

// IsNull says whether one of them is null. It panics if there are not as many.
func (n Numbers[T]) IsNull(index int) bool {
	_ = n.values[index]
	bit := n.offset + index
	return n.bits != nil && n.bits[bit/8]>>(bit%8)&1 == 0
}

// ArrowArray is an Arrow array as a result: made by [ArrowOf], or of what another package made by [ArrowFilled].
type ArrowArray struct {
	put func(room *C.loader_arrow) error
}

// ArrowOf is an array of these numbers, which are copied when the function returns. valid: false where one is null; nil
// if none is.
func ArrowOf[T Number](values []T, valid []bool) ArrowArray {
	return ArrowArray{func(room *C.loader_arrow) error {
		var bits []byte
		nulls := 0
		if valid != nil {
			bits = make([]byte, (len(values)+7)/8+1)
		}
		for index := range values {
			if valid != nil && valid[index] {
				bits[index/8] |= 1 << (index % 8)
			} else if valid != nil {
				nulls++
			}
		}
		var value T
		made := C.kit_arrow(room, C.kit_format(C.char(kindOf[T]().format[0])), C.int64_t(len(values)), C.int64_t(nulls),
			unsafe.Pointer(unsafe.SliceData(bits)), C.size_t(len(bits)), unsafe.Pointer(unsafe.SliceData(values)),
			C.size_t(uintptr(len(values))*unsafe.Sizeof(value)))
		if made == 0 {
			return NoMemory
		}
		return nil
	}}
}

// ArrowFilled is an array that a package which knows the C data interface puts into an ArrowSchema and an ArrowArray
// of the host's, with release functions that may be called on any thread.
func ArrowFilled(fill func(schema, array unsafe.Pointer) error) ArrowArray {
	return ArrowArray{func(room *C.loader_arrow) error {
		return fill(unsafe.Pointer(room.schema), unsafe.Pointer(room.array))
	}}
}

// PutArrow puts a result into its place, a loader_arrow: for generated code.
func PutArrow(room unsafe.Pointer, array ArrowArray) error {
	if array.put == nil {
		return Fail(Failed, "the plugin gave no Arrow array: make one with ArrowOf")
	}
	return array.put((*C.loader_arrow)(room))
}
