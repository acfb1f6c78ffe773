// Command greeter is a plugin for a contract of an application's own: the example of package plugin's
// documentation.
package main

/*
#cgo CFLAGS: -I${SRCDIR}/../../../../..
#include "greeter.h"
typedef const loader_text const_text;
*/
import "C"

import (
	"unsafe"

	"native-plugin.example/plugin"
)

//export greet
func greet(call *C.loader_call, name *C.const_text) C.int {
	return C.int(plugin.Guard(unsafe.Pointer(call), func(call *plugin.Call) error {
		return call.Printf("Hello, %s!", plugin.TextAt(unsafe.Pointer(name)))
	}))
}

func main() {} // never run
