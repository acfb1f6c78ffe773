// Command gomangos hosts the systems mangos-reqrep and mangos-survey: the nanomsg protocol over ipc.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"bench.example/peers/bench"
	"go.nanomsg.org/mangos/v3"
	"go.nanomsg.org/mangos/v3/protocol/req"
	"go.nanomsg.org/mangos/v3/protocol/surveyor"
	_ "go.nanomsg.org/mangos/v3/transport/ipc"
)

type pattern struct {
	open  func() (mangos.Socket, error)
	other string
}

var started int

func (p pattern) start() (bench.Role, func(), error) {
	socket, err := p.open()
	if err != nil {
		return nil, nil, err
	}
	started++
	path := filepath.Join(os.TempDir(), fmt.Sprintf("bench-%d-%d.ipc", os.Getpid(), started))
	os.Remove(path)
	url := "ipc://" + path
	connected := make(chan bool, 1)
	socket.SetPipeEventHook(func(event mangos.PipeEvent, _ mangos.Pipe) {
		if event == mangos.PipeEventAttached {
			connected <- true
		}
	})
	if err := socket.SetOption(mangos.OptionMaxRecvSize, 0); err != nil {
		return nil, nil, err
	}
	if p.other == "respondent" {
		if err := socket.SetOption(mangos.OptionSurveyTime, 30*time.Second); err != nil {
			return nil, nil, err
		}
	}
	if err := socket.Listen(url); err != nil {
		return nil, nil, err
	}
	child := exec.Command(bench.Binary("gomangos-plugin"), p.other, url)
	if _, err := child.StdinPipe(); err != nil {
		return nil, nil, err
	}
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		return nil, nil, err
	}
	select {
	case <-connected:
	case <-time.After(10 * time.Second):
		return nil, nil, fmt.Errorf("the plugin did not connect to %s", url)
	}
	role := func(role, text string, post *bench.Post) (string, error) {
		if err := socket.Send(bench.Join(role, text, post)); err != nil {
			return "", err
		}
		answer, err := socket.Recv()
		if err != nil {
			return "", err
		}
		return bench.Split(answer)
	}
	return role, func() { socket.Close(); child.Process.Kill() }, nil
}

func (p pattern) system() bench.System {
	return bench.System{
		Open: func(string) (*bench.Peer, error) {
			role, end, err := p.start()
			if err != nil {
				return nil, err
			}
			post := bench.NewPost()
			fail := func() error { _, err := role("fail", bench.Text, post); return err }
			return &bench.Peer{ProcessRole: role, Fail: fail, Close: end}, nil
		},
		Load: func(_ string, count int) ([]bench.Role, error) {
			var roles []bench.Role
			for range count {
				role, _, err := p.start()
				if err != nil {
					return nil, err
				}
				roles = append(roles, role)
			}
			return roles, nil
		},
	}
}

func main() {
	bench.Serve(map[string]bench.System{
		"mangos-reqrep": pattern{req.NewSocket, "rep"}.system(),
		"mangos-survey": pattern{surveyor.NewSocket, "respondent"}.system(),
	})
}
