package routes

import "regexp/syntax"

// literals returns texts that every match of pattern must hold: one at the beginning of the whole text,
// one anywhere. Either is "" where none can be told cheaply.
func literals(pattern string) (prefix, part string) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "", ""
	}
	re = re.Simplify()
	if re.Op == syntax.OpLiteral {
		return "", exact(re)
	}
	if re.Op != syntax.OpConcat {
		return "", ""
	}
	for i, sub := range re.Sub {
		text := exact(sub)
		if i == 1 && re.Sub[0].Op == syntax.OpBeginText {
			prefix = text
		}
		if len(text) > len(part) {
			part = text
		}
	}
	return prefix, part
}

// exact is the text of a literal that ignores no case.
func exact(re *syntax.Regexp) string {
	if re.Op != syntax.OpLiteral || re.Flags&syntax.FoldCase != 0 {
		return ""
	}
	return string(re.Rune)
}
