// Command gobuildmode hosts the system go-buildmode-plugin: Go's own package plugin.
package main

import (
	"fmt"
	"plugin"

	"bench.example/peers/bench"
)

func lookup(number int, name string) (plugin.Symbol, error) {
	opened, err := plugin.Open(bench.Binary(fmt.Sprintf("gobuildmode-plugin%d.so", number)))
	if err != nil {
		return nil, err
	}
	return opened.Lookup(name)
}

func open(variant string) (*bench.Peer, error) {
	name := "ProcessRole"
	if variant == "concat" {
		name = "ProcessRoleConcat"
	}
	role, err := lookup(0, name)
	if err != nil {
		return nil, err
	}
	failing, err := lookup(0, "Fail")
	if err != nil {
		return nil, err
	}
	back, err := lookup(0, "CallBack")
	if err != nil {
		return nil, err
	}
	fail := failing.(func(string, string, *bench.Post) (string, error))
	callBack := back.(func(int, func(int64) string) string)
	post := bench.NewPost()
	return &bench.Peer{
		ProcessRole: role.(func(string, string, *bench.Post) (string, error)),
		Fail:        func() error { _, err := fail("fail", bench.Text, post); return err },
		CallBack: func(count int) (string, error) {
			return callBack(count, func(int64) string { return bench.Title }), nil
		},
	}, nil
}

func load(variant string, count int) ([]bench.Role, error) {
	var roles []bench.Role
	for number := range count {
		role, err := lookup(number, "ProcessRole")
		if err != nil {
			return nil, err
		}
		roles = append(roles, role.(func(string, string, *bench.Post) (string, error)))
	}
	return roles, nil
}

func main() { bench.Serve(map[string]bench.System{"go-buildmode-plugin": {Open: open, Load: load}}) }
