// Command gojs hosts the systems otto and goja: plugins as JavaScript.
package main

import (
	_ "embed"
	"errors"

	"bench.example/peers/bench"
	"github.com/dop251/goja"
	"github.com/robertkrimen/otto"
)

//go:embed tt.js
var source string

func startOtto() (*otto.Otto, bench.Role, error) {
	vm := otto.New()
	if _, err := vm.Run(source); err != nil {
		return nil, nil, err
	}
	function, err := vm.Get("process_role")
	if err != nil {
		return nil, nil, err
	}
	return vm, func(role, text string, post *bench.Post) (string, error) {
		given, err := vm.Object("({})")
		if err != nil {
			return "", err
		}
		given.Set("id", post.ID)
		given.Set("author", post.Author)
		html, err := function.Call(otto.UndefinedValue(), role, text, given)
		if err != nil {
			return "", err
		}
		return html.String(), nil
	}, nil
}

func openOtto(string) (*bench.Peer, error) {
	vm, role, err := startOtto()
	if err != nil {
		return nil, err
	}
	post := bench.NewPost()
	title := func(otto.FunctionCall) otto.Value {
		value, _ := otto.ToValue(bench.Title)
		return value
	}
	return &bench.Peer{
		ProcessRole: role,
		Fail:        func() error { _, err := role("fail", bench.Text, post); return err },
		CallBack: func(count int) (string, error) {
			last, err := vm.Call("call_back", nil, count, title)
			return last.String(), err
		},
	}, nil
}

func startGoja() (*goja.Runtime, bench.Role, error) {
	vm := goja.New()
	if _, err := vm.RunString(source); err != nil {
		return nil, nil, err
	}
	function, ok := goja.AssertFunction(vm.Get("process_role"))
	if !ok {
		return nil, nil, errors.New("process_role is not a function")
	}
	return vm, func(role, text string, post *bench.Post) (string, error) {
		given := vm.NewObject()
		given.Set("id", post.ID)
		given.Set("author", post.Author)
		html, err := function(goja.Undefined(), vm.ToValue(role), vm.ToValue(text), given)
		if err != nil {
			return "", err
		}
		return html.String(), nil
	}, nil
}

func openGoja(string) (*bench.Peer, error) {
	vm, role, err := startGoja()
	if err != nil {
		return nil, err
	}
	post := bench.NewPost()
	callBack, _ := goja.AssertFunction(vm.Get("call_back"))
	title := vm.ToValue(func(goja.FunctionCall) goja.Value { return vm.ToValue(bench.Title) })
	return &bench.Peer{
		ProcessRole: role,
		Fail:        func() error { _, err := role("fail", bench.Text, post); return err },
		CallBack: func(count int) (string, error) {
			last, err := callBack(goja.Undefined(), vm.ToValue(count), title)
			if err != nil {
				return "", err
			}
			return last.String(), nil
		},
	}, nil
}

func load[VM any](start func() (VM, bench.Role, error)) func(string, int) ([]bench.Role, error) {
	return func(_ string, count int) ([]bench.Role, error) {
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
}

func main() {
	bench.Serve(map[string]bench.System{
		"otto": {Open: openOtto, Load: load(startOtto)},
		"goja": {Open: openGoja, Load: load(startGoja)},
	})
}
