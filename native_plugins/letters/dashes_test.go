package main

import (
	"errors"
	"math/rand"
	"regexp"
	"strings"
	"testing"
)

func dashed(t *testing.T, text string) string {
	t.Helper()
	var out strings.Builder
	if err := writeDashed(&out, text); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Two or three hyphens become a dash between words and between spaces; everything else stays.
func TestDashes(t *testing.T) {
	cases := map[string]string{
		"":                         "",
		"-":                        "-",
		"--":                       "–",
		"---":                      "—",
		"----":                     "----",
		"1990--2000":               "1990–2000",
		"yes -- no --- perhaps":    "yes – no — perhaps",
		"wait---what":              "wait—what",
		"use --help":               "use --help",
		"well-- no":                "well-- no",
		"a----b":                   "a----b",
		"a-b":                      "a-b",
		"<p>--</p>":                "<p>–</p>",
		"é--ü":                     "é–ü",
		"a--b:tt:`c--d`e--f":       "a–b:tt:`c--d`e–f",
		"::a_1:`x--y`":             "::a_1:`x--y`",
		":a:b:`x--y`":              ":a:b:`x--y`",
		":a:`x--y":                 ":a:`x–y",
		": a:`x--y`":               ": a:`x–y`",
		"`x--y`":                   "`x–y`",
		"``x--y`` z--z":            "``x--y`` z–z",
		"``x--y` z--z":             "``x–y` z–z",
		"````--``":                 "````–``",
		"<!-- note -- more -->":    "<!-- note -- more -->",
		`<a href="x--y">x--y</a>`:  `<a href="x--y">x–y</a>`,
		"1 < 2 -- 3 > 2":           "1 < 2 – 3 > 2",
		"<a :b:`x>--y`--z":         "<a :b:`x>--y`–z",
		"a<b--c":                   "a<b–c",
		"<p>a</p>\n\n<p>--</p>\n":  "<p>a</p>\n\n<p>–</p>\n",
		"``x :a:``--` b--c":        "``x :a:``–` b–c", // the role ends with the literal: its text is empty
		"a--b\x00--c":              "a–b\x00–c",
		"x--`` y--z ``--x":         "x–`` y--z ``–x",
		":é--ü:`a--b`":             ":é–ü:`a–b`",
		"end --":                   "end –",
		"-- start":                 "– start",
		"--start":                  "--start",
		"|--|---|----|":            "|–|—|----|",
		"<em>a</em>--<em>b</em>":   "<em>a</em>–<em>b</em>",
		"a -- b\t---\nc\r--\rd--e": "a – b\t—\nc\r–\rd–e",
	}
	for text, want := range cases {
		if got := dashed(t, text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

var markup = regexp.MustCompile(":[0-9A-Za-z_]+:`[^`]*`|``[^`]*``|<[A-Za-z/!][^<>`]*>|-+")

// reference is the rule as its comment states it, with the regular expression.
func reference(text string) string {
	var out strings.Builder
	end := 0
	for _, at := range markup.FindAllStringIndex(text, -1) {
		out.WriteString(text[end:at[0]])
		end = at[1]
		found := text[at[0]:end]
		before := at[0] == 0 || strings.ContainsAny(text[at[0]-1:at[0]], " \t\n\r")
		after := end == len(text) || strings.ContainsAny(text[end:end+1], " \t\n\r")
		if before == after && found == "--" {
			found = "–"
		} else if before == after && found == "---" {
			found = "—"
		}
		out.WriteString(found)
	}
	out.WriteString(text[end:])
	return out.String()
}

// random is text out of pieces that make and break markup.
func random(source *rand.Rand) string {
	pieces := []string{
		"-", "--", "---", "`", "``", ":", ":a:`", ":a_1:", "<", "<b", ">", "!", "/", " ", "\n", "x", "é", "9",
	}
	var text strings.Builder
	for n := source.Intn(24); n > 0; n-- {
		text.WriteString(pieces[source.Intn(len(pieces))])
	}
	return text.String()
}

// The scanner gives what the regular expression gives, on 100,000 texts.
func TestDashesAgainstReference(t *testing.T) {
	source := rand.New(rand.NewSource(1))
	for n := 0; n < 100_000; n++ {
		text := random(source)
		if got, want := dashed(t, text), reference(text); got != want {
			t.Fatalf("%q became %q, want %q", text, got, want)
		}
	}
}

var role = regexp.MustCompile(":([0-9A-Za-z_]+):`([^`]*)`")

// The host finds the same roles with the same texts before and after, whatever the markup around them.
func TestDashesKeepRoles(t *testing.T) {
	source := rand.New(rand.NewSource(2))
	for n := 0; n < 100_000; n++ {
		text := random(source)
		got := strings.Join(role.FindAllString(dashed(t, text), -1), "\n")
		if want := strings.Join(role.FindAllString(text, -1), "\n"); got != want {
			t.Fatalf("%q had roles %q, now %q", text, want, got)
		}
	}
}

// Markup that is opened again and again and never closed does not make it slow: the test would not end.
func TestDashesAreLinear(t *testing.T) {
	for _, piece := range []string{":a:`", "``", "`", "<a", ":a", "-", "- ", "``a` "} {
		text := strings.Repeat(piece, 2_000_000/len(piece)) + " a--b"
		if got, want := len(dashed(t, text)), len(reference(text)); got != want {
			t.Errorf("%q many times: %d bytes, want %d", piece, got, want)
		}
	}
}

type fullAfter int

func (left *fullAfter) WriteString(text string) (int, error) {
	if *left--; *left < 0 {
		return 0, errors.New("full")
	}
	return len(text), nil
}

// An output that is full stops it with that error, wherever that happens.
func TestDashesStopWhenFull(t *testing.T) {
	for writes := fullAfter(0); writes < 4; writes++ {
		left := writes
		if err := writeDashed(&left, "a--b -- c"); err == nil || err.Error() != "full" {
			t.Errorf("after %d writes: %v", writes, err)
		}
	}
}
