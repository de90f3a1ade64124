package htaccess

import (
	"errors"
	"strings"
)

const (
	maxDepth = 16
	maxSize  = 64 << 10
)

// errSyntax is a file that Apache could not read either.
var errSyntax = errors.New("not the syntax of Apache")

// directive is one directive, or a section with what stands in it.
type directive struct {
	name    string // in lower case
	args    []string
	section bool
	body    []directive
}

// parse reads a whole file.
func parse(text string) ([]directive, error) {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	p := parser{lines: strings.Split(strings.ReplaceAll(text, "\\\n", " "), "\n")}
	body, err := p.body("", 0)
	if err == nil && len(p.lines) > 0 {
		err = errSyntax // a section ends that never began
	}
	return body, err
}

type parser struct{ lines []string }

// body reads until the end of the section that is open; "" stands for the file.
func (p *parser) body(open string, depth int) ([]directive, error) {
	if depth > maxDepth {
		return nil, errSyntax
	}
	var out []directive
	for len(p.lines) > 0 {
		line := strings.TrimSpace(p.lines[0])
		p.lines = p.lines[1:]
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "</"):
			if name := strings.ToLower(strings.Trim(line, "</> \t")); open == "" || name != open {
				return nil, errSyntax
			}
			return out, nil
		case line[0] == '<':
			d, err := p.section(line, depth)
			if err != nil {
				return nil, err
			}
			out = append(out, d)
		default:
			words := split(line)
			out = append(out, directive{name: strings.ToLower(words[0]), args: words[1:]})
		}
	}
	if open != "" {
		return nil, errSyntax
	}
	return out, nil
}

func (p *parser) section(line string, depth int) (directive, error) {
	inner, closed := strings.CutSuffix(line[1:], ">")
	words := split(inner)
	if !closed || len(words) == 0 {
		return directive{}, errSyntax
	}
	d := directive{name: strings.ToLower(words[0]), args: words[1:], section: true}
	var err error
	d.body, err = p.body(d.name, depth+1)
	return d, err
}

// split takes a line apart as Apache does: a word may stand in quotes, and a backslash there counts before a quote or a
// backslash alone, so that patterns keep theirs.
func split(line string) []string {
	var words []string
	for line = strings.TrimLeft(line, " \t"); line != ""; line = strings.TrimLeft(line, " \t") {
		var word string
		if quote := line[0]; quote == '"' || quote == '\'' {
			word, line = quoted(line[1:], quote)
		} else if end := strings.IndexAny(line, " \t"); end >= 0 {
			word, line = line[:end], line[end:]
		} else {
			word, line = line, ""
		}
		words = append(words, word)
	}
	return words
}

func quoted(text string, quote byte) (word, rest string) {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == quote:
			return out.String(), text[i+1:]
		case text[i] == '\\' && i+1 < len(text) && (text[i+1] == quote || text[i+1] == '\\'):
			i++
		}
		out.WriteByte(text[i])
	}
	return out.String(), ""
}
