package main

import (
	"io"
	"strings"

	"native-plugin.example/htmlize"
	"native-plugin.example/plugin"
)

// dashes is the contents hook: two hyphens become an en dash, three an em dash.
//
// The rule, exactly. Hyphens are replaced where a run of exactly two or three of them has white space (or the
// text's edge) on both sides, or on neither: "1990--2000" and "yes -- no", but not "--help", nor a rule of
// ten. Roles, literals in double backticks, and tags stay as they are. As one regular expression,
// alternatives from the left:
//
//	:[0-9A-Za-z_]+:`[^`]*`  |  ``[^`]*``  |  <[A-Za-z/!][^<>`]*>  |  -+
//
// of which only the last, for runs as above, is changed. White space is space, \t, \n and \r. No backtick
// can stand in a tag, and a literal that ends in the middle of a role holds all of that role's text, so no
// text of a role is ever changed.
type dashes struct{}

func (dashes) ProcessContents(call *plugin.Call, contents plugin.Text, _ *htmlize.Post) error {
	return writeDashed(call, contents.Borrow()) // borrowed: it is read here, and nothing of it is kept
}

const (
	enDash = "\u2013"
	emDash = "\u2014"
)

// writeDashed writes the text with its hyphens replaced.
func writeDashed(out io.StringWriter, text string) error {
	written := 0 // text[:written] is out
	if !strings.Contains(text, "--") {
		_, err := out.WriteString(text)
		return err
	}
	for at := 0; at < len(text); {
		switch text[at] { // what begins no markup is stepped over as one byte
		case ':':
			at += max(roleSize(text[at:]), 1)
		case '`':
			at += max(literalSize(text[at:]), 1)
		case '<':
			at += max(tagSize(text[at:]), 1)
		case '-':
			end := at + 1
			for end < len(text) && text[end] == '-' {
				end++
			}
			if dash := dashFor(text, at, end); dash != "" {
				if _, err := out.WriteString(text[written:at]); err != nil {
					return err
				}
				if _, err := out.WriteString(dash); err != nil {
					return err
				}
				written = end
			}
			at = end
		default:
			at++
		}
	}
	_, err := out.WriteString(text[written:])
	return err
}

// dashFor is what the run of hyphens text[start:end] becomes, or "" if it stays.
func dashFor(text string, start, end int) string {
	spaceBefore := start == 0 || isSpace(text[start-1])
	spaceAfter := end == len(text) || isSpace(text[end])
	switch {
	case spaceBefore != spaceAfter:
		return ""
	case end-start == 2:
		return enDash
	case end-start == 3:
		return emDash
	}
	return ""
}

// roleSize is the size of the role that begins the text (at its ':'), or 0 if none does.
func roleSize(text string) int {
	at := 1
	for at < len(text) && isWord(text[at]) {
		at++
	}
	if at == 1 || !strings.HasPrefix(text[at:], ":`") {
		return 0
	}
	end := strings.IndexByte(text[at+2:], '`')
	if end < 0 {
		return 0
	}
	return at + 2 + end + 1
}

// literalSize is the size of the literal that begins the text (at its '`'), or 0 if none does.
func literalSize(text string) int {
	if !strings.HasPrefix(text, "``") {
		return 0
	}
	end := strings.IndexByte(text[2:], '`')
	if end < 0 || !strings.HasPrefix(text[2+end:], "``") {
		return 0
	}
	return 2 + end + 2
}

// tagSize is the size of the tag that begins the text (at its '<'), or 0 if none does.
func tagSize(text string) int {
	if len(text) < 2 || !(isLetter(text[1]) || text[1] == '/' || text[1] == '!') {
		return 0
	}
	for at := 2; at < len(text); at++ {
		switch text[at] {
		case '>':
			return at + 1
		case '<', '`':
			return 0
		}
	}
	return 0
}

func isSpace(c byte) bool  { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
func isLetter(c byte) bool { return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' }
func isWord(c byte) bool   { return isLetter(c) || '0' <= c && c <= '9' || c == '_' }
