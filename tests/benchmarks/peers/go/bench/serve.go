package bench

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// What is called; the same texts as documents.py.
const (
	Text  = "eighteen bytes txt"
	Title = "Rhubarb pie"
	Error = "no post 42"
)

var (
	callTexts = map[string]string{
		"call":      Text,
		"call-text": "cafés à Orléans",
		"call-4k":   strings.Repeat("rhubarb pie and ", 256),
		"call-1m":   strings.Repeat("rhubarb pie and ", 65536),
	}
)

// Peer is an opened system.
type Peer struct {
	ProcessRole Role
	Fail        func() error                    // a call that fails
	CallBack    func(count int) (string, error) // count calls into the host, inside one call of the plugin
	ByValue     bool                            // documents: the post's contents go along with every role
	Close       func()
}

// System opens peers, and loads plugins in a fresh process.
type System struct {
	Open func(variant string) (*Peer, error)
	Load func(variant string, count int) ([]Role, error)
}

// Cleanup ends the plugins that a load started.
var Cleanup = func() {}

// NewPost is post 42 by Joe.
func NewPost() *Post { return &Post{ID: 42, Author: "Joe"} }

// Folder is where everything built is.
func Folder() string { return os.Getenv("BENCHMARKS") }

// Binary is the path of a built Go plugin.
func Binary(name string) string { return filepath.Join(Folder(), "go", name) }

type request struct {
	Do, System, Variant, Job string
	Calls, Batches           int
	Core                     *int
	Window                   int64 // nanoseconds
}

type host struct {
	systems map[string]System
	opened  map[string]*Peer
	failed  map[string]error
	texts   map[string]string
	posts   []string
	joined  string
	many    map[*Peer]map[string]Role // roles-1000: registered once
	sink    string
}

// Serve is the main function of every host: see peers/python/worker.py for the protocol.
func Serve(systems map[string]System) {
	h := &host{
		systems: systems, opened: map[string]*Peer{}, failed: map[string]error{}, texts: map[string]string{},
		many: map[*Peer]map[string]Role{},
	}
	out := os.Stdout
	os.Stdout = os.Stderr // what a plugin prints must not mix with answers
	if len(os.Args) == 5 && (os.Args[1] == "--load" || os.Args[1] == "--memory") {
		count, _ := strconv.Atoi(os.Args[4])
		answer, err := h.load(os.Args[2], os.Args[3], count, os.Args[1] == "--memory")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		json.NewEncoder(out).Encode(answer)
		out.Close() // the runner has its answer; ending plugins is not part of it
		Cleanup()
		os.Exit(0)
	}
	answers := json.NewEncoder(out)
	answers.SetEscapeHTML(false)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			panic(err)
		}
		answer, err := h.answer(r)
		if err != nil {
			answer = map[string]any{"error": err.Error()}
		}
		answers.Encode(answer)
	}
	for _, peer := range h.opened {
		if peer.Close != nil {
			peer.Close()
		}
	}
}

func (h *host) answer(r request) (any, error) {
	key := r.System + "\x00" + r.Variant
	peer := h.opened[key]
	if peer == nil {
		system, ok := h.systems[r.System]
		if !ok {
			return nil, fmt.Errorf("this host has no system %q", r.System)
		}
		var err error
		if err = h.failed[key]; err == nil {
			peer, err = system.Open(r.Variant)
		}
		if err != nil { // not tried again: opening a broken Go plugin twice hangs
			h.failed[key] = err
			return nil, err
		}
		h.opened[key] = peer
	}
	switch r.Do {
	case "check":
		text, err := h.check(peer, r.Job)
		if len(text) > 1000 {
			text = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text)))
		}
		return map[string]any{"answer": text}, err
	case "threads":
		return h.threads(peer, r)
	}
	return h.run(peer, r)
}

// warm is the part of a batch that is run before the clock starts, in short calls: caches are another host's.
const warm = 20

// run times batches of one job.
func (h *host) run(peer *Peer, r request) (any, error) {
	each := max(1, r.Calls/r.Batches)
	if r.Core != nil {
		defer pin(*r.Core)()
	}
	if each >= warm {
		if err := h.loop(peer, r.Job, each/warm); err != nil {
			return nil, err
		}
	}
	figures := make([]int64, 0, r.Batches)
	for range r.Batches {
		start := time.Now()
		if err := h.loop(peer, r.Job, each); err != nil {
			return nil, err
		}
		figures = append(figures, time.Since(start).Nanoseconds())
	}
	return map[string]any{"ns": figures, "each": each}, nil
}

// loop runs a job count times. It is what is timed.
func (h *host) loop(peer *Peer, job string, count int) error {
	var html string
	var err error
	post := NewPost()
	switch job {
	case "call", "call-text", "call-4k", "call-1m":
		text := callTexts[job]
		process := peer.ProcessRole
		for i := 0; i < count && err == nil; i++ {
			html, err = process("tt", text, post)
		}
	case "error":
		for range count {
			if peer.Fail() == nil {
				return errors.New("it did not fail")
			}
		}
	case "callback":
		html, err = peer.CallBack(count)
	case "document-small":
		if h.posts == nil {
			h.posts = strings.Split(h.text("small"), "\x00")
		}
		for i := 0; i < count && err == nil; i++ {
			html, err = h.render(peer, h.posts[i%len(h.posts)], 1)
		}
	case "document-small-joined":
		if h.joined == "" {
			h.joined = strings.ReplaceAll(h.text("small"), "\x00", "\n\n")
		}
		for i := 0; i < count && err == nil; i++ {
			html, err = h.render(peer, h.joined, 1)
		}
	default:
		name, many := "dense", 1
		if job == "document-prose" {
			name = "prose"
		} else if job == "roles-1000" {
			many = 1000
		}
		text := h.text(name)
		for i := 0; i < count && err == nil; i++ {
			html, err = h.render(peer, text, many)
		}
	}
	h.sink = html
	return err
}

func (h *host) check(peer *Peer, job string) (string, error) {
	if job == "error" {
		if err := peer.Fail(); err != nil {
			if strings.Contains(err.Error(), Error) { // some wrap it: "rpc error: code = … desc = …"
				return Error, nil
			}
			return err.Error(), nil
		}
		return "it did not fail", nil
	}
	if job == "document-small" {
		var all []string
		for _, text := range strings.Split(h.text("small"), "\x00")[:50] {
			html, err := h.render(peer, text, 1)
			if err != nil {
				return "", err
			}
			all = append(all, html)
		}
		return strings.Join(all, "\x00"), nil
	}
	count := 1
	if job == "callback" {
		count = 3
	}
	err := h.loop(peer, job, count)
	return h.sink, err
}

func (h *host) render(peer *Peer, text string, many int) (string, error) {
	roles := map[string]Role{"tt": peer.ProcessRole}
	if many > 1 {
		if h.many[peer] == nil {
			for number := range many - 1 {
				roles["role_"+strconv.Itoa(number)] = peer.ProcessRole
			}
			h.many[peer] = roles
		}
		roles = h.many[peer]
	}
	post := NewPost()
	if peer.ByValue {
		post.Contents = text
	}
	return Htmlize(text, roles, post)
}

func (h *host) text(name string) string {
	if text, ok := h.texts[name]; ok {
		return text
	}
	data, err := os.ReadFile(filepath.Join(Folder(), "documents", name+".txt"))
	if err != nil {
		panic(err)
	}
	h.texts[name] = string(data)
	return h.texts[name]
}

// load is from paths to plugins that answered one call each, in this fresh process: its time or, to weigh it, its
// memory.
func (h *host) load(system, variant string, count int, weigh bool) (any, error) {
	runtime.GC()
	var rss, private int
	if weigh {
		memory()
		rss, private = memory()
	}
	start := time.Now()
	roles, err := h.systems[system].Load(variant, count)
	if err != nil {
		return nil, err
	}
	for _, role := range roles {
		html, err := role("tt", Text, NewPost())
		if err != nil {
			return nil, err
		}
		if html != "<tt>"+Text+"</tt>" {
			return nil, fmt.Errorf("answered %q", html)
		}
	}
	elapsed := time.Since(start)
	if !weigh {
		return map[string]any{"ns": elapsed.Nanoseconds(), "loaded": len(roles)}, nil
	}
	rssAfter, privateAfter := memory()
	return map[string]any{
		"rss_before": rss, "rss_after": rssAfter, "private_before": private, "private_after": privateAfter,
	}, nil
}

// memory is the resident and the private KiB of this process and its children.
func memory() (rss, private int) {
	waiting := []string{strconv.Itoa(os.Getpid())}
	for len(waiting) > 0 {
		process := waiting[0]
		waiting = waiting[1:]
		tasks, _ := filepath.Glob("/proc/" + process + "/task/*/children")
		for _, task := range tasks {
			data, _ := os.ReadFile(task)
			waiting = append(waiting, strings.Fields(string(data))...)
		}
		data, _ := os.ReadFile("/proc/" + process + "/smaps_rollup")
		for _, line := range strings.Split(string(data), "\n") {
			fields := strings.Fields(line)
			if len(fields) < 2 {
				continue
			}
			value, _ := strconv.Atoi(fields[1])
			switch {
			case fields[0] == "Rss:":
				rss += value
			case strings.HasPrefix(fields[0], "Private_") && fields[0] != "Private_Hugetlb:":
				private += value
			}
		}
	}
	return rss, private
}
