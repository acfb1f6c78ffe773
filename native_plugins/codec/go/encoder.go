package main

import (
	"native-plugin.example/codec_go/codec"
	"native-plugin.example/plugin"
)

const maxWaiting = 65536

type encoder struct {
	mode    codec.Mode
	last    byte // the byte before the next one
	waiting []byte
}

func (e *encoder) Feed(call *plugin.Call, chunk plugin.Bytes) error {
	if chunk.Len() > maxWaiting-len(e.waiting) {
		return plugin.Fail(plugin.Invalid, "feed: too much is waiting")
	}
	codes, last := chunk.Copy(), e.last
	for i, value := range codes {
		if e.mode == codec.ModeBest {
			codes[i] = value - last
		}
		last = value
	}
	if _, err := call.Write(codes); err != nil { // first: what fails leaves the encoder as it was
		return err
	}
	e.waiting = append(e.waiting, codes...)
	e.last = last
	return nil
}

func (e *encoder) Next(*plugin.Call) (code int64, more bool, err error) {
	if len(e.waiting) == 0 {
		return 0, false, nil
	}
	code = int64(e.waiting[0])
	e.waiting = e.waiting[1:]
	return code, true, nil
}

func (e *encoder) Free() { e.waiting = nil }
