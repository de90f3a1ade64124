package tenants

// The codes of findings about the work itself.
const (
	// FindingRecordsOlder, FindingRecordsNewer, FindingRecordsForeign: a worker refuses the records; see ADR 18.
	FindingRecordsOlder   FindingCode = "records-older"
	FindingRecordsNewer   FindingCode = "records-newer"
	FindingRecordsForeign FindingCode = "records-foreign"
)
