package platform

import "time"

// State is the state of a component at the last check.
type State struct {
	Role      string    `json:"role"`
	Container string    `json:"container"`
	State     string    `json:"state"`            // as the engine reports; "gone"; "" before the first check
	Health    string    `json:"health,omitempty"` // as the engine reports
	Since     time.Time `json:"since,omitzero"`   // of its last start
	Restarts  int       `json:"restarts,omitempty"`
}

// States returns the state of each component at the last check.
func (w *Monitor) States() []State {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]State, 0, len(w.Roles))
	for _, role := range w.Roles {
		s := State{Role: role, Container: w.records[role].Name}
		if m := w.states[role]; m != nil {
			s = m.public
			s.Role = role
		}
		out = append(out, s)
	}
	return out
}
