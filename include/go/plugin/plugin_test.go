package plugin_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"native-plugin.example/internal/testhost"
	"native-plugin.example/plugin"
)

// run enters f as a host enters an exported function.
func run(t *testing.T, most int, f func(call *plugin.Call) error) (testhost.Host, plugin.Status) {
	t.Helper()
	host := testhost.New(most)
	t.Cleanup(host.Close)
	return host, plugin.Guard(host.Call(), f)
}

func wantOutput(t *testing.T, host testhost.Host, status plugin.Status, want string) {
	t.Helper()
	if status != plugin.OK || host.Output() != want {
		t.Errorf("status %d, error %q, output %.100q, want %.100q", status, host.Error(), host.Output(), want)
	}
}

func wantFailure(t *testing.T, host testhost.Host, status, want plugin.Status, text string) {
	t.Helper()
	if status != want || host.Error() != text {
		t.Errorf("status %d, error %.200q; want %d, %.200q", status, host.Error(), want, text)
	}
}

// All ways of writing append to one result, across growths that move it.
func TestWriting(t *testing.T) {
	long := strings.Repeat("0123456789", 100_000)
	host, status := run(t, 1<<30, func(call *plugin.Call) error {
		call.WriteString("")
		call.Write(nil)
		call.Write([]byte("a"))
		call.WriteString("b")
		call.WriteByte('c')
		call.WriteRune('é')
		call.WriteText(plugin.TextAt(testhost.Text("d")))
		call.Print("e", "", "f")
		call.Printf("%d%s", 7, plugin.TextAt(testhost.Text("g")))
		call.WriteString(long)
		room := call.Reserve(10)
		call.Commit(copy(room, "h"))
		return nil
	})
	wantOutput(t, host, status, "abcédef7g"+long+"h")
}

// What was reserved can be filled without a call into the host.
func TestReserveGrowsOnce(t *testing.T) {
	host, status := run(t, 100, func(call *plugin.Call) error {
		call.Commit(len(call.Reserve(100)[:0]))
		for i := 0; i < 100; i++ {
			if err := call.WriteByte('x'); err != nil {
				return err
			}
		}
		return nil
	})
	wantOutput(t, host, status, strings.Repeat("x", 100))
	if grown, _ := host.Counts(); grown != 1 {
		t.Errorf("grow was called %d times, want once", grown)
	}
}

// Nothing at all may be written: no room is asked for.
func TestWritingNothing(t *testing.T) {
	host, status := run(t, 0, func(call *plugin.Call) error { return call.Print() })
	wantOutput(t, host, status, "")
	if grown, _ := host.Counts(); grown != 0 {
		t.Errorf("grow was called %d times", grown)
	}
}

// Without room each way of writing returns NoMemory and writes nothing.
func TestNoRoom(t *testing.T) {
	abcd := plugin.TextAt(testhost.Text("abcd"))
	ways := map[string]func(call *plugin.Call) error{
		"Write":       func(call *plugin.Call) error { _, err := call.Write([]byte("abcd")); return err },
		"WriteString": func(call *plugin.Call) error { _, err := call.WriteString("abcd"); return err },
		"WriteByte":   func(call *plugin.Call) error { call.WriteString("abc"); return call.WriteByte('d') },
		"WriteRune":   func(call *plugin.Call) error { _, err := call.WriteRune('😀'); return err },
		"WriteText":   func(call *plugin.Call) error { return call.WriteText(abcd) },
		"Print":       func(call *plugin.Call) error { return call.Print("ab", "cd") },
		"Printf":      func(call *plugin.Call) error { return call.Printf("%d", 1234) },
		"Reserve": func(call *plugin.Call) error {
			if call.Reserve(4) == nil {
				return plugin.NoMemory
			}
			return nil
		},
		"Reserve below nothing": func(call *plugin.Call) error {
			if call.Reserve(-1) == nil {
				return plugin.NoMemory
			}
			return nil
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			host, status := run(t, 3, way)
			wantFailure(t, host, status, plugin.NoMemory, plugin.NoMemory.Error())
			if got := host.Output(); got != "" && got != "abc" {
				t.Errorf("wrote %q", got)
			}
		})
	}
}

// More cannot be committed than there is room for.
func TestCommitTooMuch(t *testing.T) {
	for _, size := range []int{11, -1} {
		host, status := run(t, 10, func(call *plugin.Call) error {
			call.Reserve(10)
			call.Commit(size)
			return nil
		})
		if status != plugin.Panicked || !strings.HasPrefix(host.Error(), "plugin: Commit of more") {
			t.Errorf("Commit(%d): status %d, %q", size, status, host.Error())
		}
	}
}

// An error ends the call with its status and its text, however it is wrapped.
func TestErrors(t *testing.T) {
	cases := []struct {
		err    error
		status plugin.Status
		text   string
	}{
		{errors.New("no pie"), plugin.Failed, "no pie"},
		{plugin.Fail(plugin.Invalid, "no %s", "pie"), plugin.Invalid, "no pie"},
		{fmt.Errorf("tt: %w", plugin.Fail(plugin.Deadline, "late")), plugin.Deadline, "tt: late"},
		{fmt.Errorf("tt: %w", plugin.Cancelled), plugin.Cancelled, "tt: cancelled"},
		{plugin.NoMemory, plugin.NoMemory, plugin.NoMemory.Error()},
		{plugin.OK, plugin.Failed, "no error"},
		{plugin.Fail(plugin.OK, "odd"), plugin.Failed, "odd"},
		{plugin.Status(99), 99, "status 99"},
		{errors.New("a\xffb\x00"), plugin.Failed, "a\uFFFDb\x00"},
		{errors.New(""), plugin.Failed, ""},
	}
	for _, c := range cases {
		host, status := run(t, 0, func(*plugin.Call) error { return c.err })
		wantFailure(t, host, status, c.status, c.text)
	}
	if err := plugin.Fail(plugin.Invalid, "x: %w", errors.ErrUnsupported); !errors.Is(err, plugin.Invalid) ||
		!errors.Is(err, errors.ErrUnsupported) || errors.Is(err, plugin.Failed) {
		t.Error("errors.Is does not see the status and the cause of Fail")
	}
	if plugin.StatusOf(nil) != plugin.OK || plugin.StatusOf(plugin.OK) != plugin.Failed {
		t.Error("nil alone is a success")
	}
}

type selfDestructing struct{}

func (selfDestructing) Error() string { panic("again") }

// Every panic of the entered goroutine becomes an error with its text and place.
func TestPanics(t *testing.T) {
	var nilMap map[string]int
	var nilPost *struct{ id int }
	none := []int{}
	const place = " (plugin_test.go:"
	cases := []struct {
		text string
		f    func()
	}{
		{"no pie" + place, func() { panic("no pie") }},
		{"no pie" + place, func() { panic(errors.New("no pie")) }},
		{"42" + place, func() { panic(42) }},
		{"assignment to entry in nil map" + place, func() { nilMap["a"] = 1 }},
		{
			"runtime error: invalid memory address or nil pointer dereference" + place,
			func() { nilPost.id = 1 },
		},
		{"runtime error: index out of range [3] with length 0" + place, func() { none[len("abc")] = 1 }},
		{"runtime error: integer divide by zero" + place, func() { none = make([]int, 1/len(none)) }},
		{"%!v(PANIC=Error method: again)" + place, func() { panic(selfDestructing{}) }},
		{"second", func() { defer func() { panic("second") }(); panic("first") }},
		{"a\uFFFD", func() { panic("a\xff") }},
	}
	for _, c := range cases {
		host, status := run(t, 0, func(*plugin.Call) error { c.f(); return nil })
		if status != plugin.Panicked || !strings.HasPrefix(host.Error(), c.text) {
			t.Errorf("status %d, %q; want %q", status, host.Error(), c.text)
		}
	}
	host, status := run(t, 0, func(*plugin.Call) error { return selfDestructing{} })
	if status != plugin.Panicked || !strings.HasPrefix(host.Error(), "again (plugin_test.go:") {
		t.Errorf("an error whose text panics: status %d, %q", status, host.Error())
	}
}

// A panic with nil, as modules of Go before 1.21 have it, is a panic all the same.
func TestPanicWithNil(t *testing.T) {
	t.Setenv("GODEBUG", "panicnil=1")
	host, status := run(t, 10, func(call *plugin.Call) error { call.WriteString("half"); panic(nil) })
	if status != plugin.Panicked || !strings.HasPrefix(host.Error(), "<nil> (plugin_test.go:") {
		t.Errorf("status %d, %q", status, host.Error())
	}
}

// A Call that the plugin made itself ends in a panic, never in C.
func TestCallOfOnesOwn(t *testing.T) {
	uses := map[string]func(call *plugin.Call){
		"Write":     func(call *plugin.Call) { call.WriteString("pie") },
		"Reserve":   func(call *plugin.Call) { call.Reserve(1) },
		"Log":       func(call *plugin.Call) { call.Log(plugin.LogInfo, "pie") },
		"Cancelled": func(call *plugin.Call) { call.Cancelled() },
		"Service":   func(call *plugin.Call) { call.Service("htmlize.posts/1") },
	}
	for name, use := range uses {
		for _, made := range []*plugin.Call{nil, {}} {
			host, status := run(t, 0, func(*plugin.Call) error { use(made); return nil })
			if status != plugin.Panicked || host.Error() == "" {
				t.Errorf("%s: status %d, %q", name, status, host.Error())
			}
		}
	}
}

// go vet tells of a copied Call.
func TestCallsAreNotCopied(t *testing.T) {
	if _, locks := any(new(plugin.Call)).(sync.Locker); locks {
		t.Error("a Call has the methods of a lock itself")
	}
	file := filepath.Join(t.TempDir(), "copies.go")
	text := "package main\n\nimport \"native-plugin.example/plugin\"\n\n" +
		"func keep(call *plugin.Call) { kept := *call; _ = kept.Cancelled() }\n\nfunc main() { keep(nil) }\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command("go", "vet", file).CombinedOutput()
	if err == nil || !strings.Contains(string(said), "assignment copies lock value") {
		t.Errorf("go vet says nothing of it: %v, %s", err, said)
	}
}

// Texts and bytes are no keys of maps, which would keep what they borrow.
func TestTextsAreNotComparable(t *testing.T) {
	for _, value := range []any{plugin.Text{}, plugin.Bytes{}} {
		if reflect.TypeOf(value).Comparable() {
			t.Errorf("%T can be compared", value)
		}
	}
}

// Copies of texts outlive what they were copied from; borrowed ones see it change.
func TestTextsAreBorrowed(t *testing.T) {
	at := testhost.Text("pie")
	text, bytes := plugin.TextAt(at), plugin.BytesAt(at)
	copied, borrowed := text.String(), text.Borrow()
	copiedBytes, borrowedBytes := bytes.Copy(), bytes.Borrow()
	if text.Len() != 3 || bytes.Len() != 3 || borrowed != "pie" || string(borrowedBytes) != "pie" {
		t.Fatal("the text is not read as it is")
	}
	testhost.Overwrite(at)
	if copied != "pie" || string(copiedBytes) != "pie" {
		t.Error("a copy changed with its original")
	}
	if borrowed != "xxx" || string(borrowedBytes) != "xxx" {
		t.Error("Borrow made a copy")
	}
}

// Texts without bytes may have no address.
func TestEmptyTexts(t *testing.T) {
	at := testhost.Text("")
	text, bytes := plugin.TextAt(at), plugin.BytesAt(at)
	if text.String() != "" || text.Borrow() != "" || len(bytes.Copy()) != 0 || len(bytes.Borrow()) != 0 ||
		(plugin.Text{}).String() != "" {
		t.Error("an empty text is not empty")
	}
}

// Log, Cancelled and Service reach the host and come back.
func TestAskingTheHost(t *testing.T) {
	host := testhost.New(0)
	defer host.Close()
	ask := func(f func(call *plugin.Call) error) {
		if status := plugin.Guard(host.Call(), f); status != plugin.OK {
			t.Errorf("status %d, %q", status, host.Error())
		}
	}
	ask(func(call *plugin.Call) error {
		call.Log(plugin.LogWarning, "pie \xff")
		if call.Service("htmlize.posts/1") != nil {
			t.Error("a service that is not lent is there")
		}
		return call.Cancelled()
	})
	if level, line := host.Logged(); level != 30 || line != "pie \uFFFD" {
		t.Errorf("logged %d %q", level, line)
	}
	host.Lend()
	host.Stop(int(plugin.Deadline))
	ask(func(call *plugin.Call) error {
		if call.Service("htmlize.posts/1") == nil {
			t.Error("the service that is lent is not there")
		}
		if call.Service("") != nil || call.Service("htmlize.posts/2") != nil {
			t.Error("another service is there")
		}
		if err := call.Cancelled(); err != plugin.Deadline {
			t.Errorf("Cancelled: %v", err)
		}
		return nil
	})
}

// A service's error carries its text; passed on unchanged, the host is not told a second time.
func TestErrorsOfServices(t *testing.T) {
	service := func(call *plugin.Call) error { // fails as a function of the host does
		plugin.Guard(unsafe.Pointer(call), func(*plugin.Call) error { return errors.New("no post") })
		return call.Err(1)
	}
	host, status := run(t, 0, service)
	wantFailure(t, host, status, plugin.Failed, "no post")
	if _, failed := host.Counts(); failed != 1 {
		t.Errorf("fail was called %d times, want once", failed)
	}
	host, status = run(t, 0, func(call *plugin.Call) error { return fmt.Errorf("title: %w", service(call)) })
	wantFailure(t, host, status, plugin.Failed, "title: no post")
	host, status = run(t, 0, func(call *plugin.Call) error { return call.Err(3) })
	wantFailure(t, host, status, plugin.Invalid, "invalid argument")
	run(t, 0, func(call *plugin.Call) error {
		if call.Err(0) != nil {
			t.Error("status 0 is an error")
		}
		return nil
	})
}

// The plugin's path is the host's, as a copy that may be kept.
func TestPluginPath(t *testing.T) {
	run(t, 0, func(call *plugin.Call) error {
		if path := call.PluginPath(); path != "/plugins/test.so" {
			t.Errorf("PluginPath: %q", path)
		}
		return nil
	})
}
