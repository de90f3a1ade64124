package schedule

import (
	"slices"
	"sync"
	"time"
)

// Outcome is how a job's last run went.
type Outcome struct {
	Job     string        `json:"job"`
	Every   time.Duration `json:"every"`   // nanoseconds between starts
	Started time.Time     `json:"started"` // of the last run that ended; zero before the first end
	Took    time.Duration `json:"took"`    // nanoseconds
	Error   string        `json:"error,omitempty"`
	// Failures counts the runs since the last one that went well.
	Failures int `json:"failures,omitempty"`
}

// Board remembers how the last run of each job went, so that a job that fails quietly for days is seen by somebody. The
// zero value is ready.
type Board struct {
	mu   sync.Mutex
	jobs []Outcome // in the order of the schedule
}

// Outcomes returns a copy, in the order of the schedule. A job that has not ended once stands there without a start.
func (b *Board) Outcomes() []Outcome {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.jobs)
}

// list writes the jobs down that will run.
func (b *Board) list(jobs []Job) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, j := range jobs {
		b.jobs = append(b.jobs, Outcome{Job: j.Name, Every: j.Every})
	}
}

// said returns with what the job's last run failed.
func (b *Board) said(job string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := b.find(job); i >= 0 {
		return b.jobs[i].Error
	}
	return ""
}

func (b *Board) find(job string) int {
	return slices.IndexFunc(b.jobs, func(o Outcome) bool { return o.Job == job })
}

func (b *Board) write(job string, started time.Time, took time.Duration, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := b.find(job)
	if i < 0 {
		return
	}
	o := &b.jobs[i]
	o.Started, o.Took, o.Error = started.UTC(), took, ""
	if err == nil {
		o.Failures = 0
		return
	}
	o.Error = err.Error()
	o.Failures++
}
