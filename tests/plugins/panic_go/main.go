// A plugin of contract greeter that panics, in Go: tests that its panic does not leave it.
package main

/*
#cgo CFLAGS: -I${SRCDIR}/../../../include -I${SRCDIR}/../../../native_plugins/greeter
#include "greeter.h"
typedef const loader_text const_text;
*/
import "C"

import (
	"errors"
	"unsafe"

	"native-plugin.example/plugin"
)

//export greet
func greet(call *C.loader_call, name *C.const_text) C.int {
	return C.int(plugin.Guard(unsafe.Pointer(call), func(call *plugin.Call) error {
		text := plugin.TextAt(unsafe.Pointer(name)).String()
		if err := call.Print("half of a greeting"); err != nil {
			return err
		}
		switch text {
		case "panic":
			panic("lost my head over " + text)
		case "nil":
			var nowhere map[string]int
			nowhere[text] = 1
		case "error":
			return errors.New("an ordinary error")
		case "pointer":
			var nowhere *int
			*nowhere = 1 // a fault, which Go's signal handler makes a panic
		}
		return call.Print(" for ", text)
	}))
}

func main() {} // never run
