// Command bench is the measured plugin in Go, written with the kit: the roles tt and fail.
package main

import (
	"native-plugin.example/htmlize"
	"native-plugin.example/plugin"
)

func init() { htmlize.RegisterRoles(bench{}) }

func main() {} // never run

type bench struct{}

func (bench) Roles() []string { return []string{"tt", "fail"} }

func (bench) ProcessRole(call *plugin.Call, role string, text plugin.Text, post *htmlize.Post) error {
	if role == "tt" {
		return call.Print("<tt>", text.Borrow(), "</tt>")
	}
	return plugin.Fail(plugin.Failed, "no post %d", 42)
}
