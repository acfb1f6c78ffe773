// Command codec_go is the codec in Go, from codec/codec.go, which `loader bindings` wrote. What each function does is in
// ../README.md.
package main

import (
	"math"

	"native-plugin.example/codec_go/codec"
	"native-plugin.example/plugin"
)

func init() { codec.Register(functions{}) }

func main() {} // never run

type functions struct{}

func (functions) Scale(_ *plugin.Call, value float64, factor float32) (float64, error) {
	return value * float64(factor), nil
}

func (functions) Dot(_ *plugin.Call, a, b []float64) (float64, error) {
	if len(a) != len(b) {
		return 0, plugin.Fail(plugin.Invalid, "dot: %d numbers and %d", len(a), len(b))
	}
	sum := 0.0
	for i, value := range a {
		sum += value * b[i]
	}
	return sum, nil
}

func (functions) Gain(_ *plugin.Call, samples []float32, factor float32) error {
	for i := range samples {
		samples[i] *= factor
	}
	return nil
}

func (functions) Describe(_ *plugin.Call, values []float64) (codec.Stats, error) {
	if len(values) == 0 {
		return codec.Stats{}, plugin.Fail(plugin.Invalid, "describe: no values")
	}
	count, sum, squares := float64(len(values)), 0.0, 0.0
	peak := codec.Point{X: 0, Y: math.NaN()}
	for i, value := range values {
		sum += value
		if value > peak.Y || math.IsNaN(peak.Y) && !math.IsNaN(value) {
			peak = codec.Point{X: float64(i), Y: value}
		}
	}
	mean := sum / count
	for _, value := range values {
		squares += (value - mean) * (value - mean)
	}
	deviation := float32(math.Sqrt(squares / count))
	return codec.Stats{Mean: mean, Deviation: deviation, Count: int64(len(values)), Peak: peak}, nil
}

func (functions) Divide(_ *plugin.Call, a, b int64) (quotient, rest int64, err error) {
	if b == 0 {
		return 0, 0, plugin.Fail(plugin.Invalid, "divide: by zero")
	}
	if a == math.MinInt64 && b == -1 {
		return 0, 0, plugin.Fail(plugin.Invalid, "divide: overflow")
	}
	return a / b, a % b, nil
}

func (functions) Join(call *plugin.Call, words []plugin.Text, separator plugin.Text) error {
	for i, word := range words {
		if i > 0 {
			if err := call.WriteText(separator); err != nil {
				return err
			}
		}
		if err := call.WriteText(word); err != nil {
			return err
		}
	}
	return nil
}

func (functions) Ramp(call *plugin.Call, count int64) (plugin.Array[float64], error) {
	if count < 0 {
		return plugin.Array[float64]{}, plugin.Fail(plugin.Invalid, "ramp: a negative count")
	}
	values, err := plugin.Alloc[float64](call, int(count))
	for i := range values.Slice() {
		values.Slice()[i] = float64(i)
	}
	return values, err
}

func (functions) Centre(_ *plugin.Call, points []codec.Point) (codec.Point, error) {
	if len(points) == 0 {
		return codec.Point{}, plugin.Fail(plugin.Invalid, "centre: no points")
	}
	sum := codec.Point{}
	for _, point := range points {
		sum.X += point.X
		sum.Y += point.Y
	}
	count := float64(len(points))
	return codec.Point{X: sum.X / count, Y: sum.Y / count}, nil
}

func (functions) Blur(_ *plugin.Call, image, result plugin.Tensor) error {
	from, wrong := plugin.ViewOf[float64](image)
	to, wrongToo := plugin.ViewOf[float64](result)
	if wrong != nil || wrongToo != nil || len(from.Shape()) != 2 || len(to.Shape()) != 2 {
		return plugin.Fail(plugin.Invalid, "blur: a tensor of two dimensions of double is wanted")
	}
	rows, columns := int(from.Shape()[0]), int(from.Shape()[1])
	if int(to.Shape()[0]) != rows || int(to.Shape()[1]) != columns {
		return plugin.Fail(plugin.Invalid, "blur: the shapes differ")
	}
	for row := 0; row < rows; row++ {
		for column := 0; column < columns; column++ {
			sum, count := 0.0, 0.0
			for y := max(row-1, 0); y < min(row+2, rows); y++ {
				for x := max(column-1, 0); x < min(column+2, columns); x++ {
					sum += from.At(y, x)
					count++
				}
			}
			to.Set(sum/count, row, column)
		}
	}
	return nil
}

func (functions) Train(_ *plugin.Call, values []float64, progress codec.Progress) error {
	for i := range values {
		if err := progress.At(float64(i+1) / float64(len(values))); err != nil {
			return err
		}
	}
	return nil
}

func (functions) NewEncoder(_ *plugin.Call, mode codec.Mode) (codec.Encoder, error) {
	return &encoder{mode: mode}, nil
}
