package plugin

import (
	"fmt"
	"path"
	"runtime"
	"strconv"
	"strings"
	"unsafe"
)

// Guard is the body of every exported function: it runs f with the call that the host passed (a loader_call
// pointer), tells the host about its error, and returns the status to return to the host. A panic in f, those
// of the runtime included (nil pointer, index out of range, nil map), does not leave Guard: it becomes
// [Panicked] with its text and the place where it happened. See the package's rules for what cannot be
// caught.
//
// f runs on the goroutine that was entered, and does not keep the Call.
func Guard(call unsafe.Pointer, f func(call *Call) error) (status Status) {
	c := (*Call)(call)
	ended := false
	defer func() {
		if !ended { // what recover gives does not tell: before Go 1.21, panic(nil) gives nil
			status = c.fail(Panicked, panicText(recover())+panicPlace())
		}
	}()
	status = OK
	if err := f(c); err == error(Done) {
		status = Done // which needs no text
	} else if err != nil {
		status = c.fail(StatusOf(err), err.Error())
	}
	ended = true
	return status
}

// panicText is what a panic said. fmt survives Error and String methods that panic themselves.
func panicText(value any) string { return fmt.Sprint(value) }

// panicPlace is " (file.go:12)": where the panic that is being recovered was raised, or "" if it is not
// known. Called by the deferred function itself, while the panicking frames are still on the stack.
func panicPlace() string {
	var counters [64]uintptr
	frames := runtime.CallersFrames(counters[:runtime.Callers(2, counters[:])])
	for raised := false; ; {
		frame, more := frames.Next()
		inRuntime := strings.HasPrefix(frame.Function, "runtime.")
		if raised && !inRuntime && frame.File != "" {
			return " (" + path.Base(frame.File) + ":" + strconv.Itoa(frame.Line) + ")"
		}
		raised = raised || frame.Function == "runtime.gopanic"
		if !more {
			return ""
		}
	}
}
