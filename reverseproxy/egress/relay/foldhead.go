package relay

import (
	"mime"
	"net/mail"
	"strings"
)

// usualLine is how long a line of a header should be (RFC 5322).
const usualLine = 78

// folded returns a header field whose lines are all short enough: it is broken before spaces, and encoded words that are
// too long are made into several. Without a space in it, [lineReader] has to break it.
func folded(f field) string {
	if !hasLong(f.raw) {
		return f.raw
	}
	name, _, _ := strings.Cut(f.raw, ":")
	value := f.value()
	if strings.Contains(value, "=?") {
		value = reencoded(f.name, value)
	}
	var out strings.Builder
	at, _ := out.WriteString(name + ":")
	for i, word := range strings.Split(value, " ") {
		if i > 0 && at+1+len(word) > usualLine && word != "" {
			out.WriteString("\r\n")
			at = 0
		}
		n, _ := out.WriteString(" " + word)
		at += n
	}
	out.WriteString("\r\n")
	return out.String()
}

func hasLong(raw string) bool {
	for line := range strings.Lines(raw) {
		if len(line)-len("\r\n") > maxLine {
			return true
		}
	}
	return false
}

// reencoded writes encoded words again, none longer than they may be.
func reencoded(name, value string) string {
	switch name {
	case "from", "to", "cc", "reply-to", "sender":
		list, err := words.ParseList(value)
		if err != nil {
			return value
		}
		var addresses []string
		for _, a := range list {
			addresses = append(addresses, (&mail.Address{Name: a.Name, Address: a.Address}).String())
		}
		return strings.Join(addresses, ", ")
	}
	text, err := new(mime.WordDecoder).DecodeHeader(value)
	if err != nil {
		return value
	}
	return mime.QEncoding.Encode("utf-8", text)
}
