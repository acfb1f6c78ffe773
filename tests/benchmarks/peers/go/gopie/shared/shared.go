// Package shared holds the messages of the pie host and its plugins.
package shared

import "bench.example/peers/bench"

// RoleArgs are the arguments of a role call.
type RoleArgs struct {
	Role, Text string
	Post       bench.Post
}
