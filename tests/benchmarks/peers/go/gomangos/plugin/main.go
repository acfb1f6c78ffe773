// The plugin of mangos-reqrep and mangos-survey: gomangos-plugin rep|respondent URL.
package main

import (
	"os"

	"bench.example/peers/bench"
	"go.nanomsg.org/mangos/v3"
	"go.nanomsg.org/mangos/v3/protocol/rep"
	"go.nanomsg.org/mangos/v3/protocol/respondent"
	_ "go.nanomsg.org/mangos/v3/transport/ipc"
)

func main() {
	open := map[string]func() (mangos.Socket, error){"rep": rep.NewSocket, "respondent": respondent.NewSocket}[os.Args[1]]
	socket, err := open()
	if err != nil {
		panic(err)
	}
	if err := socket.SetOption(mangos.OptionMaxRecvSize, 0); err != nil {
		panic(err)
	}
	if err := socket.Dial(os.Args[2]); err != nil {
		panic(err)
	}
	go func() { // the host's end is the plugin's end
		os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}()
	for {
		request, err := socket.Recv()
		if err != nil {
			return
		}
		if err := socket.Send(bench.Answer(request)); err != nil {
			return
		}
	}
}
