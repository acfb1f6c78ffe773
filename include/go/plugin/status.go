package plugin

import (
	"errors"
	"fmt"
	"strconv"
)

// Status is what a contract function returns. It is an error by itself: return plugin.Cancelled. OK is no
// error: return nil, not OK.
type Status int32

// The numbers of loader/plugin.h, enum loader_status.
const (
	OK        Status = 0 // it worked; what was written is the result
	Failed    Status = 1 // it did not; the error's text says why
	NoMemory  Status = 2 // an allocation failed, or the host's limit of output was reached
	Invalid   Status = 3 // an argument's value is not acceptable
	Cancelled Status = 4 // stopped because the host asked
	Deadline  Status = 5 // stopped because time was up
	Panicked  Status = 6 // a panic was caught at the plugin's edge; set by [Guard]
	Exception Status = 7 // an exception was caught at the plugin's edge: what the C++ kit answers, never this one
	Done      Status = 8 // there is nothing more: of the function `next` of a class
)

// Error says what the status means. Any goroutine.
func (status Status) Error() string {
	switch status {
	case OK:
		return "no error"
	case Failed:
		return "failed"
	case NoMemory:
		return "no memory, or the limit of output was reached"
	case Invalid:
		return "invalid argument"
	case Cancelled:
		return "cancelled"
	case Deadline:
		return "deadline exceeded"
	case Panicked:
		return "panicked"
	case Exception:
		return "threw an exception"
	case Done:
		return "done"
	}
	return "status " + strconv.Itoa(int(status))
}

// Error is an error with the status that the exported function returns for it. Plain Go memory: it may be
// kept and shared.
type Error struct {
	Status Status
	Err    error // the text, and what it was caused by; not nil
}

// Error is the text that the host gets.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the cause to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is(err, plugin.Invalid) true of an Error with that status.
func (e *Error) Is(target error) bool { return target == error(e.Status) }

// Fail makes an error with a status and a formatted text (as fmt.Errorf, %w too). For status Failed,
// fmt.Errorf and errors.New do as well: an error without a status is Failed. Any goroutine.
func Fail(status Status, format string, arguments ...any) error {
	return &Error{Status: status, Err: fmt.Errorf(format, arguments...)}
}

// StatusOf is the status that an exported function returns for err: OK for nil, else that of the first Error
// in its chain, else the first Status in it, else Failed. Any goroutine.
func StatusOf(err error) Status {
	if err == nil {
		return OK
	}
	status := Failed
	var withStatus *Error
	if errors.As(err, &withStatus) {
		status = withStatus.Status
	} else {
		errors.As(err, &status)
	}
	if status == OK { // an error is never a success, whatever it claims
		return Failed
	}
	return status
}
