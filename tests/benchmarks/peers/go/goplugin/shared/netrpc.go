package shared

import (
	"net/rpc"

	"bench.example/peers/bench"
	"github.com/hashicorp/go-plugin"
)

// RPCPlugin is the net/rpc form.
type RPCPlugin struct{ Impl Htmlizer }

// RoleArgs are the arguments of a role call.
type RoleArgs struct {
	Role, Text string
	Post       bench.Post
}

// BackArgs are the arguments of a call that calls back.
type BackArgs struct {
	Broker uint32
	Count  int
}

// Server is for go-plugin.
func (p *RPCPlugin) Server(broker *plugin.MuxBroker) (any, error) {
	return &rpcServer{p.Impl, broker}, nil
}

// Client is for go-plugin.
func (p *RPCPlugin) Client(broker *plugin.MuxBroker, client *rpc.Client) (any, error) {
	return &rpcClient{broker, client}, nil
}

type rpcClient struct {
	broker *plugin.MuxBroker
	client *rpc.Client
}

func (c *rpcClient) ProcessRole(role, text string, post *bench.Post) (string, error) {
	var html string
	err := c.client.Call("Plugin.ProcessRole", RoleArgs{role, text, *post}, &html)
	return html, err
}

func (c *rpcClient) CallBack(count int, title Title) (string, error) {
	id := c.broker.NextId()
	go c.broker.AcceptAndServe(id, &titleServer{title})
	var answer string
	err := c.client.Call("Plugin.CallBack", BackArgs{id, count}, &answer)
	return answer, err
}

type titleServer struct{ title Title }

func (t *titleServer) Title(id int64, answer *string) error {
	*answer = t.title(id)
	return nil
}

type rpcServer struct {
	impl   Htmlizer
	broker *plugin.MuxBroker
}

func (s *rpcServer) ProcessRole(args RoleArgs, html *string) (err error) {
	*html, err = s.impl.ProcessRole(args.Role, args.Text, &args.Post)
	return err
}

func (s *rpcServer) CallBack(args BackArgs, answer *string) (err error) {
	connection, err := s.broker.Dial(args.Broker)
	if err != nil {
		return err
	}
	client := rpc.NewClient(connection)
	defer client.Close()
	*answer, err = s.impl.CallBack(args.Count, func(id int64) string {
		var title string
		if err := client.Call("Plugin.Title", id, &title); err != nil {
			return err.Error()
		}
		return title
	})
	return err
}
