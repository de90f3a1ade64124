package routes

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

const checksumScheme = "sha256:"

// file is the table as it stands on disk.
type file struct {
	Format     int       `json:"format"`
	Version    int64     `json:"version"`
	Written    time.Time `json:"written"`
	Checksum   string    `json:"checksum"`
	Routes     []Route   `json:"routes"`
	PublicPort int       `json:"public_port"`
}

// EncodeTable validates t and renders its file: routes sorted by host, one checksum over all that
// decides behaviour. The same table always gives the same bytes.
func EncodeTable(t Table) ([]byte, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	f := file{
		Format: Format, Version: t.Version, Written: t.Written.UTC(),
		Routes: sorted(t.Routes), PublicPort: t.PublicPort,
	}
	sum, err := checksum(f)
	if err != nil {
		return nil, err
	}
	f.Checksum = sum
	data, err := render(f, "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding route table: %w", err)
	}
	return data, nil
}

// DecodeTable reads what EncodeTable wrote and refuses everything else.
func DecodeTable(data []byte) (Table, error) {
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Table{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if head.Format != Format {
		return Table{}, fmt.Errorf("%w: %d, this program reads %d", ErrFormat, head.Format, Format)
	}
	f, err := parse(data)
	if err != nil {
		return Table{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	sum, err := checksum(f)
	if err != nil {
		return Table{}, err
	}
	if sum != f.Checksum {
		return Table{}, fmt.Errorf("%w: checksum differs", ErrDamaged)
	}
	t := Table{Version: f.Version, Written: f.Written, Routes: f.Routes, PublicPort: f.PublicPort}
	if err := t.Validate(); err != nil {
		return Table{}, err
	}
	return t, nil
}

func parse(data []byte) (file, error) {
	var f file
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return file{}, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return file{}, errors.New("data after the table")
	}
	return f, nil
}

// checksum covers the routes (in the order of the file) and the defaults in compact form. Version and
// time stay out: two tables of equal content have equal checksums.
func checksum(f file) (string, error) {
	content := struct {
		Routes     []Route `json:"routes"`
		PublicPort int     `json:"public_port"`
	}{f.Routes, f.PublicPort}
	data, err := render(content, "")
	if err != nil {
		return "", fmt.Errorf("encoding route table: %w", err)
	}
	sum := sha256.Sum256(data)
	return checksumScheme + hex.EncodeToString(sum[:]), nil
}

// render writes JSON without HTML escapes, so that patterns stay readable in the file.
func render(v any, indent string) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func sorted(routes []Route) []Route {
	out := slices.Clone(routes)
	if out == nil {
		out = []Route{}
	}
	slices.SortFunc(out, func(a, b Route) int { return strings.Compare(a.Host, b.Host) })
	return out
}
