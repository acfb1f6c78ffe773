// Command letters is a plugin for htmlize, written in Go. It answers two roles, :upper:`text` and
// :rot13:`text`, and turns hyphens in the contents into dashes (dashes.go).
package main

import (
	"strings"

	"native-plugin.example/htmlize"
	"native-plugin.example/plugin"
)

func init() {
	htmlize.RegisterRoles(letters{})
	htmlize.RegisterContents(dashes{})
}

func main() {} // never run: the host calls what package htmlize exports

type letters struct{}

func (letters) Roles() []string { return []string{"upper", "rot13"} }

func (letters) ProcessRole(call *plugin.Call, role string, text plugin.Text, _ *htmlize.Post) error {
	changed := text.String()
	switch role {
	case "upper":
		changed = strings.ToUpper(changed)
	case "rot13":
		changed = strings.Map(rot13, changed)
	}
	_, err := escape.WriteString(call, changed)
	return err
}

// escape makes text HTML; rot13 of "a<b" must not become a tag.
var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// rot13 moves the letters A to Z and a to z by 13 places and leaves all other characters alone.
func rot13(r rune) rune {
	switch {
	case 'A' <= r && r <= 'Z':
		return 'A' + (r-'A'+13)%26
	case 'a' <= r && r <= 'z':
		return 'a' + (r-'a'+13)%26
	}
	return r
}
