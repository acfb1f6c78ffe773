package htmlize

import (
	"fmt"
	"strings"

	"native-plugin.example/plugin"
)

// RoleProcessor answers roles. Its methods may be called on several threads at once.
type RoleProcessor interface {
	// Roles names the roles that it answers, each 1 to 100 of [0-9A-Za-z_]. Called once, by RegisterRoles.
	Roles() []string

	// ProcessRole writes to call the HTML that replaces one :role:`text`. `role` is one of Roles and may be
	// kept; `text` is not escaped. `call`, `text` and `post` are borrowed until it returns. What is written
	// is not scanned for roles again. An error, or a panic, fails the document, or leaves the role as it
	// stood if the application asked for that.
	ProcessRole(call *plugin.Call, role string, text plugin.Text, post *Post) error
}

// ContentsProcessor changes whole contents. Its methods may be called on several threads at once.
type ContentsProcessor interface {
	// ProcessContents writes to call the whole contents anew, also where nothing changes. `contents` is HTML
	// in which roles are not yet replaced. `call`, `contents` and `post` are borrowed until it returns. An
	// error, or a panic, fails the document, or leaves the contents as they stood if the application asked
	// for that.
	ProcessContents(call *plugin.Call, contents plugin.Text, post *Post) error
}

// RegisterRoles makes the plugin answer the processor's roles. Call it from init: after that, the host reads
// what is registered on any thread. Several processors may be registered, each for other roles. It never
// panics, for a panic in init would end the host's process: what is wrong with a registration is told to the
// host when it asks for the hooks, and it refuses the plugin.
func RegisterRoles(processor RoleProcessor) { registered.addRoles(processor) }

// RegisterContents makes the plugin take part in whole contents. Call it from init, once. As RegisterRoles,
// it never panics.
func RegisterContents(processor ContentsProcessor) { registered.addContents(processor) }

// registered is what this plugin takes part in. Written by init functions only; read by any thread after.
var registered registry

type registry struct {
	roles    map[string]registeredRole
	hooks    strings.Builder // what the contract's function hooks writes
	contents ContentsProcessor
	problems []string
}

// registeredRole is a role and who answers it. The name is the plugin's own string, so it can be given to
// the processor for keeps without copying what the host lent.
type registeredRole struct {
	name      string
	processor RoleProcessor
}

const longestName = 100 // htmlize.h, hooks

func (r *registry) addRoles(processor RoleProcessor) {
	defer func() {
		if value := recover(); value != nil {
			r.refuse("Roles of %T panicked: %v", processor, value)
		}
	}()
	if processor == nil {
		r.refuse("RegisterRoles was given nil")
		return
	}
	for _, name := range processor.Roles() {
		if !isName(name) {
			r.refuse("role %.110q is not 1 to %d of [0-9A-Za-z_]", name, longestName)
			continue
		}
		if earlier, taken := r.roles[name]; taken {
			r.refuse("role %q is registered twice, by %T and %T", name, earlier.processor, processor)
			continue
		}
		if r.roles == nil {
			r.roles = make(map[string]registeredRole)
		}
		r.roles[name] = registeredRole{name: name, processor: processor}
		r.hooks.WriteString("role:" + name + "\n")
	}
}

func (r *registry) addContents(processor ContentsProcessor) {
	switch {
	case processor == nil:
		r.refuse("RegisterContents was given nil")
	case r.contents != nil:
		r.refuse("contents are registered twice, by %T and %T", r.contents, processor)
	default:
		r.contents = processor
		r.hooks.WriteString("contents\n")
	}
}

// refuse remembers what is wrong until the host asks.
func (r *registry) refuse(format string, arguments ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, arguments...))
}

// writeHooks is the contract's function hooks.
func (r *registry) writeHooks(call *plugin.Call) error {
	if len(r.problems) != 0 {
		return plugin.Fail(plugin.Invalid, "%s", strings.Join(r.problems, "; "))
	}
	return call.Print(r.hooks.String())
}

// processRole is the contract's function process_role.
func (r *registry) processRole(call *plugin.Call, role, text plugin.Text, post *Post) error {
	found, ok := r.roles[role.Borrow()] // only looked up: the key that is kept is the plugin's own
	if !ok {
		return plugin.Fail(plugin.Invalid, "this plugin does not answer the role %.110q", role.Borrow())
	}
	return found.processor.ProcessRole(call, found.name, text, post)
}

// processContents is the contract's function process_contents. The library exports it also when the plugin
// has no contents hook; the host then has no reason to call it.
func (r *registry) processContents(call *plugin.Call, contents plugin.Text, post *Post) error {
	if r.contents == nil {
		return plugin.Fail(plugin.Failed, "this plugin has no contents hook")
	}
	return r.contents.ProcessContents(call, contents, post)
}

func isName(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		if !('0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || c == '_') {
			return false
		}
	}
	return 1 <= len(name) && len(name) <= longestName
}
