// Package htmlize is for plugins of htmlize, contract 1.0, written in Go. Write one or both of
// [RoleProcessor] and [ContentsProcessor], register them in init, and build the package as a C shared
// library; this package exports the contract's functions and its markers. The whole of a plugin that
// answers :tt:`text`:
//
//	package main
//
//	import (
//		"native-plugin.example/htmlize"
//		"native-plugin.example/plugin"
//	)
//
//	type teletype struct{}
//
//	func (teletype) Roles() []string { return []string{"tt"} }
//
//	func (teletype) ProcessRole(call *plugin.Call, role string, text plugin.Text, post *htmlize.Post) error {
//		return call.Print("<tt>", text.String(), "</tt>")
//	}
//
//	func init() { htmlize.RegisterRoles(teletype{}) }
//
//	func main() {} // never run
//
// Its go.mod says where this module lies:
//
//	require native-plugin.example v0.0.0
//	replace native-plugin.example => /path/to/include/go
//
// Build with
//
//	go build -buildmode=c-shared -trimpath -ldflags="-s -w" -o teletype.so .
//
// The rules of package native-plugin.example/plugin hold: what a call lends ends with the call, a Call stays
// on its goroutine, panics become errors.
package htmlize
