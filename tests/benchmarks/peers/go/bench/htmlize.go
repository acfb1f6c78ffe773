// Package bench is what the Go host programs share: the document host, and the protocol with the runner.
package bench

import (
	"regexp"
	"strings"
)

// Post is what a document belongs to. Contents is set only where a host sends it along.
type Post struct {
	ID       int64
	Author   string
	Title    string
	Contents string
}

// Role is how a host calls a role's plugin.
type Role func(role, text string, post *Post) (string, error)

var rolePattern = regexp.MustCompile(":(\\w+):`([^`]*)`")

// Paragraphs puts paragraphs into <p>.
func Paragraphs(text string) string {
	var out strings.Builder
	out.Grow(len(text) + len(text)/8)
	for len(text) > 0 {
		paragraph, rest, found := strings.Cut(text, "\n\n")
		if !found {
			paragraph = strings.TrimSpace(paragraph)
		}
		out.WriteString("<p>")
		out.WriteString(strings.ReplaceAll(paragraph, "\n", " "))
		out.WriteString("</p>\n\n")
		text = strings.TrimLeft(rest, "\n")
	}
	return out.String()
}

// Htmlize is a whole document, as a Go program writes it: a regular expression, and a plugin for each match.
func Htmlize(text string, roles map[string]Role, post *Post) (string, error) {
	text = Paragraphs(text)
	var out strings.Builder
	out.Grow(len(text) + len(text)/8)
	last := 0
	for _, at := range rolePattern.FindAllStringSubmatchIndex(text, -1) {
		process, ok := roles[text[at[2]:at[3]]]
		if !ok {
			continue
		}
		html, err := process(text[at[2]:at[3]], text[at[4]:at[5]], post)
		if err != nil {
			return "", err
		}
		out.WriteString(text[last:at[0]])
		out.WriteString(html)
		last = at[1]
	}
	out.WriteString(text[last:])
	return out.String(), nil
}
