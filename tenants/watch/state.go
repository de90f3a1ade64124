package watch

import "time"

// State is how a part of the platform was at the last look.
type State struct {
	Role      string    `json:"role"`
	Container string    `json:"container"`
	State     string    `json:"state"`            // as the engine says; "gone"; "" before the first look
	Health    string    `json:"health,omitempty"` // as the engine says
	Since     time.Time `json:"since,omitzero"`   // of its last start
	Restarts  int       `json:"restarts,omitempty"`
}

// States tells how each part was at the last look.
func (w *Watch) States() []State {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]State, 0, len(w.Roles))
	for _, role := range w.Roles {
		s := State{Role: role, Container: w.records[role].Name}
		if m := w.memories[role]; m != nil {
			s = m.shown
			s.Role = role
		}
		out = append(out, s)
	}
	return out
}
