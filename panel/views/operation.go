package views

import "time"

// OnServer is the AskedBy of what root asked for on the server itself.
const OnServer = "local"

// Operation is the progress of one operation. Template operation.
type Operation struct {
	Base
	Progress
	Subject   string // site's address or association's name
	SiteID    string // leads to the site once it is there; "" hides the link
	SiteURL   string // https://… to open the site when it is ready; "" hides the button
	AssocSlug string // leads to the association; "" hides the link
	AskedBy   string // "" for what the panel decided by itself
	AskedAt   time.Time
	Cancel    bool // the person may cancel, and it is not too late
	Retry     bool // the person may have a stuck operation go on
	Pivoted   bool // going on is the only way: says why cancelling is over
}

func (Operation) template() string { return "operation" }
func (p Operation) area() Area     { return sitesArea(p.Base) }

// Progress is the part of Operation that moves; Set.RenderPart draws it for server-sent events.
type Progress struct {
	ID    string
	Kind  OperationKind
	State OperationState
	Cause Cause // why it is retrying, undone or needs a person
	Steps []Step
	Log   []LogLine // oldest first
}

func (Progress) part() string { return "progress-event" }

// Done counts the finished steps.
func (p Progress) Done() int {
	n := 0
	for _, s := range p.Steps {
		if s.State == StepDone {
			n++
		}
	}
	return n
}

// Current is the number (from 1) of the step at work, or of the next one.
func (p Progress) Current() int {
	for i, s := range p.Steps {
		if s.State != StepDone {
			return i + 1
		}
	}
	return len(p.Steps)
}

// Step is one line of an operation's progress.
type Step struct {
	Name    string // of the step in the plan; "step.<kind>.<name>" or "step.<name>" in the catalogues
	Title   string // words for a step the catalogues do not know; "" falls back to Name
	State   StepState
	Took    time.Duration // so far, when it is at work
	Attempt int           // 2 and more are told
	// Progress is how far it is, nil when it does not tell.
	Progress *StepProgress
}

// StepProgress is how far a step at work is.
type StepProgress struct {
	Done, Total int64 // Total is 0 when it is unknown
	Unit        string
}

// Bytes reports whether it is read as a size.
func (p StepProgress) Bytes() bool { return p.Unit == "bytes" }

// LogLine is one line of an operation's log, put into words by the catalogues.
type LogLine struct {
	At    time.Time
	Event LogEvent
	Step  string // name of the step, "" for the operation as a whole
	Title string // as Step.Title
	Cause Cause
	Took  time.Duration
}

// LogEvent is what a line of the log tells.
type LogEvent string

// The events of an operation's log.
const (
	LogAsked     LogEvent = "asked"
	LogTaken     LogEvent = "taken" // a worker took it, or took it over
	LogStarted   LogEvent = "started"
	LogDone      LogEvent = "done"
	LogFound     LogEvent = "found" // already done before a crash, recognised
	LogRetry     LogEvent = "retry"
	LogFailed    LogEvent = "failed"
	LogCancelled LogEvent = "cancelled" // somebody asked to cancel
	LogUndoing   LogEvent = "undoing"
	LogUndone    LogEvent = "undone"
	LogFinished  LogEvent = "finished"
	LogStuck     LogEvent = "stuck" // needs a person
)

// OperationRow is an operation in a list or in a site's history.
type OperationRow struct {
	ID      string
	Kind    OperationKind
	State   OperationState
	Subject string
	AskedBy string // "" for what the panel decided by itself
	AskedAt time.Time
	Took    time.Duration // 0 while it runs
}
