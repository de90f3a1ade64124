package templates

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes, written like "256MiB" in a manifest.
type Size int64

// Units of Size.
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
)

// maxUnits keeps a size far below what overflows.
const maxUnits = 1 << 20

func (s *Size) parse(text string) error {
	for unit, bytes := range map[string]Size{"KiB": KiB, "MiB": MiB, "GiB": GiB} {
		number, ok := strings.CutSuffix(text, unit)
		if !ok {
			continue
		}
		count, err := strconv.ParseUint(strings.TrimSpace(number), 10, 32)
		if err != nil || count == 0 || count > maxUnits {
			break
		}
		*s = Size(count) * bytes
		return nil
	}
	return fmt.Errorf("a size such as 256MiB")
}

func (d *Duration) parse(text string) error {
	parsed, err := time.ParseDuration(text)
	if err != nil || parsed <= 0 {
		return fmt.Errorf("a duration such as 90s")
	}
	*d = Duration(parsed)
	return nil
}
