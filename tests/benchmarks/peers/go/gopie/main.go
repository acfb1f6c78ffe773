// Command gopie hosts the systems pie-json and pie-gob: natefinch/pie over standard input and output.
package main

import (
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"

	"bench.example/peers/bench"
	"bench.example/peers/gopie/shared"
	"github.com/natefinch/pie"
)

type codec string // "json" or "gob"

func (c codec) provider() (*rpc.Client, error) {
	if c == "json" {
		return pie.StartProviderCodec(jsonrpc.NewClientCodec, os.Stderr, bench.Binary("gopie-provider"), "json")
	}
	return pie.StartProvider(os.Stderr, bench.Binary("gopie-provider"))
}

func role(client *rpc.Client) bench.Role {
	return func(role, text string, post *bench.Post) (string, error) {
		var html string
		err := client.Call("Plugin.ProcessRole", shared.RoleArgs{Role: role, Text: text, Post: *post}, &html)
		return html, err
	}
}

// hostAPI is what the Consumer calls.
type hostAPI struct {
	counts  chan int
	answers chan string
	waiting bool
}

// Work takes what the last work ended with, and answers how often to call next, once the host wants any.
func (h *hostAPI) Work(last string, count *int) error {
	if h.waiting {
		h.answers <- last
	}
	h.waiting = true
	*count = <-h.counts
	return nil
}

// Title is the function called back.
func (h *hostAPI) Title(id int64, title *string) error {
	*title = bench.Title
	return nil
}

func (c codec) consumer() (*hostAPI, error) {
	server, err := pie.StartConsumer(os.Stderr, bench.Binary("gopie-consumer"), string(c))
	if err != nil {
		return nil, err
	}
	api := &hostAPI{counts: make(chan int), answers: make(chan string)}
	if err := server.RegisterName("Host", api); err != nil {
		return nil, err
	}
	if c == "json" {
		go server.ServeCodec(jsonrpc.NewServerCodec)
	} else {
		go server.Serve()
	}
	return api, nil
}

func (c codec) open(string) (*bench.Peer, error) {
	client, err := c.provider()
	if err != nil {
		return nil, err
	}
	process := role(client)
	post := bench.NewPost()
	var api *hostAPI
	return &bench.Peer{
		ProcessRole: process,
		Fail:        func() error { _, err := process("fail", bench.Text, post); return err },
		CallBack: func(count int) (string, error) {
			if api == nil {
				if api, err = c.consumer(); err != nil {
					return "", err
				}
			}
			api.counts <- count
			return <-api.answers, nil
		},
		Close: func() { client.Close() },
	}, nil
}

func (c codec) load(_ string, count int) ([]bench.Role, error) {
	var roles []bench.Role
	for range count {
		client, err := c.provider()
		if err != nil {
			return nil, err
		}
		roles = append(roles, role(client))
	}
	return roles, nil
}

func main() {
	bench.Serve(map[string]bench.System{
		"pie-json": {Open: codec("json").open, Load: codec("json").load},
		"pie-gob":  {Open: codec("gob").open, Load: codec("gob").load},
	})
}
