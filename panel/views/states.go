package views

// SiteState is what people are told about a site.
type SiteState string

// The states of a site.
const (
	SiteReady       SiteState = "ready"       // answers
	SiteCreating    SiteState = "creating"    // being created
	SiteChanging    SiteState = "changing"    // another operation is at work
	SiteAsleep      SiteState = "asleep"      // stopped, wakes on the next visit
	SiteDown        SiteState = "down"        // should answer and does not
	SiteSuspended   SiteState = "suspended"   // stopped on purpose
	SiteQuarantined SiteState = "quarantined" // closed after an incident, kept as evidence
	SiteBinned      SiteState = "binned"      // in the bin, restorable
	SiteUnknown     SiteState = "unknown"     // the panel cannot tell right now
)

// OperationState is how far an operation is.
type OperationState string

// The states of an operation.
const (
	OperationQueued    OperationState = "queued"
	OperationRunning   OperationState = "running"
	OperationRetrying  OperationState = "retrying"  // a step failed and will be tried again
	OperationUndoing   OperationState = "undoing"   // failed or cancelled, being undone
	OperationDone      OperationState = "done"      // finished well
	OperationUndone    OperationState = "undone"    // failed, everything was put back
	OperationCancelled OperationState = "cancelled" // cancelled, everything was put back
	OperationStuck     OperationState = "stuck"     // needs a person
)

// Ended tells whether nothing more will happen by itself.
func (s OperationState) Ended() bool {
	switch s {
	case OperationDone, OperationUndone, OperationCancelled, OperationStuck:
		return true
	}
	return false
}

// StepState is how far a step of an operation is.
type StepState string

// The states of a step.
const (
	StepPending  StepState = "pending"
	StepDoing    StepState = "doing"
	StepRetrying StepState = "retrying"
	StepDone     StepState = "done"
	StepFailed   StepState = "failed"
	StepUndoing  StepState = "undoing"
	StepUndone   StepState = "undone"
)

// OperationKind is what an operation does: the kind of its plan.
type OperationKind string

// The kinds of operations. A kind without words is shown as KindOther.
const (
	KindProvision   OperationKind = "site.provision"
	KindSuspend     OperationKind = "site.suspend"
	KindResume      OperationKind = "site.resume"
	KindDelete      OperationKind = "site.delete" // into the bin
	KindRestore     OperationKind = "site.restore"
	KindPurge       OperationKind = "site.purge"
	KindUpdate      OperationKind = "site.update"
	KindBackup      OperationKind = "site.backup"
	KindRecover     OperationKind = "site.recover" // brings a snapshot back
	KindRepair      OperationKind = "site.repair"  // by the panel itself
	KindRest        OperationKind = "site.rest"    // by the panel itself
	KindAssociation OperationKind = "association.create"
	KindOther       OperationKind = "other"
)

// Cause is why an operation is held up or failed: the domain's code, put into words by the catalogues.
type Cause string

// The causes. One without words is shown as CauseOther; its detail is in the log.
const (
	CauseNone          Cause = ""
	CauseCancelled     Cause = "cancelled"
	CauseDiskFull      Cause = "disk_full"
	CauseRefused       Cause = "credentials_refused"
	CauseContradiction Cause = "contradiction"
	CauseUnknownPlan   Cause = "unknown_plan"
	CauseExhausted     Cause = "retries_exhausted"
	CauseTemplate      Cause = "template"
	CauseNameTaken     Cause = "name_taken"
	CauseDatabase      Cause = "database" // does not answer
	CauseIdentity      Cause = "identity" // Keycloak does not answer
	CauseEngine        Cause = "engine"   // Docker does not answer
	CauseProgram       Cause = "program"
	CauseSnapshot      Cause = "snapshot"
	CauseOther         Cause = "other"
)
