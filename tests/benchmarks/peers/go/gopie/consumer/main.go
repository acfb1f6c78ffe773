// The Consumer of pie-json and pie-gob: a plugin that calls the host. It asks how often, calls, and reports.
package main

import (
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"

	"github.com/natefinch/pie"
)

func main() {
	var client *rpc.Client
	if len(os.Args) > 1 && os.Args[1] == "json" {
		client = pie.NewConsumerCodec(jsonrpc.NewClientCodec)
	} else {
		client = pie.NewConsumer()
	}
	last := ""
	for {
		var count int
		if err := client.Call("Host.Work", last, &count); err != nil {
			return
		}
		for range count {
			if err := client.Call("Host.Title", int64(42), &last); err != nil {
				return
			}
		}
	}
}
