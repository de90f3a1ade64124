package operations

import "sync"

// Lane is a group of operations with slots of its own, so that work of one sort never waits behind another's.
type Lane string

// The lanes, as stored. A row inserted before there were lanes is in Waiting.
const (
	Waiting Lane = "waiting" // a person waits for it
	Repair  Lane = "repair"  // the reconciler's repairs and rests
	Bulk    Lane = "bulk"    // nightly backups, waves of updates
)

// Lanes returns every lane.
func Lanes() []Lane { return []Lane{Waiting, Repair, Bulk} }

// defaultSlots are the operations of each lane at a time. Repairs have as many as people: after a reboot they are what
// everybody waits for. Bulk work reads whole disks, and two of that are enough for one machine.
var defaultSlots = map[Lane]int{Waiting: 4, Repair: 4, Bulk: 2}

// EachLane returns n slots for every lane.
func EachLane(n int) map[Lane]int {
	out := map[Lane]int{}
	for _, l := range Lanes() {
		out[l] = n
	}
	return out
}

// slots counts the operations that run in each lane.
type slots struct {
	limits map[Lane]int

	mu   sync.Mutex
	used map[Lane]int
}

// free returns the lanes that have a free slot.
func (s *slots) free() []Lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Lane
	for _, l := range Lanes() {
		if s.used[l] < s.limits[l] {
			out = append(out, l)
		}
	}
	return out
}

// occupy changes how many slots of a lane are in use.
func (s *slots) occupy(l Lane, change int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used == nil {
		s.used = map[Lane]int{}
	}
	s.used[l] += change
}
