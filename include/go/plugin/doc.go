// Package plugin is what every native plugin written in Go is built of, for any contract: a [Call] to write
// the result to, [Text] to read arguments from, errors with a [Status], and [Guard], which keeps panics
// inside. It follows loader/plugin.h, loader ABI 1, and takes every layout from that header.
//
// A plugin for htmlize needs no C at all: see package native-plugin.example/htmlize. For another contract
//
//	loader bindings HEADER --lang go -o FOLDER
//
// writes a package with an interface to implement, and needs no C either. By hand, the Greeter, whose header is
// greeter.h, in full:
//
//	package main
//
//	/*
//	#cgo CFLAGS: -I${SRCDIR}/path/to/include
//	#include "greeter.h"
//	typedef const loader_text const_text;
//	*/
//	import "C"
//
//	import (
//		"unsafe"
//
//		"native-plugin.example/plugin"
//	)
//
//	//export greet
//	func greet(call *C.loader_call, name *C.const_text) C.int {
//		return C.int(plugin.Guard(unsafe.Pointer(call), func(call *plugin.Call) error {
//			return call.Printf("Hello, %s!", plugin.TextAt(unsafe.Pointer(name)))
//		}))
//	}
//
//	func main() {} // never run
//
// cgo writes a C prototype for each exported function, and it must equal the header's. cgo forgets const,
// but it keeps the names of types: so const goes into a typedef. The contract's header emits the marker
// symbols of the handshake; nothing more is needed. Build with
//
//	go build -buildmode=c-shared -trimpath -ldflags="-s -w" -o hello.so .
//
// The C half of the Go runtime exports names of its own beside yours; with exports.map, which lies beside
// go.mod and says how to use it, it does not.
//
// # Rules
//
//   - Borrowed. A [*Call], a [Text], a [Bytes] and all that is reached through them belong to the host and
//     end when the exported function returns. To keep a text, copy it: [Text.String], [Bytes.Copy].
//   - Thread. A [*Call] is used on the goroutine that the exported function was entered on, and on no other:
//     that goroutine is tied to the host's thread. The host may enter the plugin on several threads at once,
//     each with a Call of its own; what the plugin itself shares between calls it must lock.
//   - Panics of that goroutine become errors. Nothing can be done about a panic of a goroutine that the
//     plugin started itself, a panic in an init function, os.Exit and log.Fatal, runtime.Goexit on the
//     entered goroutine, and Go's fatal errors (concurrent map writes, stack or memory exhausted): each ends
//     the host's process. Recover in your own goroutines, and let init do nothing that can fail.
//   - main is never run. Register, or set up, in init.
//   - The Go runtime comes along with its threads and signal handlers, cannot be unloaded and does not
//     survive fork.
package plugin
