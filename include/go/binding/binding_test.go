package binding

import (
	"math"
	"strings"
	"testing"
	"unsafe"

	"native-plugin.example/internal/testhost"
	"native-plugin.example/plugin"
)

// in runs a body as an exported function does; what it gives is the error's status and text.
func in(host testhost.Host, body func(call *plugin.Call) error) (plugin.Status, string) {
	status := plugin.Guard(host.Call(), body)
	return status, host.Error()
}

func newHost(t *testing.T) testhost.Host {
	t.Helper()
	host := testhost.New(1 << 20)
	t.Cleanup(host.Close)
	return host
}

// An array is seen where it lies, an empty one too.
func TestSlice(t *testing.T) {
	memory := (*[3]float64)(testhost.Memory(24))
	*memory = [3]float64{1, 2, 3}
	lent := (*view)(testhost.Memory(16))
	*lent = view{unsafe.Pointer(memory), 3}
	numbers := Slice[float64](unsafe.Pointer(lent))
	numbers[1] = 5
	if len(numbers) != 3 || memory[1] != 5 {
		t.Errorf("%v, %v", numbers, *memory)
	}
	*lent = view{nil, 0}
	if got := Slice[float64](unsafe.Pointer(lent)); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

type members struct {
	Name   plugin.Text
	Number int32
	Weight float64
}

// Of a struct with its size only so much is read and written as both sides know; the rest is 0, or as it was.
func TestSizedStructs(t *testing.T) {
	host := newHost(t)
	in(host, func(call *plugin.Call) error {
		name, err := call.Text("pie")
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []uintptr{40, 48, 32, 24, 8, 0} {
			room := testhost.Memory(56)
			*(*uintptr)(room) = size
			SetSized(room, members{name, 7, 1.5})
			got := GetSized[members](room)
			want := members{}
			if size >= 24 {
				want.Name = name
			}
			if size >= 32 {
				want.Number = 7
			}
			if size >= 40 {
				want.Weight = 1.5
			}
			if got.Name.String() != want.Name.String() || got.Number != want.Number || got.Weight != want.Weight {
				t.Errorf("of %d bytes: %v", size, got)
			}
			for at := max(size, 8); at < 56; at++ {
				if at < 40 && at >= size && size >= 8 || at >= 40 {
					if *(*byte)(unsafe.Add(room, at)) != 0xff {
						t.Errorf("of %d bytes: byte %d was written", size, at)
					}
				}
			}
		}
		return nil
	})
	if WithSize(members{}).Size != 40 {
		t.Error("the size is not C's")
	}
}

// Texts, bytes and arrays come out in memory of the host's.
func TestResults(t *testing.T) {
	host := newHost(t)
	room := testhost.Memory(16)
	status, text := in(host, func(call *plugin.Call) error {
		if err := SetText(call, room, "é"); err != nil || plugin.TextAt(room).String() != "é" {
			t.Errorf("%v, %q", err, plugin.TextAt(room))
		}
		if err := SetBytes(call, room, nil); err != nil || plugin.BytesAt(room).Len() != 0 {
			t.Errorf("%v, %v", err, plugin.BytesAt(room))
		}
		array, err := plugin.Copy(call, []int32{1, 2})
		SetArray(room, array)
		if got := Slice[int32](room); err != nil || len(got) != 2 || got[1] != 2 {
			t.Errorf("%v, %v", err, got)
		}
		texts, err := Texts(call, []string{"a", "", "é"})
		if err != nil || len(texts) != 3 || texts[2].String() != "é" {
			t.Errorf("%v, %v", err, texts)
		}
		return SetText(call, room, strings.Repeat("x", 1<<20+1))
	})
	if status != plugin.NoMemory {
		t.Errorf("status %d, %q", status, text)
	}
}

// Room is all 0, and as long as was asked for; too much is an error, and so is a host without.
func TestAlloc(t *testing.T) {
	host := newHost(t)
	in(host, func(call *plugin.Call) error {
		room, err := plugin.Alloc[members](call, 3)
		if err != nil || len(room.Slice()) != 3 || room.Slice()[2].Number != 0 || room.Slice()[2].Name.Len() != 0 {
			t.Errorf("%v, %v", err, room)
		}
		if room, err := plugin.Alloc[int64](call, 0); err != nil || len(room.Slice()) != 0 {
			t.Errorf("%v, %v", err, room)
		}
		for _, size := range []int{-1, math.MaxInt, math.MaxInt / 4, math.MinInt, 1 << 60} {
			if room, err := plugin.Alloc[int64](call, size); err != plugin.NoMemory || room.Slice() != nil {
				t.Errorf("%d: %v, %d", size, err, len(room.Slice()))
			}
		}
		return nil
	})
	host.MakeOlder()
	status, text := in(host, func(call *plugin.Call) error {
		_, err := call.Text("pie")
		return err
	})
	if status != plugin.Failed || !strings.Contains(text, "too old") {
		t.Errorf("status %d, %q", status, text)
	}
}

type counter struct{ freed int }

func (c *counter) Free() { c.freed++ }

type panics struct{}

func (panics) Free() { panic("on purpose") }

// An instance is a number in C; it is freed once, and what is no instance is an error, not a crash.
func TestInstances(t *testing.T) {
	host := newHost(t)
	room := testhost.Memory(8)
	made := &counter{}
	if err := New(room, made); err != nil {
		t.Fatal(err)
	}
	number := *(*uintptr)(room)
	if Instance[*counter](number) != made {
		t.Error("another instance")
	}
	Free(number)
	Free(number)
	if made.freed != 1 {
		t.Errorf("freed %d times", made.freed)
	}
	status, _ := in(host, func(*plugin.Call) error {
		Instance[*counter](number).Free()
		return nil
	})
	if status != plugin.Panicked || made.freed != 1 {
		t.Errorf("status %d, freed %d times", status, made.freed)
	}
	if err := New(room, nil); err == nil {
		t.Error("nil became an instance")
	}
	if err := New(room, panics{}); err != nil {
		t.Fatal(err)
	}
	Free(*(*uintptr)(room))
}

// Done is a status without a text.
func TestDone(t *testing.T) {
	host := newHost(t)
	status, text := in(host, func(*plugin.Call) error { return plugin.Done })
	if status != plugin.Done || text != "" {
		t.Errorf("status %d, %q", status, text)
	}
}

type tensor struct {
	data           unsafe.Pointer
	deviceType     int32
	deviceID, ndim int32
	code, bits     uint8
	lanes          uint16
	shape, strides unsafe.Pointer
	byteOffset     uint64
}

// Elements are found by strides, also negative ones; another type and another index are errors.
func TestTensors(t *testing.T) {
	values := (*[6]float64)(testhost.Memory(48))
	*values = [6]float64{1, 2, 3, 4, 5, 6}
	lengths := (*[4]int64)(testhost.Memory(32))
	c := (*tensor)(testhost.Memory(int(unsafe.Sizeof(tensor{}))))
	lend := func(offset uint64, shape, strides [2]int64) plugin.Tensor {
		copy(lengths[:2], shape[:])
		copy(lengths[2:], strides[:])
		*c = tensor{unsafe.Pointer(values), 1, 0, 2, 2, 64, 1, unsafe.Pointer(&lengths[0]),
			unsafe.Pointer(&lengths[2]), offset}
		return plugin.TensorAt(unsafe.Pointer(c))
	}
	plain, err := plugin.ViewOf[float64](lend(0, [2]int64{2, 3}, [2]int64{3, 1}))
	if all, ok := plain.Slice(); err != nil || !ok || len(all) != 6 || plain.At(1, 0) != 4 {
		t.Errorf("%v, %v, %v", err, all, ok)
	}
	back, err := plugin.ViewOf[float64](lend(40, [2]int64{3, 2}, [2]int64{-1, -3}))
	back.Set(7, 2, 1)
	if _, ok := back.Slice(); err != nil || ok || back.At(0, 0) != 6 || values[0] != 7 {
		t.Errorf("%v, %v, %v", err, ok, *values)
	}
	if none, ok := must(plugin.ViewOf[float64](lend(0, [2]int64{0, 3}, [2]int64{9, 9}))).Slice(); !ok || len(none) != 0 {
		t.Errorf("%v, %v", none, ok)
	}
	if _, err := plugin.ViewOf[int64](lend(0, [2]int64{2, 3}, [2]int64{3, 1})); err == nil ||
		err.Error() != "this tensor has elements of float64; wanted are those of int64" {
		t.Errorf("%v", err)
	}
	for _, index := range [][]int{{2, 0}, {0, 3}, {-1, 0}, {0}, {0, 0, 0}} {
		host := newHost(t)
		status, _ := in(host, func(*plugin.Call) error {
			plain.At(index...)
			return nil
		})
		if status != plugin.Panicked {
			t.Errorf("%v: status %d", index, status)
		}
	}
}

func must(view plugin.View[float64], err error) plugin.View[float64] {
	if err != nil {
		panic(err)
	}
	return view
}
