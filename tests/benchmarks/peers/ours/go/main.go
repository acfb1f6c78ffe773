// Command bench is the measured plugin in Go, written with the kit: the roles tt, fail and callback.
package main

import (
	"errors"
	"strconv"

	"native-plugin.example/htmlize"
	"native-plugin.example/plugin"
)

func init() { htmlize.RegisterRoles(bench{}) }

func main() {} // never run

type bench struct{}

func (bench) Roles() []string { return []string{"tt", "fail", "callback"} }

func (bench) ProcessRole(call *plugin.Call, role string, text plugin.Text, post *htmlize.Post) error {
	switch role {
	case "tt":
		return call.Print("<tt>", text.Borrow(), "</tt>")
	case "callback":
		return callBack(call, text.String())
	}
	return plugin.Fail(plugin.Failed, "no post %d", post.ID())
}

// callBack asks the host as often as the text says for the title of post 42.
func callBack(call *plugin.Call, text string) error {
	posts, ok := htmlize.PostsOf(call)
	if !ok {
		return errors.New("no service")
	}
	left, err := strconv.Atoi(text)
	var title plugin.Text
	for ; left > 0 && err == nil; left-- {
		title, err = posts.Title(42)
	}
	if err != nil {
		return err
	}
	return call.WriteText(title)
}
