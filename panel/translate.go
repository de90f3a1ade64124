package panel

import (
	"strconv"
	"time"

	"chatiere/panel/views"
	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// port returns the port suffix of links to sites.
func (s *Server) port() string {
	if s.o.Sites.Port == 0 || s.o.Sites.Port == 443 {
		return ""
	}
	return ":" + strconv.Itoa(s.o.Sites.Port)
}

// siteState is the state shown to people: the recorded state, corrected by the observed one.
func siteState(x tenants.Site) views.SiteState {
	switch x.State {
	case tenants.StateCreating:
		return views.SiteCreating
	case tenants.StateSuspended:
		return views.SiteSuspended
	case tenants.StateBinned:
		return views.SiteBinned
	case tenants.StateReady:
		switch x.Probe.Health {
		case tenants.HealthDown:
			return views.SiteDown
		case tenants.HealthAsleep:
			return views.SiteAsleep
		}
		// Never looked at is not unknown: a site only becomes ready after it has answered.
		return views.SiteReady
	}
	return views.SiteUnknown
}

func (s *Server) siteRow(x tenants.Site, a tenants.Association, requests map[string]int64) views.SiteRow {
	row := views.SiteRow{
		ID: x.ID, Name: x.Name, Host: x.Host, Template: s.templateTitle(x.Template), Association: a.Name, AssociationSlug: a.Slug,
		State: siteState(x),
	}
	if x.State == tenants.StateReady {
		row.URL, row.Checked = s.siteURL(x.Host), x.Probe.At
	}
	if requests != nil {
		row.RequestsToday = views.Known(requests[x.ID])
	}
	if x.DiskBytes > 0 {
		row.Disk = views.Known(x.DiskBytes)
	}
	return row
}

func (s *Server) templateTitle(name string) string {
	for _, t := range s.o.Catalogue.Templates() {
		if t.Name == name {
			return t.Title
		}
	}
	return name
}

// modes returns the modes that sites of a template may have; none where there is no choice.
func (s *Server) modes(template string) []string {
	for _, t := range s.o.Catalogue.Templates() {
		if t.Name == template && len(t.Modes) > 1 {
			return t.Modes
		}
	}
	return nil
}

func operationState(op operations.Operation) views.OperationState {
	switch op.State {
	case operations.Done:
		return views.OperationDone
	case operations.Undone:
		if op.Problem == string(operations.CauseCancelled) {
			return views.OperationCancelled
		}
		return views.OperationUndone
	case operations.Undoing:
		return views.OperationUndoing
	case operations.Stuck:
		return views.OperationStuck
	case operations.Running, operations.Queued:
		if op.Problem != "" {
			return views.OperationRetrying
		}
		if op.State == operations.Queued {
			return views.OperationQueued
		}
	}
	return views.OperationRunning
}

var stepStates = map[operations.StepState]views.StepState{
	operations.StepPending: views.StepPending, operations.StepDoing: views.StepDoing, operations.StepDone: views.StepDone,
	operations.StepUndoing: views.StepUndoing, operations.StepUndone: views.StepUndone,
}

func progressOf(op operations.Operation, now time.Time) views.Progress {
	p := views.Progress{ID: op.ID, Kind: views.OperationKind(op.Kind), State: operationState(op), Cause: views.Cause(op.Problem)}
	for _, step := range op.Steps {
		s := views.Step{Name: step.Name, State: stepState(op, step), Took: took(step.StartedAt, step.EndedAt, now), Attempt: step.Attempt}
		if step.Progress != nil {
			s.Progress = &views.StepProgress{Done: step.Progress.Done, Total: step.Progress.Total, Unit: step.Progress.Unit}
		}
		p.Steps = append(p.Steps, s)
	}
	p.Log = logOf(op, now)
	return p
}

func stepState(op operations.Operation, step operations.StepRecord) views.StepState {
	if step.State == operations.StepDoing && step.Error != "" {
		if op.State == operations.Stuck {
			return views.StepFailed
		}
		return views.StepRetrying
	}
	return stepStates[step.State]
}

func took(from, to *time.Time, now time.Time) time.Duration {
	if from == nil {
		return 0
	}
	if to == nil {
		return max(0, now.Sub(*from))
	}
	return max(0, to.Sub(*from))
}

// logOf renders the step rows as text; they contain the last of several attempts.
func logOf(op operations.Operation, now time.Time) []views.LogLine {
	lines := []views.LogLine{{At: op.CreatedAt, Event: views.LogAsked}}
	if op.StartedAt != nil {
		lines = append(lines, views.LogLine{At: *op.StartedAt, Event: views.LogTaken})
	}
	for _, step := range op.Steps {
		lines = append(lines, stepLines(op, step, now)...)
	}
	if op.Cancel {
		lines = append(lines, views.LogLine{At: lastAt(lines), Event: views.LogCancelled})
	}
	switch op.State {
	case operations.Undoing:
		lines = append(lines, views.LogLine{At: lastAt(lines), Event: views.LogUndoing, Cause: views.Cause(op.Problem)})
	case operations.Stuck:
		lines = append(lines, views.LogLine{At: lastAt(lines), Event: views.LogStuck, Cause: views.Cause(op.Problem)})
	case operations.Undone:
		lines = append(lines, views.LogLine{At: endOf(op, lines), Event: views.LogUndone, Cause: views.Cause(op.Problem)})
	case operations.Done:
		lines = append(lines, views.LogLine{At: endOf(op, lines), Event: views.LogFinished, Took: took(op.StartedAt, op.EndedAt, now)})
	}
	return lines
}

func stepLines(op operations.Operation, step operations.StepRecord, now time.Time) []views.LogLine {
	if step.StartedAt == nil {
		return nil
	}
	lines := []views.LogLine{{At: *step.StartedAt, Event: views.LogStarted, Step: step.Name}}
	switch {
	case step.State == operations.StepDone && step.EndedAt != nil:
		lines = append(lines, views.LogLine{At: *step.EndedAt, Event: views.LogDone, Step: step.Name, Took: took(step.StartedAt, step.EndedAt, now)})
	case step.State == operations.StepDoing && step.Error != "":
		lines = append(lines, views.LogLine{At: *step.StartedAt, Event: views.LogRetry, Step: step.Name, Cause: views.Cause(op.Problem)})
	}
	return lines
}

func lastAt(lines []views.LogLine) time.Time { return lines[len(lines)-1].At }

func endOf(op operations.Operation, lines []views.LogLine) time.Time {
	if op.EndedAt != nil {
		return *op.EndedAt
	}
	return lastAt(lines)
}

func operationRow(op operations.Operation, subject string) views.OperationRow {
	row := views.OperationRow{
		ID: op.ID, Kind: views.OperationKind(op.Kind), State: operationState(op), Subject: subject, AskedBy: askedBy(op), AskedAt: op.CreatedAt,
	}
	if op.EndedAt != nil {
		row.Took = took(op.StartedAt, op.EndedAt, *op.EndedAt)
	}
	return row
}

// askedBy names whoever asked for an operation, as the pages do: nobody for the platform itself.
func askedBy(op operations.Operation) string {
	switch op.CreatedBy {
	case tenants.System().Name:
		return ""
	case tenants.Local().Name:
		return views.OnServer
	}
	return op.CreatedBy
}
