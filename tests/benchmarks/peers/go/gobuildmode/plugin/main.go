// The plugin of go-buildmode-plugin, built with -buildmode=plugin.
package main

import (
	"fmt"

	"bench.example/peers/bench"
)

// ProcessRole formats, as tutorials do.
func ProcessRole(role, text string, post *bench.Post) (string, error) {
	return fmt.Sprintf("<tt>%s</tt>", text), nil
}

// ProcessRoleConcat concatenates.
func ProcessRoleConcat(role, text string, post *bench.Post) (string, error) {
	return "<tt>" + text + "</tt>", nil
}

// Fail fails.
func Fail(role, text string, post *bench.Post) (string, error) {
	return "", fmt.Errorf("no post %d", post.ID)
}

// CallBack asks the host count times.
func CallBack(count int, title func(id int64) string) string {
	last := ""
	for range count {
		last = title(42)
	}
	return last
}

func main() {}
