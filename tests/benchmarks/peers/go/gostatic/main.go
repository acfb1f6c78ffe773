// Command gostatic hosts the system go-static: a plugin compiled in and called through an interface.
package main

import (
	"fmt"

	"bench.example/peers/bench"
)

type plugin interface {
	ProcessRole(role, text string, post *bench.Post) (string, error)
}

type formatting struct{}

func (formatting) ProcessRole(role, text string, post *bench.Post) (string, error) {
	if role == "fail" {
		return "", fmt.Errorf("no post %d", post.ID)
	}
	return fmt.Sprintf("<tt>%s</tt>", text), nil
}

type concatenating struct{}

func (concatenating) ProcessRole(role, text string, post *bench.Post) (string, error) {
	return "<tt>" + text + "</tt>", nil
}

//go:noinline
func callBack(count int, title func(id int64) string) string {
	last := ""
	for range count {
		last = title(42)
	}
	return last
}

func pick(variant string) plugin {
	if variant == "concat" {
		return concatenating{}
	}
	return formatting{}
}

func open(variant string) (*bench.Peer, error) {
	p := pick(variant)
	post := bench.NewPost()
	return &bench.Peer{
		ProcessRole: p.ProcessRole,
		Fail:        func() error { _, err := p.ProcessRole("fail", bench.Text, post); return err },
		CallBack: func(count int) (string, error) {
			return callBack(count, func(int64) string { return bench.Title }), nil
		},
	}, nil
}

func load(variant string, count int) ([]bench.Role, error) {
	var roles []bench.Role
	for range count {
		roles = append(roles, pick(variant).ProcessRole)
	}
	return roles, nil
}

func main() { bench.Serve(map[string]bench.System{"go-static": {Open: open, Load: load}}) }
