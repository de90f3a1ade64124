package templates

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxManifest and maxDepth bound what a manifest can cost its reader.
const (
	maxManifest = 256 << 10
	maxDepth    = 12
)

// scalar is a value that is written as one word in a manifest.
type scalar interface{ parse(text string) error }

// decoder fills a Manifest from a syntax tree and goes on after a fault, so that
// all of them are told at once; it remembers the line of everything it met.
type decoder struct {
	file   string
	lines  map[string]int
	faults Faults
}

func (d *decoder) decode(source []byte, into *Manifest) {
	body, err := parse(source)
	if err != nil {
		line, reason := place(err)
		d.faults = append(d.faults, Fault{File: d.file, Line: line, Got: reason, Want: "YAML"})
		return
	}
	d.value(body, "", reflect.ValueOf(into).Elem(), 0)
}

// parse survives a parser that panics: a manifest may come from anybody.
func parse(source []byte) (body ast.Node, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			body, err = nil, fmt.Errorf("unreadable: %v", fault)
		}
	}()
	if len(source) > maxManifest {
		return nil, fmt.Errorf("%d bytes are too many", len(source))
	}
	file, err := parser.ParseBytes(source, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, err
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, fmt.Errorf("not exactly one document")
	}
	return file.Docs[0].Body, nil
}

func (d *decoder) fault(node ast.Node, path, got, want string) {
	d.faults = append(d.faults, Fault{File: d.file, Line: line(node), Path: path, Got: got, Want: want})
}

func (d *decoder) value(node ast.Node, path string, into reflect.Value, depth int) {
	d.lines[path] = line(node)
	if depth > maxDepth {
		d.fault(node, path, "nested too deeply", "a flat manifest")
		return
	}
	if word, ok := into.Addr().Interface().(scalar); ok {
		d.word(node, path, word)
		return
	}
	switch into.Kind() {
	case reflect.Struct:
		d.structure(node, path, into, depth)
	case reflect.Map:
		d.mapping(node, path, into, depth)
	case reflect.Slice:
		d.list(node, path, into, depth)
	default:
		d.plain(node, path, into)
	}
}

func (d *decoder) structure(node ast.Node, path string, into reflect.Value, depth int) {
	fields := fieldsOf(into.Type())
	for _, entry := range d.entries(node, path) {
		index, known := fields[entry.key]
		if !known {
			d.fault(entry.node, join(path, entry.key), "unknown key", "one of "+strings.Join(keysOf(into.Type()), ", "))
			continue
		}
		d.value(entry.value, join(path, entry.key), into.Field(index), depth+1)
	}
}

func (d *decoder) mapping(node ast.Node, path string, into reflect.Value, depth int) {
	filled := reflect.MakeMap(into.Type())
	for _, entry := range d.entries(node, path) {
		element := reflect.New(into.Type().Elem()).Elem()
		d.value(entry.value, join(path, entry.key), element, depth+1)
		filled.SetMapIndex(reflect.ValueOf(entry.key), element)
	}
	into.Set(filled)
}

func (d *decoder) list(node ast.Node, path string, into reflect.Value, depth int) {
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		d.fault(node, path, describe(node), "a list")
		return
	}
	filled := reflect.MakeSlice(into.Type(), len(sequence.Values), len(sequence.Values))
	for i, element := range sequence.Values {
		d.value(element, fmt.Sprintf("%s[%d]", path, i), filled.Index(i), depth+1)
	}
	into.Set(filled)
}

func (d *decoder) word(node ast.Node, path string, into scalar) {
	text, _ := textOf(node) // not a text: empty, which no scalar takes
	if err := into.parse(text); err != nil {
		d.fault(node, path, describe(node), err.Error())
	}
}

func (d *decoder) plain(node ast.Node, path string, into reflect.Value) {
	text, quoted := textOf(node)
	var err error
	switch into.Kind() {
	case reflect.String:
		if !quoted {
			d.fault(node, path, describe(node), "text (in quotes if it looks like a number)")
			return
		}
		into.SetString(text)
	case reflect.Bool:
		var parsed bool
		parsed, err = strconv.ParseBool(node.String())
		into.SetBool(parsed)
	case reflect.Int:
		var parsed int64
		parsed, err = strconv.ParseInt(node.String(), 10, 32)
		into.SetInt(parsed)
	case reflect.Float64:
		var parsed float64
		parsed, err = strconv.ParseFloat(node.String(), 64)
		if math.IsNaN(parsed) || math.IsInf(parsed, 0) {
			err = strconv.ErrRange
		}
		into.SetFloat(parsed)
	}
	if err != nil {
		d.fault(node, path, describe(node), "a "+map[reflect.Kind]string{
			reflect.Bool: "true or false", reflect.Int: "whole number", reflect.Float64: "number",
		}[into.Kind()])
	}
}
