// Command goyaegi hosts the system yaegi: plugins as Go source, interpreted.
package main

import (
	_ "embed"
	"fmt"

	"bench.example/peers/bench"
	"github.com/traefik/yaegi/interp"
	"github.com/traefik/yaegi/stdlib"
)

//go:embed tt.go.txt
var source string

type roleFunction = func(role, text string, id int64, author string) (string, error)

func start() (*interp.Interpreter, bench.Role, error) {
	vm := interp.New(interp.Options{})
	if err := vm.Use(stdlib.Symbols); err != nil {
		return nil, nil, err
	}
	if _, err := vm.Eval(source); err != nil {
		return nil, nil, err
	}
	value, err := vm.Eval("tt.ProcessRole")
	if err != nil {
		return nil, nil, err
	}
	function, ok := value.Interface().(roleFunction)
	if !ok {
		return nil, nil, fmt.Errorf("ProcessRole is a %s", value.Type())
	}
	return vm, func(role, text string, post *bench.Post) (string, error) {
		return function(role, text, post.ID, post.Author)
	}, nil
}

func open(string) (*bench.Peer, error) {
	vm, role, err := start()
	if err != nil {
		return nil, err
	}
	value, err := vm.Eval("tt.CallBack")
	if err != nil {
		return nil, err
	}
	callBack := value.Interface().(func(int, func(int64) string) string)
	post := bench.NewPost()
	return &bench.Peer{
		ProcessRole: role,
		Fail:        func() error { _, err := role("fail", bench.Text, post); return err },
		CallBack: func(count int) (string, error) {
			return callBack(count, func(int64) string { return bench.Title }), nil
		},
	}, nil
}

func load(_ string, count int) ([]bench.Role, error) {
	var roles []bench.Role
	for range count {
		_, role, err := start()
		if err != nil {
			return nil, err
		}
		roles = append(roles, role)
	}
	return roles, nil
}

func main() { bench.Serve(map[string]bench.System{"yaegi": {Open: open, Load: load}}) }
