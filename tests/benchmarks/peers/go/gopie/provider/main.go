// The plugin of pie-json and pie-gob: a Provider, which the host calls.
package main

import (
	"fmt"
	"net/rpc/jsonrpc"
	"os"

	"bench.example/peers/gopie/shared"
	"github.com/natefinch/pie"
)

type api struct{}

// ProcessRole formats, as tutorials do; for the role fail it fails.
func (api) ProcessRole(args shared.RoleArgs, html *string) error {
	if args.Role == "fail" {
		return fmt.Errorf("no post %d", args.Post.ID)
	}
	*html = fmt.Sprintf("<tt>%s</tt>", args.Text)
	return nil
}

func main() {
	provider := pie.NewProvider()
	if err := provider.RegisterName("Plugin", api{}); err != nil {
		panic(err)
	}
	if len(os.Args) > 1 && os.Args[1] == "json" {
		provider.ServeCodec(jsonrpc.NewServerCodec)
	} else {
		provider.Serve()
	}
}
