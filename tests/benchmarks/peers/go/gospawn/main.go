// Command gospawn hosts the system spawn: a process per request, protobuf on its standard input and output.
package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"

	"bench.example/peers/bench"
	messages "bench.example/peers/proto"
	"google.golang.org/protobuf/proto"
)

func processRole(role, text string, post *bench.Post) (string, error) {
	sent := &messages.Post{Id: post.ID, Author: post.Author}
	request, err := proto.Marshal(&messages.RoleRequest{Role: role, Text: text, Post: sent})
	if err != nil {
		return "", err
	}
	child := exec.Command(bench.Binary("gospawn-plugin"))
	child.Stdin = bytes.NewReader(request)
	child.Stderr = os.Stderr
	data, err := child.Output()
	if err != nil {
		return "", err
	}
	var answer messages.RoleAnswer
	if err := proto.Unmarshal(data, &answer); err != nil {
		return "", err
	}
	if answer.Error != "" {
		return "", errors.New(answer.Error)
	}
	return answer.Html, nil
}

func open(string) (*bench.Peer, error) {
	post := bench.NewPost()
	fail := func() error { _, err := processRole("fail", bench.Text, post); return err }
	return &bench.Peer{ProcessRole: processRole, Fail: fail}, nil
}

func load(_ string, count int) ([]bench.Role, error) {
	var roles []bench.Role
	for range count {
		roles = append(roles, processRole)
	}
	return roles, nil
}

func main() { bench.Serve(map[string]bench.System{"spawn": {Open: open, Load: load}}) }
