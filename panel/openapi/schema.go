package openapi

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Schema is the part of JSON Schema 2020-12 that our types need.
type Schema struct {
	Ref         string             `json:"$ref,omitempty"`
	Type        string             `json:"type,omitempty"`
	Format      string             `json:"format,omitempty"`
	Description string             `json:"description,omitempty"`
	Pattern     string             `json:"pattern,omitempty"`
	Enum        []string           `json:"enum,omitempty"`
	MinLength   *int               `json:"minLength,omitempty"`
	MaxLength   *int               `json:"maxLength,omitempty"`
	Minimum     *int               `json:"minimum,omitempty"`
	Maximum     *int               `json:"maximum,omitempty"`
	Items       *Schema            `json:"items,omitempty"`
	Properties  map[string]*Schema `json:"properties,omitempty"`
	Required    []string           `json:"required,omitempty"`
	// Additional is false for our own types, and the values' schema for maps.
	Additional any `json:"additionalProperties,omitempty"`
}

var instant = reflect.TypeFor[time.Time]()

// shapes draws Go types, each named one once.
type shapes struct {
	named map[string]*Schema
	types map[string]reflect.Type
}

// of returns the schema of a type, or a reference to it.
func (s *shapes) of(t reflect.Type) (*Schema, error) {
	if t == instant {
		return &Schema{Type: "string", Format: "date-time"}, nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.String:
		return &Schema{Type: "string"}, nil
	case reflect.Bool:
		return &Schema{Type: "boolean"}, nil
	case reflect.Int, reflect.Int32, reflect.Uint16, reflect.Uint32:
		return &Schema{Type: "integer"}, nil
	case reflect.Int64, reflect.Uint64:
		return &Schema{Type: "integer", Format: "int64"}, nil
	case reflect.Float32, reflect.Float64:
		return &Schema{Type: "number"}, nil
	case reflect.Slice:
		items, err := s.of(t.Elem())
		return &Schema{Type: "array", Items: items}, err
	case reflect.Map:
		values, err := s.of(t.Elem())
		return &Schema{Type: "object", Additional: values}, err
	case reflect.Struct:
		return s.object(t)
	case reflect.Interface:
		return &Schema{}, nil // anything
	}
	return nil, fmt.Errorf("drawing %s: %w", t, ErrShape)
}

// object draws a struct in place when it has no name that a reader could look up: List[Site] and the like.
func (s *shapes) object(t reflect.Type) (*Schema, error) {
	name := t.Name()
	if name == "" || strings.Contains(name, "[") {
		return s.fields(t)
	}
	if known, ok := s.types[name]; ok && known != t {
		return nil, fmt.Errorf("drawing %s: %s bears that name too: %w", t, known, ErrShape)
	}
	ref := &Schema{Ref: "#/components/schemas/" + name}
	if s.named[name] != nil {
		return ref, nil
	}
	s.named[name], s.types[name] = &Schema{}, t // a type may hold itself
	drawn, err := s.fields(t)
	s.named[name] = drawn
	return ref, err
}

func (s *shapes) fields(t reflect.Type) (*Schema, error) {
	out := &Schema{Type: "object", Properties: map[string]*Schema{}, Additional: false}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() || f.Anonymous && name == "" {
			continue // an embedded struct's fields are visible by themselves
		}
		if name == "" {
			return nil, fmt.Errorf("drawing %s.%s: it has no JSON name: %w", t, f.Name, ErrShape)
		}
		drawn, err := s.of(f.Type)
		if err != nil {
			return nil, err
		}
		if err := drawn.bound(f.Tag.Get("bound")); err != nil {
			return nil, fmt.Errorf("drawing %s.%s: %w", t, f.Name, err)
		}
		out.Properties[name] = drawn
		if !slices.Contains(strings.Split(options, ","), "omitempty") {
			out.Required = append(out.Required, name)
		}
	}
	return out, nil
}

// bound reads a field's tag: `bound:"min=1,max=80"` counts signs of strings and units of numbers, "one=a|b" lists what a
// string may be, "form=email" names a format.
func (s *Schema) bound(tag string) error {
	if tag == "" {
		return nil
	}
	for part := range strings.SplitSeq(tag, ",") {
		key, value, _ := strings.Cut(part, "=")
		var err error
		switch key {
		case "min":
			err = s.limit(&s.MinLength, &s.Minimum, value)
		case "max":
			err = s.limit(&s.MaxLength, &s.Maximum, value)
		case "one":
			s.Enum = strings.Split(value, "|")
		case "form":
			s.Format = value
		default:
			err = fmt.Errorf("unknown bound %q: %w", key, ErrShape)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Schema) limit(signs, units **int, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil {
		return fmt.Errorf("reading bound: %w", err)
	}
	switch s.Type {
	case "string":
		*signs = &n
	case "integer", "number":
		*units = &n
	default:
		return fmt.Errorf("a bound on %q: %w", s.Type, ErrShape)
	}
	return nil
}
