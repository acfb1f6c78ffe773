// Command faulty is a plugin for htmlize whose roles go wrong, each in its own way, beside some that do not.
package main

import (
	"errors"
	"runtime"
	"strings"

	"native-plugin.example/htmlize"
	"native-plugin.example/plugin"
)

func init() { htmlize.RegisterRoles(faulty{}) }

func main() {} // never run

type faulty struct{}

func (faulty) Roles() []string {
	return []string{"echo", "title", "collect", "error", "panic", "nilmap", "index", "nilpointer"}
}

func (faulty) ProcessRole(call *plugin.Call, role string, text plugin.Text, post *htmlize.Post) error {
	switch role {
	case "echo":
		return call.Print(text.Borrow(), "|", post.Author().Borrow())
	case "title":
		posts, ok := htmlize.PostsOf(call)
		if !ok {
			return errors.New("no posts here")
		}
		title, err := posts.Title(int64(text.Len()))
		if err != nil {
			return err
		}
		return call.WriteText(title)
	case "collect": // moves and frees what Go owns while the host's memory is written to
		for i := 0; i < 10; i++ {
			copied := strings.Repeat(text.String(), 10)
			runtime.GC()
			call.WriteString(copied)
		}
		return nil
	case "error":
		return plugin.Fail(plugin.Invalid, "no role for %s", text)
	case "panic":
		panic("on purpose: " + text.String())
	case "nilmap":
		var counts map[string]int
		counts[role]++
	case "index":
		_ = make([]byte, 3)[text.Len()]
	case "nilpointer":
		var none *htmlize.Post
		call.Printf("%d", none.ID())
	}
	return nil
}
