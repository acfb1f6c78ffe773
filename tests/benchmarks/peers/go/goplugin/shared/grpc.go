package shared

import (
	"context"

	"bench.example/peers/bench"
	"bench.example/peers/proto"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// GRPCPlugin is the gRPC form.
type GRPCPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	Impl Htmlizer
}

// GRPCServer is for go-plugin.
func (p *GRPCPlugin) GRPCServer(broker *plugin.GRPCBroker, server *grpc.Server) error {
	proto.RegisterHtmlizerServer(server, &grpcServer{impl: p.Impl, broker: broker})
	return nil
}

// GRPCClient is for go-plugin.
func (p *GRPCPlugin) GRPCClient(_ context.Context, broker *plugin.GRPCBroker, connection *grpc.ClientConn) (any, error) {
	return &grpcClient{broker, proto.NewHtmlizerClient(connection)}, nil
}

type grpcClient struct {
	broker *plugin.GRPCBroker
	client proto.HtmlizerClient
}

func (c *grpcClient) ProcessRole(role, text string, post *bench.Post) (string, error) {
	sent := &proto.Post{Id: post.ID, Author: post.Author, Title: post.Title, Contents: post.Contents}
	answer, err := c.client.ProcessRole(context.Background(), &proto.RoleRequest{Role: role, Text: text, Post: sent})
	if err != nil {
		return "", err
	}
	return answer.Html, nil
}

func (c *grpcClient) CallBack(count int, title Title) (string, error) {
	id := c.broker.NextId()
	served := make(chan *grpc.Server, 1)
	go c.broker.AcceptAndServe(id, func(options []grpc.ServerOption) *grpc.Server {
		server := grpc.NewServer(options...)
		proto.RegisterTitlesServer(server, &titles{title: title})
		served <- server
		return server
	})
	answer, err := c.client.CallBack(context.Background(), &proto.CallBackRequest{Broker: id, Count: int64(count)})
	if err != nil {
		return "", err
	}
	(<-served).Stop()
	return answer.Title, nil
}

type titles struct {
	proto.UnimplementedTitlesServer
	title Title
}

func (t *titles) Title(_ context.Context, request *proto.TitleRequest) (*proto.TitleAnswer, error) {
	return &proto.TitleAnswer{Title: t.title(request.Id)}, nil
}

type grpcServer struct {
	proto.UnimplementedHtmlizerServer
	impl   Htmlizer
	broker *plugin.GRPCBroker
}

func (s *grpcServer) ProcessRole(_ context.Context, request *proto.RoleRequest) (*proto.RoleAnswer, error) {
	post := &bench.Post{ID: request.Post.Id, Author: request.Post.Author}
	html, err := s.impl.ProcessRole(request.Role, request.Text, post)
	if err != nil {
		return nil, err
	}
	return &proto.RoleAnswer{Html: html}, nil
}

func (s *grpcServer) CallBack(_ context.Context, request *proto.CallBackRequest) (*proto.TitleAnswer, error) {
	connection, err := s.broker.Dial(request.Broker)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	client := proto.NewTitlesClient(connection)
	answer, err := s.impl.CallBack(int(request.Count), func(id int64) string {
		answer, err := client.Title(context.Background(), &proto.TitleRequest{Id: id})
		if err != nil {
			return err.Error()
		}
		return answer.Title
	})
	return &proto.TitleAnswer{Title: answer}, err
}
