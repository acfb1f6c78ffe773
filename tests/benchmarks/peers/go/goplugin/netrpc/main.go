// The plugin of go-plugin-netrpc.
package main

import (
	"bench.example/peers/goplugin/shared"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
)

func main() {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: shared.Handshake,
		Plugins:         plugin.PluginSet{"htmlizer": &shared.RPCPlugin{Impl: shared.Tt{}}},
		Logger:          hclog.NewNullLogger(),
	})
}
