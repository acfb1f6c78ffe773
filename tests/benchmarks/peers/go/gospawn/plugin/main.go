// The plugin of spawn: one protobuf request on standard input, one answer on standard output, and it ends.
package main

import (
	"fmt"
	"io"
	"os"

	bench "bench.example/peers/proto"
	"google.golang.org/protobuf/proto"
)

func main() {
	data, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	var request bench.RoleRequest
	if err := proto.Unmarshal(data, &request); err != nil {
		panic(err)
	}
	answer := &bench.RoleAnswer{}
	if request.Role == "fail" {
		answer.Error = fmt.Sprintf("no post %d", request.Post.Id)
	} else {
		answer.Html = fmt.Sprintf("<tt>%s</tt>", request.Text)
	}
	if data, err = proto.Marshal(answer); err != nil {
		panic(err)
	}
	os.Stdout.Write(data)
}
