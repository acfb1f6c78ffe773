package htmlize

import (
	"strings"
	"testing"

	"native-plugin.example/internal/testhost"
	"native-plugin.example/plugin"
)

// roles answers the roles that it lists.
type roles []string

func (r roles) Roles() []string { return r }

func (r roles) ProcessRole(call *plugin.Call, role string, text plugin.Text, post *Post) error {
	return call.Printf("%s %s %d %s %s %s", role, text, post.ID(), post.Author(), post.Title(),
		post.Contents())
}

type contents struct{}

func (contents) ProcessContents(call *plugin.Call, contents plugin.Text, post *Post) error {
	return call.Print("<", contents.String(), "|", post.Author().String(), ">")
}

type panics struct{ roles }

func (panics) Roles() []string { panic("no roles") }

// enter calls f as an exported function; the answer is the output, or status and error text.
func enter(f func(call *plugin.Call) error) (string, plugin.Status, string) {
	host := testhost.New(1 << 20)
	defer host.Close()
	host.Lend()
	status := plugin.Guard(host.Call(), f)
	return host.Output(), status, host.Error()
}

// Hooks claim what is registered, in order, and nothing else.
func TestHooks(t *testing.T) {
	hundred := strings.Repeat("x", 100)
	cases := []struct {
		register func(r *registry)
		want     string
	}{
		{func(r *registry) {}, ""},
		{func(r *registry) { r.addContents(contents{}) }, "contents\n"},
		{
			func(r *registry) { r.addRoles(roles{"b", "a"}); r.addRoles(roles{"c_1"}) },
			"role:b\nrole:a\nrole:c_1\n",
		},
		{func(r *registry) { r.addRoles(roles{"a"}); r.addContents(contents{}) }, "role:a\ncontents\n"},
		{func(r *registry) { r.addRoles(roles{hundred}) }, "role:" + hundred + "\n"},
	}
	for _, c := range cases {
		var r registry
		c.register(&r)
		if got, status, text := enter(r.writeHooks); got != c.want || status != plugin.OK {
			t.Errorf("got %q, %d, %q; want %q", got, status, text, c.want)
		}
	}
}

// A wrong registration does not panic: hooks refuses, and says which it was.
func TestWrongRegistrations(t *testing.T) {
	cases := []struct {
		register func(r *registry)
		want     string
	}{
		{func(r *registry) { r.addRoles(nil) }, "RegisterRoles was given nil"},
		{func(r *registry) { r.addContents(nil) }, "RegisterContents was given nil"},
		{func(r *registry) { r.addRoles(panics{}) }, "Roles of htmlize.panics panicked: no roles"},
		{func(r *registry) { r.addRoles(roles{""}) }, `role "" is not 1 to 100 of [0-9A-Za-z_]`},
		{func(r *registry) { r.addRoles(roles{"a-b"}) }, `role "a-b" is not`},
		{func(r *registry) { r.addRoles(roles{"é"}) }, `role "é" is not`},
		{func(r *registry) { r.addRoles(roles{"a\nrole:b"}) }, `role "a\nrole:b" is not`},
		{func(r *registry) { r.addRoles(roles{strings.Repeat("x", 101)}) }, "is not 1 to 100"},
		{func(r *registry) { r.addRoles(roles{"a", "a"}) }, `role "a" is registered twice`},
		{
			func(r *registry) { r.addContents(contents{}); r.addContents(contents{}) },
			"contents are registered twice, by htmlize.contents and htmlize.contents",
		},
	}
	for _, c := range cases {
		var r registry
		c.register(&r)
		got, status, text := enter(r.writeHooks)
		if status != plugin.Invalid || !strings.Contains(text, c.want) || got != "" {
			t.Errorf("got %q, %d, %q; want %q", got, status, text, c.want)
		}
	}
}

// A role goes to the processor that listed it, with the post's fields.
func TestProcessRole(t *testing.T) {
	var r registry
	r.addRoles(roles{"a", "b"})
	post := (*Post)(testhost.Post(-7, "Joe", "Pie", "I like pie"))
	call := func(role string) (string, plugin.Status, string) {
		return enter(func(call *plugin.Call) error {
			name, text := plugin.TextAt(testhost.Text(role)), plugin.TextAt(testhost.Text("text"))
			return r.processRole(call, name, text, post)
		})
	}
	if got, _, text := call("b"); got != "b text -7 Joe Pie I like pie" {
		t.Errorf("got %q, %q", got, text)
	}
	for _, role := range []string{"c", "", "A", "ab"} {
		if _, status, text := call(role); status != plugin.Invalid || !strings.Contains(text, `"`+role+`"`) {
			t.Errorf("role %q: status %d, %q", role, status, text)
		}
	}
}

// The name that a processor gets is its own: it lives on when what the host lent is gone.
func TestRoleNameMayBeKept(t *testing.T) {
	var kept string
	var r registry
	r.addRoles(keeper{roles{"abc"}, &kept})
	lent := testhost.Text("abc")
	enter(func(call *plugin.Call) error {
		return r.processRole(call, plugin.TextAt(lent), plugin.Text{}, nil)
	})
	testhost.Overwrite(lent)
	if kept != "abc" {
		t.Errorf("the name became %q", kept)
	}
}

type keeper struct {
	roles
	kept *string
}

func (k keeper) ProcessRole(_ *plugin.Call, role string, _ plugin.Text, _ *Post) error {
	*k.kept = role
	return nil
}

// Contents go to the hook; without one, the exported function says that there is none.
func TestProcessContents(t *testing.T) {
	var r registry
	post := (*Post)(testhost.Post(1, "Joe", "", ""))
	call := func() (string, plugin.Status, string) {
		return enter(func(call *plugin.Call) error {
			return r.processContents(call, plugin.TextAt(testhost.Text("pie")), post)
		})
	}
	if _, status, text := call(); status != plugin.Failed || text != "this plugin has no contents hook" {
		t.Errorf("status %d, %q", status, text)
	}
	r.addContents(contents{})
	if got, _, text := call(); got != "<pie|Joe>" {
		t.Errorf("got %q, %q", got, text)
	}
}

// Posts gives titles and the host's own errors; it is absent where the host lends none.
func TestPosts(t *testing.T) {
	title := func(id int64) func(call *plugin.Call) error {
		return func(call *plugin.Call) error {
			posts, ok := PostsOf(call)
			if !ok {
				return plugin.Fail(plugin.Failed, "no posts")
			}
			title, err := posts.Title(id)
			if err != nil {
				return err
			}
			return call.WriteText(title)
		}
	}
	if got, _, text := enter(title(42)); got != "Pie" {
		t.Errorf("got %q, %q", got, text)
	}
	if _, status, text := enter(title(7)); status != plugin.Failed || text != "no post 7" {
		t.Errorf("status %d, %q", status, text)
	}
	host := testhost.New(10)
	defer host.Close()
	if status := plugin.Guard(host.Call(), title(42)); status != plugin.Failed || host.Error() != "no posts" {
		t.Errorf("without service: status %d, %q", status, host.Error())
	}
}
