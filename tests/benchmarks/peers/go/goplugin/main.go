// Command goplugin hosts the systems go-plugin-netrpc and go-plugin-grpc: hashicorp/go-plugin.
package main

import (
	"os/exec"

	"bench.example/peers/bench"
	"bench.example/peers/goplugin/shared"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
)

// asFarAsItGoes bounds load-1000: a plugin is a process of about 15 MB here.
const asFarAsItGoes = 50

type kind struct {
	binary   string
	protocol plugin.Protocol
	plugin   plugin.Plugin
}

var (
	netrpc = kind{"goplugin-netrpc", plugin.ProtocolNetRPC, &shared.RPCPlugin{}}
	grpc   = kind{"goplugin-grpc", plugin.ProtocolGRPC, &shared.GRPCPlugin{}}
)

func (k kind) start() (shared.Htmlizer, *plugin.Client, error) {
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  shared.Handshake,
		Plugins:          plugin.PluginSet{"htmlizer": k.plugin},
		Cmd:              exec.Command(bench.Binary(k.binary)),
		AllowedProtocols: []plugin.Protocol{k.protocol},
		Logger:           hclog.NewNullLogger(),
		Managed:          true,
	})
	protocol, err := client.Client()
	if err != nil {
		client.Kill()
		return nil, nil, err
	}
	raw, err := protocol.Dispense("htmlizer")
	if err != nil {
		client.Kill()
		return nil, nil, err
	}
	return raw.(shared.Htmlizer), client, nil
}

func (k kind) open(variant string) (*bench.Peer, error) {
	htmlizer, client, err := k.start()
	if err != nil {
		return nil, err
	}
	post := bench.NewPost()
	return &bench.Peer{
		ProcessRole: htmlizer.ProcessRole,
		Fail:        func() error { _, err := htmlizer.ProcessRole("fail", bench.Text, post); return err },
		CallBack: func(count int) (string, error) {
			return htmlizer.CallBack(count, func(int64) string { return bench.Title })
		},
		ByValue: variant == "contents by value",
		Close:   client.Kill,
	}, nil
}

func (k kind) load(_ string, count int) ([]bench.Role, error) {
	var roles []bench.Role
	for range min(count, asFarAsItGoes) {
		htmlizer, _, err := k.start()
		if err != nil {
			return nil, err
		}
		roles = append(roles, htmlizer.ProcessRole)
	}
	return roles, nil
}

func main() {
	bench.Cleanup = plugin.CleanupClients
	bench.Serve(map[string]bench.System{
		"go-plugin-netrpc": {Open: netrpc.open, Load: netrpc.load},
		"go-plugin-grpc":   {Open: grpc.open, Load: grpc.load},
	})
}
