// Command golua hosts the system gopher-lua: plugins as Lua scripts.
package main

import (
	_ "embed"

	"bench.example/peers/bench"
	lua "github.com/yuin/gopher-lua"
)

//go:embed tt.lua
var source string

func start() (*lua.LState, bench.Role, error) {
	state := lua.NewState()
	if err := state.DoString(source); err != nil {
		return nil, nil, err
	}
	function := state.GetGlobal("process_role")
	return state, func(role, text string, post *bench.Post) (string, error) {
		given := state.CreateTable(0, 2)
		given.RawSetString("id", lua.LNumber(post.ID))
		given.RawSetString("author", lua.LString(post.Author))
		call := lua.P{Fn: function, NRet: 1, Protect: true}
		if err := state.CallByParam(call, lua.LString(role), lua.LString(text), given); err != nil {
			return "", err
		}
		html := lua.LVAsString(state.Get(-1))
		state.Pop(1)
		return html, nil
	}, nil
}

func open(string) (*bench.Peer, error) {
	state, role, err := start()
	if err != nil {
		return nil, err
	}
	post := bench.NewPost()
	title := state.NewFunction(func(state *lua.LState) int {
		state.Push(lua.LString(bench.Title))
		return 1
	})
	return &bench.Peer{
		ProcessRole: role,
		Fail:        func() error { _, err := role("fail", bench.Text, post); return err },
		CallBack: func(count int) (string, error) {
			call := lua.P{Fn: state.GetGlobal("call_back"), NRet: 1, Protect: true}
			if err := state.CallByParam(call, lua.LNumber(count), title); err != nil {
				return "", err
			}
			last := lua.LVAsString(state.Get(-1))
			state.Pop(1)
			return last, nil
		},
		Close: state.Close,
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

func main() { bench.Serve(map[string]bench.System{"gopher-lua": {Open: open, Load: load}}) }
