package templates

import (
	"errors"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// entry is one key of a mapping.
type entry struct {
	key   string
	node  ast.Node
	value ast.Node
}

// entries lists a mapping in the order it was written. Anchors, tags and merges are not
// part of the format: a manifest must read the same to a person as to us.
func (d *decoder) entries(node ast.Node, path string) []entry {
	var pairs []*ast.MappingValueNode
	switch mapping := node.(type) {
	case *ast.MappingNode:
		pairs = mapping.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{mapping}
	default:
		d.fault(node, path, describe(node), "keys and values")
		return nil
	}
	seen := map[string]bool{}
	found := make([]entry, 0, len(pairs))
	for _, pair := range pairs {
		key, ok := pair.Key.(*ast.StringNode)
		switch {
		case !ok:
			d.fault(pair, path, "a key that is not plain text", "plain text")
		case seen[key.Value]:
			d.fault(pair, join(path, key.Value), "given twice", "once")
		case pair.Value == nil:
			d.fault(pair, join(path, key.Value), "nothing", "a value")
		default:
			seen[key.Value] = true
			found = append(found, entry{key: key.Value, node: pair, value: pair.Value})
		}
	}
	return found
}

// textOf returns the text of a string node.
func textOf(node ast.Node) (string, bool) {
	switch text := node.(type) {
	case *ast.StringNode:
		return text.Value, true
	case *ast.LiteralNode:
		return text.Value.Value, true
	}
	return "", false
}

// describe tells a reader what stands at a place, in few words.
func describe(node ast.Node) string {
	switch value := node.(type) {
	case *ast.StringNode:
		return short(value.Value)
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys and values"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	case *ast.AliasNode, *ast.AnchorNode, *ast.TagNode:
		return "an anchor, alias or tag"
	case nil:
		return "nothing"
	}
	return short(node.String())
}

func short(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return "“" + text + "”"
}

func line(node ast.Node) int {
	if node == nil || node.GetToken() == nil || node.GetToken().Position == nil {
		return 0
	}
	return node.GetToken().Position.Line
}

// place tells where and why a manifest is no YAML at all.
func place(err error) (int, string) {
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) && syntax.Token != nil && syntax.Token.Position != nil {
		return syntax.Token.Position.Line, syntax.Message
	}
	reason, _, _ := strings.Cut(err.Error(), "\n")
	return 0, reason
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func fieldsOf(structure reflect.Type) map[string]int {
	fields := make(map[string]int, structure.NumField())
	for i := range structure.NumField() {
		fields[structure.Field(i).Tag.Get("yaml")] = i
	}
	return fields
}

func keysOf(structure reflect.Type) []string {
	keys := make([]string, structure.NumField())
	for i := range keys {
		keys[i] = structure.Field(i).Tag.Get("yaml")
	}
	return keys
}
