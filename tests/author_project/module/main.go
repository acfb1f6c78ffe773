// Command module is the smallest plugin of htmlize, in Go.
package main

import (
	"native-plugin.example/htmlize"
	"native-plugin.example/plugin"
)

type module struct{}

func (module) Roles() []string { return []string{"module"} }

func (module) ProcessRole(call *plugin.Call, _ string, text plugin.Text, _ *htmlize.Post) error {
	_, err := call.WriteString(text.String())
	return err
}

func init() { htmlize.RegisterRoles(module{}) }

func main() {}
