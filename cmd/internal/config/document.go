package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// readFile walks the document's mappings and sets the keys it meets.
func (l *loading) readFile(data []byte) {
	document, err := parser.ParseBytes(data, 0)
	if err != nil {
		l.faults = append(l.faults, l.syntaxFault(err))
		return
	}
	if len(document.Docs) > 1 {
		l.faults = append(l.faults, Fault{Key: "(document)", Where: l.file, Problem: "the file holds several documents",
			Expected: "one document, without a line of ---"})
		return
	}
	for _, d := range document.Docs {
		if d.Body != nil {
			l.walk("", d.Body)
		}
	}
}

func (l *loading) syntaxFault(err error) Fault {
	f := Fault{Key: "(syntax)", Where: l.file, Problem: firstLine(err.Error()), Expected: "YAML: key: value, two spaces below a section"}
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) {
		f.Problem = firstLine(syntax.Message)
		if syntax.Token != nil && syntax.Token.Position != nil {
			f.Where = fmt.Sprintf("%s:%d", l.file, syntax.Token.Position.Line)
		}
	}
	return f
}

// walk goes through one mapping, whose own path is prefix.
func (l *loading) walk(prefix string, node ast.Node) {
	switch n := node.(type) {
	case *ast.MappingNode:
		for _, pair := range n.Values {
			l.pair(prefix, pair)
		}
	case *ast.MappingValueNode:
		l.pair(prefix, n)
	case *ast.NullNode, *ast.CommentGroupNode:
	default:
		l.faults = append(l.faults, Fault{Key: orDocument(prefix), Where: l.at(node), Problem: "found " + describe(node),
			Expected: "keys with values: " + strings.Join(children(prefix), ", ")})
	}
}

func (l *loading) pair(prefix string, pair *ast.MappingValueNode) {
	path := pair.Key.String()
	if prefix != "" {
		path = prefix + "." + path
	}
	if section(path) {
		l.walk(path, pair.Value)
		return
	}
	k, known := findKey(path)
	if !known {
		l.faults = append(l.faults, unknownKey(path, l.at(pair.Key)))
		return
	}
	if _, empty := pair.Value.(*ast.NullNode); empty {
		return // "key:" with nothing behind it leaves the default
	}
	l.set(k, l.at(pair.Key), assign(k.into(&l.config), pair.Value))
}

// at says where a node stands.
func (l *loading) at(node ast.Node) string {
	if t := node.GetToken(); t != nil && t.Position != nil {
		return fmt.Sprintf("%s:%d", l.file, t.Position.Line)
	}
	return l.file
}

// assign puts a node's value into a field and says what is wrong if it does not fit.
func assign(field any, node ast.Node) string {
	switch f := field.(type) {
	case *string:
		return assignText(f, node)
	case *int:
		return assignNumber(f, node)
	case *float64:
		return assignFraction(f, node)
	case *bool:
		return assignBool(f, node)
	case *[]string:
		return assignList(f, node)
	}
	return "found a value of a kind that cannot be read"
}

func assignText(f *string, node ast.Node) string {
	switch n := node.(type) {
	case *ast.StringNode:
		*f = n.Value
	case *ast.LiteralNode:
		*f = strings.TrimSuffix(n.Value.Value, "\n")
	default:
		return "found " + describe(node) + " instead of text (put it in quotes)"
	}
	return ""
}

func assignNumber(f *int, node ast.Node) string {
	n, ok := node.(*ast.IntegerNode)
	if !ok {
		return "found " + describe(node) + " instead of a whole number"
	}
	switch v := n.Value.(type) {
	case int64:
		*f = int(v)
	case uint64:
		if v > 1<<31 {
			return fmt.Sprintf("%d is too large", v)
		}
		*f = int(v)
	}
	return ""
}

func assignFraction(f *float64, node ast.Node) string {
	if n, ok := node.(*ast.FloatNode); ok {
		*f = n.Value
		return ""
	}
	var whole int
	if assignNumber(&whole, node) != "" {
		return "found " + describe(node) + " instead of a number"
	}
	*f = float64(whole)
	return ""
}

func assignBool(f *bool, node ast.Node) string {
	n, ok := node.(*ast.BoolNode)
	if !ok {
		return "found " + describe(node) + " instead of true or false"
	}
	*f = n.Value
	return ""
}

func assignList(f *[]string, node ast.Node) string {
	n, ok := node.(*ast.SequenceNode)
	if !ok {
		return "found " + describe(node) + " instead of a list"
	}
	list := make([]string, len(n.Values))
	for i, v := range n.Values {
		if problem := assignText(&list[i], v); problem != "" {
			return fmt.Sprintf("entry %d: %s", i+1, problem)
		}
	}
	*f = list
	return ""
}

// describe names a node by its kind and its text, if that is short.
func describe(node ast.Node) string {
	switch node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a section"
	case *ast.SequenceNode:
		return "a list"
	}
	text := firstLine(node.String())
	if len(text) > 40 {
		text = strings.ToValidUTF8(text[:40], "") + "…"
	}
	return fmt.Sprintf("%q", text)
}

func orDocument(prefix string) string {
	if prefix == "" {
		return "(document)"
	}
	return prefix
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
