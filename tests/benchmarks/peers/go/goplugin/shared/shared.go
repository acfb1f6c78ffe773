// Package shared is what the go-plugin host and its two plugins have in common.
package shared

import (
	"fmt"

	"bench.example/peers/bench"
	"github.com/hashicorp/go-plugin"
)

// Handshake is go-plugin's cookie.
var Handshake = plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "BENCH_PLUGIN", MagicCookieValue: "htmlize"}

// Title is what the host offers to be called back for.
type Title func(id int64) string

// Htmlizer is the plugin's interface.
type Htmlizer interface {
	ProcessRole(role, text string, post *bench.Post) (string, error)
	CallBack(count int, title Title) (string, error)
}

// Tt is the plugin itself.
type Tt struct{}

// ProcessRole formats, as tutorials do; for the role fail it fails.
func (Tt) ProcessRole(role, text string, post *bench.Post) (string, error) {
	if role == "fail" {
		return "", fmt.Errorf("no post %d", post.ID)
	}
	return fmt.Sprintf("<tt>%s</tt>", text), nil
}

// CallBack asks the host count times.
func (Tt) CallBack(count int, title Title) (string, error) {
	last := ""
	for range count {
		last = title(42)
	}
	return last, nil
}
