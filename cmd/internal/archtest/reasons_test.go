package archtest_test

import (
	"slices"
	"testing"

	"chatiere/panel/views"
	"chatiere/reverseproxy/egress"
)

// What the gateway writes down is what members read, in words of theirs.
func TestEveryReasonOfTheGatewayHasWordsOnThePages(t *testing.T) {
	unclear := []string{"other", egress.ErrMethod.Error(), egress.ErrRequest.Error()}
	for _, reason := range egress.Reasons() {
		if got := views.AttemptReasonOf(reason); (got == views.AttemptOther) != slices.Contains(unclear, reason) || got == views.AttemptReached {
			t.Errorf("%q is told as %q", reason, got)
		}
	}
}
