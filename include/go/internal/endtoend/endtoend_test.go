// Package endtoend builds plugins with the kit as their authors do, loads them into a C program, and looks at
// what comes out. It holds tests only.
package endtoend

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"testing"
)

var built string // the folder with driver, greeter.so and faulty.so

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	if runtime.GOOS != "linux" {
		fmt.Println("endtoend: written for Linux; skipped")
		return 0
	}
	folder, err := os.MkdirTemp("", "endtoend")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	built = folder
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "cc"
	}
	runTool(compiler, "-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror",
		"-I../../..", "-I../testhost", "testdata/driver.c", "-o", filepath.Join(folder, "driver"),
		"-ldl", "-lpthread")
	exports, err := filepath.Abs("../../exports.map")
	if err != nil {
		panic(err)
	}
	for _, name := range []string{"greeter", "faulty"} {
		runTool("go", "build", "-buildmode=c-shared", "-buildvcs=false", "-trimpath",
			"-ldflags=-s -w '-extldflags=-Wl,--version-script="+exports+"'",
			"-o", filepath.Join(folder, name+".so"), "./testdata/"+name)
	}
	return m.Run()
}

func runTool(name string, arguments ...string) {
	if output, err := exec.Command(name, arguments...).CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%s %v: %v\n%s", name, arguments, err, output))
	}
}

type answer struct {
	status        int
	error, output string
}

// drive makes calls, written "function text... , function text...", in one process on several threads.
func drive(t *testing.T, library string, threads, rounds int, calls string) []answer {
	t.Helper()
	arguments := []string{filepath.Join(built, library), fmt.Sprint(threads), fmt.Sprint(rounds)}
	arguments = append(arguments, strings.Fields(calls)...)
	command := exec.Command(filepath.Join(built, "driver"), arguments...)
	var complaint bytes.Buffer
	command.Stderr = &complaint
	output, err := command.Output()
	if err != nil {
		t.Fatalf("driver %v: %v\n%.2000s", arguments, err, complaint.String())
	}
	var answers []answer
	for rest := bytes.NewBuffer(output); rest.Len() != 0; {
		var status, errorSize, outputSize int
		if _, err := fmt.Fscanf(rest, "%d %d %d\n", &status, &errorSize, &outputSize); err != nil {
			t.Fatalf("driver's output: %v", err)
		}
		answers = append(answers, answer{status, string(rest.Next(errorSize)), string(rest.Next(outputSize))})
		rest.Next(1)
	}
	return answers
}

func check(t *testing.T, got answer, status int, errorBegin, output string) {
	t.Helper()
	sameError := strings.HasPrefix(got.error, errorBegin) && (errorBegin == "") == (got.error == "")
	if got.status != status || !sameError || got.output != output {
		t.Errorf("got %d %.200q %.200q, want %d %q %.200q", got.status, got.error, got.output, status,
			errorBegin, output)
	}
}

// A plugin exports its contract's functions and the markers of the handshake, and nothing else.
func TestExports(t *testing.T) {
	want := map[string]string{
		"greeter.so": "greet greeter_abi_1_0 loader_abi_1",
		"faulty.so":  "hooks htmlize_abi_1_0 htmlize_abi_1_0_is_0x289833ee10589802 loader_abi_1 process_contents process_role",
	}
	for library, names := range want {
		file, err := elf.Open(filepath.Join(built, library))
		if err != nil {
			t.Fatal(err)
		}
		symbols, err := file.DynamicSymbols()
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, symbol := range symbols {
			if symbol.Section != elf.SHN_UNDEF {
				found = append(found, symbol.Name)
			}
		}
		sort.Strings(found)
		if got := strings.Join(found, " "); got != names {
			t.Errorf("%s exports %s, want %s", library, got, names)
		}
		file.Close()
	}
}

// A contract of an application's own can be written with Guard.
func TestGreeter(t *testing.T) {
	answers := drive(t, "greeter.so", 0, 0, "greet World , greet Welt")
	check(t, answers[0], 0, "", "Hello, World!")
	check(t, answers[1], 0, "", "Hello, Welt!")
}

// Hooks claim the roles that are registered, and no contents; texts go in and come out whole.
func TestCalls(t *testing.T) {
	answers := drive(t, "faulty.so", 0, 0, "hooks , process_role echo pie , process_role echo @1000000 , "+
		"process_role echo @0 , process_role title @42 , process_role title @7 , process_contents pie , "+
		"process_role x y")
	check(t, answers[0], 0, "", "role:echo\nrole:title\nrole:collect\nrole:error\nrole:panic\nrole:nilmap\n"+
		"role:index\nrole:nilpointer\n")
	check(t, answers[1], 0, "", "pie|Joe")
	check(t, answers[2], 0, "", strings.Repeat("a", 1_000_000)+"|Joe")
	check(t, answers[3], 0, "", "|Joe")
	check(t, answers[4], 0, "", "Pie")
	check(t, answers[5], 1, "no post 7", "")
	check(t, answers[6], 1, "this plugin has no contents hook", "")
	check(t, answers[7], 3, `this plugin does not answer the role "x"`, "")
}

const wrong = "process_role panic pie , process_role nilmap x , process_role index pie , " +
	"process_role nilpointer x , process_role error pie , process_role echo alive"

func checkWrong(t *testing.T, answers []answer) {
	t.Helper()
	check(t, answers[0], 6, "on purpose: pie (faulty.go:", "")
	check(t, answers[1], 6, "assignment to entry in nil map (faulty.go:", "")
	check(t, answers[2], 6, "runtime error: index out of range [3] with length 3 (faulty.go:", "")
	check(t, answers[3], 6, "runtime error: invalid memory address or nil pointer dereference (post.go:", "")
	check(t, answers[4], 3, "no role for pie", "")
	check(t, answers[5], 0, "", "alive|Joe")
}

// A panic is an error with its text and place, and the process goes on.
func TestPanics(t *testing.T) { checkWrong(t, drive(t, "faulty.so", 0, 0, wrong)) }

// Many threads at once, each with panics in between, all get their own answers.
func TestThreads(t *testing.T) { checkWrong(t, drive(t, "faulty.so", 8, 500, wrong)) }

// Go's garbage collector leaves the host's memory alone, and calls survive it.
func TestGarbageCollection(t *testing.T) {
	answers := drive(t, "faulty.so", 4, 5, "process_role collect @1000")
	check(t, answers[0], 0, "", strings.Repeat("a", 100_000))
}
