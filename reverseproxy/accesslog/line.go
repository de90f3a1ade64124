package accesslog

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// append adds the line to b, in the format of slog's JSON.
func (x *Line) append(b, prefix []byte) []byte {
	b = append(b, `{"time":"`...)
	b = x.Time.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","level":"INFO","msg":"request"`...)
	b = append(b, prefix...)
	b = text(b, "request", x.Request)
	b = text(b, "site", x.Site)
	b = text(b, "host", x.Host)
	b = text(b, "method", x.Method)
	b = text(b, "path", x.Path)
	b = text(b, "proto", x.Proto)
	b = number(b, "status", int64(x.Status))
	b = number(b, "in", x.In)
	b = number(b, "out", x.Out)
	b = number(b, "took", int64(x.Took))
	b = text(b, "network", x.From)
	b = strconv.AppendBool(append(b, `,"whole":`...), x.Whole)
	return append(b, "}\n"...)
}

func number(b []byte, name string, n int64) []byte {
	return strconv.AppendInt(append(append(append(b, `,"`...), name...), `":`...), n, 10)
}

func text(b []byte, name, value string) []byte {
	b = append(append(append(b, `,"`...), name...), `":"`...)
	return append(quoted(b, value), '"')
}

const hex = "0123456789abcdef"

// quoted escapes what may not stand in a JSON string. What is no UTF-8 becomes the sign for that.
func quoted(b []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if c >= utf8.RuneSelf && r != utf8.RuneError && r != '\u2028' && r != '\u2029' {
			i += size
			continue
		}
		b = append(b, s[start:i]...)
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < utf8.RuneSelf:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case size == 1:
			b = append(b, `\ufffd`...)
		default:
			b = utf8.AppendRune(b, r)
		}
		i += size
		start = i
	}
	return append(b, s[start:]...)
}
