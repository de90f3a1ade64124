package tenants

// The codes of findings about the sites' way out.
const (
	// FindingEgressRefused is a site that was refused far more tries to reach something than it usually is.
	FindingEgressRefused FindingCode = "egress-refused"
	// FindingEgressTries is a site that opened far more connections than it usually does.
	FindingEgressTries FindingCode = "egress-tries"
	// FindingEgressBytes is a site that moved far more over its way out than it usually does.
	FindingEgressBytes FindingCode = "egress-bytes"
	// FindingEgressSpool is notes of the gateway that could not be read.
	FindingEgressSpool FindingCode = "egress-spool"
)
