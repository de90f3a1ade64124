package operations

// Hold is a subject that an operation keeps from others while it is live: exclusively, or shared with those that hold it
// shared too. There is one rule and no exception to it: an exclusive hold goes with no other one on the same subject.
//
// What may happen side by side therefore has subjects of its own. A backup reads a site's data for an hour: it holds the
// data shared, and not the site, so that suspending the site waits for nothing; what replaces or deletes data holds it
// exclusively beside the site.
type Hold struct {
	Subject string
	Shared  bool
}

// Excludes reports whether two operations with these holds cannot be live at the same time.
func (h Hold) Excludes(other Hold) bool {
	return h.Subject == other.Subject && !(h.Shared && other.Shared)
}

// Held returns what the operation holds while it is live: its subject exclusively, where its plan says nothing else.
func (o Operation) Held() []Hold {
	if len(o.Holds) == 0 {
		return []Hold{{Subject: o.Subject}}
	}
	return o.Holds
}

// Excludes reports whether both cannot be live at the same time.
func (o Operation) Excludes(other Operation) bool {
	for _, h := range o.Held() {
		for _, x := range other.Held() {
			if h.Excludes(x) {
				return true
			}
		}
	}
	return false
}
