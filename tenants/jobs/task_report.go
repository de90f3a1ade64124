package jobs

import (
	"encoding/json"
	"strconv"
	"strings"

	"chatiere/tenants"
)

// taskReport is the relevant part of the output of the hook "cron". It is written inside the site: a false report affects
// that site only.
type taskReport struct {
	Failing     []failingTask `json:"failing"`
	Deaths      int           `json:"deaths"`        // of processes that had a page to answer, in the last day
	OutOfMemory int           `json:"out_of_memory"` // kills of the site's processes, in the last day
}

type failingTask struct {
	Name     string `json:"hook"`
	Failures int    `json:"times"` // in a row
	Reason   string `json:"why"`   // exit, time, killed, fatal
	Message  string `json:"said"`  // the error's message
}

// taskCodes are the findings that come from scheduled tasks.
var taskCodes = []tenants.FindingCode{
	tenants.FindingTasksFail, tenants.FindingTaskFails, tenants.FindingTaskExits, tenants.FindingSiteMemory, tenants.FindingSiteDeaths,
}

// parseTaskReport returns an empty report for any other output: other templates may print what they like.
func parseTaskReport(output string) (r taskReport) {
	line := output[strings.LastIndexByte(strings.TrimSpace(output), '\n')+1:]
	if json.Unmarshal([]byte(line), &r) != nil {
		return taskReport{}
	}
	return r
}

// findings returns the findings for a report. A task that exits by itself is distinguished from one that fails: some
// plugins exit when they have nothing to do.
func (r taskReport) findings(site string) (out []tenants.Finding) {
	add := func(code tenants.FindingCode, level tenants.Level, args map[string]string) {
		out = append(out, tenants.Finding{Area: tenants.AreaSite, Subject: site, Code: code, Level: level, Args: args})
	}
	var broken, ended []failingTask
	for _, t := range r.Failing {
		if t.Reason == "exit" {
			ended = append(ended, t)
		} else {
			broken = append(broken, t)
		}
	}
	if len(broken) > 0 {
		add(tenants.FindingTaskFails, tenants.LevelAttention, map[string]string{"tasks": names(broken), "said": truncate(cause(broken[0]), maxMessage)})
	}
	if len(ended) > 0 {
		add(tenants.FindingTaskExits, tenants.LevelNote, map[string]string{"tasks": names(ended)})
	}
	switch {
	case r.OutOfMemory > 0:
		add(tenants.FindingSiteMemory, tenants.LevelAttention, map[string]string{"count": strconv.Itoa(r.OutOfMemory)})
	case r.Deaths > 0:
		add(tenants.FindingSiteDeaths, tenants.LevelAttention, map[string]string{"count": strconv.Itoa(r.Deaths)})
	}
	return out
}

const (
	maxTasks   = 5   // that are named
	maxName    = 100 // characters of a name
	maxMessage = 300 // characters of a message
)

func names(tasks []failingTask) string {
	var out []string
	for _, t := range tasks[:min(len(tasks), maxTasks)] {
		out = append(out, truncate(t.Name, maxName))
	}
	if len(tasks) > maxTasks {
		out = append(out, "…")
	}
	return strings.Join(out, ", ")
}

// cause is the message of the error, or what ended the task without one.
func cause(t failingTask) string {
	switch {
	case t.Message != "":
		return t.Message
	case t.Reason == "time":
		return "10 min"
	}
	return "SIGKILL"
}

func truncate(text string, runes int) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	if r := []rune(text); len(r) > runes {
		return string(r[:runes-1]) + "…"
	}
	return text
}
