package config

import (
	"errors"
	"fmt"
	"strings"
)

// ErrFaults is matched by every set of Faults.
var ErrFaults = errors.New("configuration has faults")

// Fault is one thing that is wrong with the configuration.
type Fault struct {
	Key      string `json:"key"`
	Where    string `json:"where"` // "file:line", "environment NAME" or "file" when it is missing there
	Problem  string `json:"problem"`
	Expected string `json:"expected,omitempty"`
	Example  string `json:"example,omitempty"`
}

// Faults is everything that is wrong at once, in the order of the file.
type Faults []Fault

// Is makes errors.Is(err, ErrFaults) true.
func (f Faults) Is(target error) bool { return target == ErrFaults }

// Error puts all faults on one line, for logs.
func (f Faults) Error() string {
	parts := make([]string, len(f))
	for i, x := range f {
		parts[i] = x.Where + ": " + x.Key + ": " + x.Problem
	}
	return fmt.Sprintf("%d fault(s) in the configuration: %s", len(f), strings.Join(parts, "; "))
}

// Report is the text for people: each fault with where it is, what is expected and an example.
func (f Faults) Report() string {
	var b strings.Builder
	for i, x := range f {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s: %s\n    %s\n", x.Where, x.Key, x.Problem)
		if x.Expected != "" {
			fmt.Fprintf(&b, "    expected: %s\n", x.Expected)
		}
		if x.Example != "" {
			fmt.Fprintf(&b, "    example:  %s\n", x.Example)
		}
	}
	return b.String()
}

// fault builds one from what is known of the key.
func (k key) fault(where, problem string) Fault {
	return Fault{Key: k.path, Where: where, Problem: problem, Expected: k.expect, Example: k.sample(where)}
}

// sample writes the example as it would stand where the fault is.
func (k key) sample(where string) string {
	if strings.HasPrefix(where, environmentWord) {
		return Variable(k.path) + "=" + strings.NewReplacer(`"`, "", "[", "", "]", "").Replace(k.example)
	}
	parts := strings.Split(k.path, ".")
	text := parts[len(parts)-1] + ": " + k.example
	for i := len(parts) - 2; i >= 0; i-- {
		text = parts[i] + ": {" + text + "}"
	}
	return text
}
