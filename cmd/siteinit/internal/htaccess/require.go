package htaccess

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// verdict is what a requirement says.
type verdict int

const (
	neutral verdict = iota
	granted
	refused
)

// anyOf joins requirements of which one is enough, which is what they are outside of a container.
func anyOf(all []verdict) verdict {
	switch {
	case slices.Contains(all, granted):
		return granted
	case slices.Contains(all, refused):
		return refused
	}
	return neutral
}

func allOf(all []verdict) verdict {
	switch {
	case slices.Contains(all, refused):
		return refused
	case slices.Contains(all, granted):
		return granted
	}
	return neutral
}

// container judges <RequireAll>, <RequireAny> and <RequireNone>.
func (e *evaluation) container(d directive) verdict {
	var s section
	e.walk(d.body, &s)
	if s.closed {
		return refused
	}
	switch d.name {
	case "requireall":
		return allOf(s.requires)
	case "requirenone":
		if slices.Contains(s.requires, granted) {
			return refused
		}
		return neutral
	}
	return anyOf(s.requires)
}

// require judges one directive. What cannot be judged refuses, negated or not.
func (e *evaluation) require(args []string) verdict {
	not := len(args) > 0 && strings.EqualFold(args[0], "not")
	if not {
		args = args[1:]
	}
	holds, known := e.holds(args)
	switch {
	case !known:
		e.note("require")
		return refused
	case not && holds:
		return refused
	case not:
		return neutral
	case holds:
		return granted
	}
	return refused
}

func (e *evaluation) holds(args []string) (holds, known bool) {
	if len(args) == 0 {
		return false, false
	}
	of := args[1:]
	switch strings.ToLower(args[0]) {
	case "all":
		granted := len(of) == 1 && strings.EqualFold(of[0], "granted")
		return granted, granted || len(of) == 1 && strings.EqualFold(of[0], "denied")
	case "local":
		return e.Client.IsLoopback(), true
	case "method":
		return slices.Contains(of, e.Method) || e.Method == "HEAD" && slices.Contains(of, "GET"), true
	case "ip":
		known = len(of) > 0
		for _, text := range of {
			prefix, ok := network(text)
			holds, known = holds || ok && prefix.Contains(e.Client.Unmap()), known && ok
		}
		return holds, known
	}
	return false, false
}

// network reads an address, a part of one ("10.1"), or a network in either notation.
func network(text string) (netip.Prefix, bool) {
	address, bits, masked := strings.Cut(text, "/")
	if strings.Contains(address, ":") {
		if !masked {
			bits = "128"
		}
	} else {
		address = strings.TrimSuffix(address, ".")
		named := strings.Count(address, ".") + 1
		address += strings.Repeat(".0", max(0, 4-named))
		if !masked {
			bits = strconv.Itoa(8 * named)
		}
	}
	if mask, err := netip.ParseAddr(bits); err == nil && mask.Is4() {
		return maskedBy(address, mask.As4())
	}
	p, err := netip.ParsePrefix(address + "/" + bits)
	return p, err == nil
}

// maskedBy is a network with a mask such as 255.255.0.0, whose ones stand together.
func maskedBy(address string, mask [4]byte) (netip.Prefix, bool) {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Prefix{}, false
	}
	ones := 0
	for i := range 32 {
		if mask[i/8]&(0x80>>(i%8)) != 0 {
			if ones != i {
				return netip.Prefix{}, false
			}
			ones++
		}
	}
	return netip.PrefixFrom(a, ones), true
}
