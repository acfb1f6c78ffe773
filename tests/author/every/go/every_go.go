// Command every_go: each function gives back what it was given, changed in a way that tells whether it arrived. For
// tests/author/test_every.py, which writes every/every.go and says where the kit is.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"native-plugin.example/every_go/every"
	"native-plugin.example/plugin"
)

func init() { every.Register(functions{}) }

func main() {} // never run

type functions struct{}

func (functions) Numbers(
	_ *plugin.Call, a int8, b float32, c uint16, d float64, e int32, f bool, g uint64, h every.Colour,
) (sum uint64, reals float32, err error) {
	small := int64(a) + int64(c) + int64(e) + int64(h)
	if f {
		small++
	}
	return g + uint64(small), b + float32(d), nil
}

func (functions) Colours(
	_ *plugin.Call, colour every.Colour, kind every.Kind,
) (other every.Colour, same bool, err error) {
	other = every.ColourRed
	if colour == every.ColourRed {
		other = every.ColourGreen
	}
	return other, kind == every.KindType, nil
}

func (functions) Options(call *plugin.Call, options every.Options) (every.Options, error) {
	first, err := call.Text(strings.ToUpper(options.Name.First.String()))
	options.Name.First = first
	options.Strict = plugin.BoolOf(!options.Strict.Get())
	options.Cells[1].Match[39]++
	options.Weight *= 2
	return options, err
}

func (functions) Names(
	call *plugin.Call, names []every.Name, type_ plugin.Bytes,
) (last every.Name, all string, marks []byte, err error) {
	if len(names) == 0 {
		return last, "", nil, errors.New("no names")
	}
	var firsts []string
	var parts [][]byte
	for _, name := range names {
		firsts = append(firsts, name.First.String())
		parts = append(parts, name.Mark.Copy())
	}
	last = names[len(names)-1]
	last.Mark, err = call.Bytes([]byte("last"))
	marks = bytes.Join(parts, nil)
	if len(names) == 1 {
		marks = type_.Borrow()
	}
	return last, strings.Join(firsts, "/"), marks, err
}

func (functions) Cells(call *plugin.Call, cells []every.Cell) (plugin.Array[every.Cell], error) {
	before, err := plugin.Copy(call, cells)
	for i := range cells {
		cells[i].Counts[2]++
	}
	return before, err
}

func (functions) Integers(
	call *plugin.Call, a []int8, b []uint8, c []uint16, d []int64,
) (plugin.Array[uint32], error) {
	slices.Reverse(c)
	for i := range d {
		d[i] = -d[i]
	}
	e, err := plugin.Alloc[uint32](call, min(len(a), len(b)))
	for i := range e.Slice() {
		e.Slice()[i] = uint32(math.Abs(float64(a[i]))) + uint32(b[i])
	}
	return e, err
}

func (functions) Both(call *plugin.Call, text plugin.Text) (int32, error) {
	return int32(text.Len()), call.WriteText(text)
}

func (functions) Lookup(call *plugin.Call, lookup every.Lookup, key plugin.Text) error {
	number, text, err := lookup.Find(key.String(), true)
	if err != nil {
		return err
	}
	sum, err := lookup.Sum([]float64{1.5, 2})
	if err != nil {
		return err
	}
	changed, err := lookup.Options(every.Options{Kind: every.KindType, Weight: 0.5}, []string{"a", "", "é"})
	if err != nil {
		return err
	}
	counts, any, colour, err := lookup.Cells([]every.Cell{{Type: -3}, {}})
	if err != nil {
		return err
	}
	if err := lookup.Say(0.25, 255); err != nil {
		return err
	}
	listed := strings.Join(strings.Fields(fmt.Sprint(counts)), ", ")
	return call.Printf("|%d %s %v %s %s %v %s %t %s", number, text, sum, changed.Name.First,
		strings.TrimPrefix(changed.Kind.String(), "EVERY_"), changed.Weight, listed, any,
		strings.TrimPrefix(colour.String(), "EVERY_COLOUR_"))
}

func (functions) Stored(call *plugin.Call, key plugin.Bytes) ([]byte, error) {
	store, ok := every.StoreOf(call)
	if !ok {
		return nil, errors.New("the application has no store")
	}
	value, err := store.Get(key.Copy())
	return value.Borrow(), err
}

// Extra is optional, and built with -tags every_extra.
func (functions) Extra(_ *plugin.Call, number int64) (int64, error) {
	if number > math.MaxInt64/2 {
		return 0, errors.New("too large")
	}
	return 2 * number, nil
}

// Counted has every third null, unless there are few.
func (functions) Counted(_ *plugin.Call, count int64) (plugin.ArrowArray, error) {
	values := make([]float64, count)
	valid := make([]bool, count)
	for i := range values {
		values[i], valid[i] = float64(i), i%3 != 0
	}
	if count <= 2 {
		valid = nil
	}
	return plugin.ArrowOf(values, valid), nil
}

func (functions) Summed(_ *plugin.Call, numbers plugin.Arrow) (sum float64, nulls int64, err error) {
	found, err := plugin.NumbersOf[float64](numbers)
	for i, value := range found.Slice() {
		if found.IsNull(i) {
			nulls++
		} else {
			sum += value
		}
	}
	return sum, nulls, err
}

func (functions) Panics(_ *plugin.Call, text plugin.Text) error {
	panic("on purpose: " + text.String())
}

func (functions) Larger(_ *plugin.Call, a, b every.Counter) (int64, error) {
	return max(a.(*counter).at, b.(*counter).at), nil
}

func (functions) NewCounter(_ *plugin.Call, start int64) (every.Counter, error) {
	if start == math.MinInt64 {
		return nil, errors.New("start: too small")
	}
	return &counter{start}, nil
}

func (functions) NewSet(*plugin.Call) (every.Set, error) {
	return &set{texts: map[string]bool{}}, nil
}

type counter struct{ at int64 }

func (c *counter) Add(_ *plugin.Call, other every.Counter) error {
	c.at += other.(*counter).at
	return nil
}

func (c *counter) Value(*plugin.Call) (int64, error) { return c.at, nil }

func (c *counter) Copy(*plugin.Call) (every.Counter, error) { return &counter{c.at}, nil }

func (c *counter) Next(*plugin.Call) (value int64, text string, more bool, err error) {
	c.at--
	return c.at, fmt.Sprintf("<%d>", c.at), c.at >= 0, nil
}

func (c *counter) Ask(_ *plugin.Call, lookup every.Lookup) error {
	number, _, err := lookup.Find("again", false)
	c.at += number
	return err
}

func (*counter) Free() {}

type set struct {
	mutex sync.Mutex
	texts map[string]bool
}

func (s *set) Put(_ *plugin.Call, text plugin.Text) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.texts[text.String()] = true
	return nil
}

func (s *set) Size(*plugin.Call) (uint64, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return uint64(len(s.texts)), nil
}

func (*set) Free() {}
