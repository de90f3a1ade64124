package migrations

import "testing"

// A dump is loaded table by table in the order of the alphabet, and a worker that finds a fitting mark takes the rest for
// loaded.
func TestTheMarkIsLoadedAfterEveryOtherTable(t *testing.T) {
	for table := range grants {
		if table > "worker_mark" {
			t.Errorf("%s is loaded after the mark: a dump that is only half there would pass for whole", table)
		}
	}
}
