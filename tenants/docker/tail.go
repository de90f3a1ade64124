package docker

import "strings"

// maxOutput is how much of a command's output is kept.
const maxOutput = 64 << 10

// tail keeps the last 64 KiB that were written: what went wrong stands at the end.
type tail struct{ kept []byte }

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if len(t.kept) > 2*maxOutput {
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-maxOutput:]...)
	}
	return len(p), nil
}

// String returns valid UTF-8, so that it can be stored.
func (t *tail) String() string {
	kept := t.kept[max(0, len(t.kept)-maxOutput):]
	return strings.ToValidUTF8(string(kept), "")
}
