package mysql

import (
	"encoding/json"
	"time"

	"chatiere/tenants/database"
	"chatiere/tenants/operations"
)

type operationRecord struct {
	ID            string `gorm:"primaryKey"`
	Kind          string
	Lane          string
	PlanVersion   int
	Subject       string
	AssociationID string
	SiteID        string
	IdemKey       string
	Spec          string
	State         string
	ResumeState   string // what a stuck operation goes on with
	Cancel        bool
	Problem       string
	Detail        string
	Attempt       int
	RunAfter      time.Time
	CreatedBy     string
	CreatedAt     time.Time
	StartedAt     *time.Time
	EndedAt       *time.Time
	LeaseOwner    string
	LeaseUntil    *time.Time
	Fence         int64
}

// TableName implements gorm's Tabler.
func (operationRecord) TableName() string { return "operations" }

// holdRecord is a hold of a live operation.
type holdRecord struct {
	Subject     string `gorm:"primaryKey"`
	Holder      string `gorm:"primaryKey"` // "": exclusively; the operation's id: shared
	OperationID string
}

// TableName implements gorm's Tabler.
func (holdRecord) TableName() string { return "operation_holds" }

type stepRecord struct {
	OperationID string `gorm:"primaryKey"`
	Seq         int    `gorm:"primaryKey;autoIncrement:false"`
	Name        string
	State       string
	Attempt     int
	Result      *string
	Error       string
	Progress    *string
	StartedAt   *time.Time
	EndedAt     *time.Time
}

// TableName implements gorm's Tabler.
func (stepRecord) TableName() string { return "operation_steps" }

func (r operationRecord) operation(steps []stepRecord) operations.Operation {
	op := operations.Operation{
		ID: r.ID, Kind: r.Kind, Lane: operations.Lane(r.Lane), PlanVersion: r.PlanVersion, Subject: r.Subject, AssociationID: r.AssociationID,
		SiteID: r.SiteID, Key: r.IdemKey, Spec: json.RawMessage(r.Spec), State: operations.State(r.State), Cancel: r.Cancel,
		Problem: r.Problem, Detail: r.Detail, Attempt: r.Attempt, RunAfter: r.RunAfter, CreatedBy: r.CreatedBy,
		CreatedAt: r.CreatedAt, StartedAt: r.StartedAt, EndedAt: r.EndedAt,
		Lease: operations.Lease{Owner: r.LeaseOwner, Until: r.LeaseUntil, Fence: r.Fence},
	}
	for _, s := range steps {
		op.Steps = append(op.Steps, s.step())
	}
	return op
}

func (r stepRecord) step() operations.StepRecord {
	s := operations.StepRecord{
		Seq: r.Seq, Name: r.Name, State: operations.StepState(r.State), Attempt: r.Attempt, Error: r.Error,
		StartedAt: r.StartedAt, EndedAt: r.EndedAt,
	}
	if r.Result != nil {
		s.Result = json.RawMessage(*r.Result)
	}
	if r.Progress != nil {
		s.Progress = new(operations.Progress)
		if json.Unmarshal([]byte(*r.Progress), s.Progress) != nil {
			s.Progress = nil // it decides nothing
		}
	}
	return s
}

func operationRecordOf(op operations.Operation) operationRecord {
	spec := string(op.Spec)
	if spec == "" {
		spec = "null"
	}
	return operationRecord{
		ID: op.ID, Kind: op.Kind, Lane: string(op.Lane), PlanVersion: op.PlanVersion, Subject: op.Subject,
		AssociationID: op.AssociationID, SiteID: op.SiteID, IdemKey: op.Key, Spec: spec, State: string(op.State),
		CreatedBy: database.Clip(op.CreatedBy, 255), CreatedAt: op.CreatedAt.UTC(), RunAfter: op.CreatedAt.UTC(),
	}
}

func stepRecordsOf(op operations.Operation) []stepRecord {
	var out []stepRecord
	for _, s := range op.Steps {
		out = append(out, stepRecord{OperationID: op.ID, Seq: s.Seq, Name: s.Name, State: string(s.State)})
	}
	return out
}
