package api

// Code names what went wrong; programs compare it, people read Message.
type Code string

// The codes an answer may carry.
const (
	CodeUnauthenticated Code = "unauthenticated"
	CodeForbidden       Code = "forbidden"
	CodeStepUp          Code = "step_up"
	CodeStaleForm       Code = "csrf"
	CodeNotFound        Code = "not_found"
	CodeInvalid         Code = "invalid"
	CodeMalformed       Code = "malformed"
	CodeConflict        Code = "conflict"
	CodeBusy            Code = "busy"
	CodeTooLate         Code = "too_late"
	CodeTooLarge        Code = "too_large"
	CodeTooMany         Code = "too_many"
	CodeMethod          Code = "method_not_allowed"
	CodeDiskFull        Code = "disk_full"
	CodeUnavailable     Code = "unavailable"
	CodeInternal        Code = "internal"
)

// Envelope is the body of every answer that is not a success.
type Envelope struct {
	Error Error `json:"error"`
}

// Error says what went wrong, and what is wrong with each field when the wish itself is at fault.
type Error struct {
	Code      Code    `json:"code"`
	Message   string  `json:"message"`
	Faults    []Fault `json:"faults,omitempty"`
	RequestID string  `json:"request_id"`
}

// Error makes it an error for clients.
func (e *Error) Error() string { return e.Message }

// Fault is one field at fault.
type Fault struct {
	Field    string `json:"field"`
	Code     string `json:"code"`
	Proposal string `json:"proposal,omitempty"`
}

// Exit codes of the command line, documented in docs/admin.md.
const (
	ExitOK          = 0
	ExitFailed      = 1 // the operation ended undone, or something unforeseen
	ExitUsage       = 2
	ExitInvalid     = 3
	ExitNotFound    = 4
	ExitForbidden   = 5
	ExitConflict    = 6
	ExitUnavailable = 7
	ExitStuck       = 8 // the operation needs a person
)

var exits = map[Code]int{
	CodeUnauthenticated: ExitForbidden, CodeForbidden: ExitForbidden, CodeStepUp: ExitForbidden, CodeStaleForm: ExitForbidden,
	CodeNotFound: ExitNotFound, CodeInvalid: ExitInvalid, CodeMalformed: ExitInvalid, CodeTooLarge: ExitInvalid,
	CodeConflict: ExitConflict, CodeBusy: ExitConflict, CodeTooLate: ExitConflict,
	CodeTooMany: ExitUnavailable, CodeDiskFull: ExitUnavailable, CodeUnavailable: ExitUnavailable,
}

// Exit returns the exit code of the command line for an error code.
func Exit(c Code) int {
	if n, ok := exits[c]; ok {
		return n
	}
	return ExitFailed
}
