package tenants

// The codes of findings. A new one needs its words in panel/views/{fr,en}.json.
const (
	// FindingUnknownContainer is a container with our label that no record knows.
	FindingUnknownContainer FindingCode = "unknown-container"
	// FindingChangedByHand is a container that somebody changed and that could not be made as it was.
	FindingChangedByHand FindingCode = "changed-by-hand"
)
