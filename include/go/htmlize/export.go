package htmlize

/*
#cgo CFLAGS: -I${SRCDIR}/../..
#include "htmlize/htmlize.h"

// cgo forgets const in the prototypes that it writes, and they must equal the header's: a typedef keeps it.
typedef const loader_text const_text;
typedef const htmlize_post const_post;
*/
import "C"

import (
	"unsafe"

	"native-plugin.example/plugin"
)

// The contract's functions: what the host calls. The header that the preamble includes emits the markers
// loader_abi_1 and htmlize_abi_1_0, and the header's fingerprint. cgo wants the functions' Go names to be their C names.

//export hooks
func hooks(call *C.loader_call) C.int {
	return C.int(plugin.Guard(unsafe.Pointer(call), registered.writeHooks))
}

//export process_role
func process_role(call *C.loader_call, role, text *C.const_text, post *C.const_post) C.int {
	return C.int(plugin.Guard(unsafe.Pointer(call), func(call *plugin.Call) error {
		return registered.processRole(call, plugin.TextAt(unsafe.Pointer(role)),
			plugin.TextAt(unsafe.Pointer(text)), (*Post)(unsafe.Pointer(post)))
	}))
}

//export process_contents
func process_contents(call *C.loader_call, contents *C.const_text, post *C.const_post) C.int {
	return C.int(plugin.Guard(unsafe.Pointer(call), func(call *plugin.Call) error {
		return registered.processContents(call, plugin.TextAt(unsafe.Pointer(contents)),
			(*Post)(unsafe.Pointer(post)))
	}))
}
