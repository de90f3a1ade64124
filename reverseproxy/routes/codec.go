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
	Format     int             `json:"format"`
	Version    int64           `json:"version"`
	Written    time.Time       `json:"written"`
	Checksum   string          `json:"checksum"`
	Routes     json.RawMessage `json:"routes"`
	PublicPort int             `json:"public_port"`
}

// EncodeTable validates t and renders its file: routes sorted by host, one checksum over all that
// decides behaviour. The same table always gives the same bytes.
func EncodeTable(t Table) ([]byte, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	f := file{Format: Format, Version: t.Version, Written: t.Written.UTC(), PublicPort: t.PublicPort}
	var err error
	if f.Routes, f.Checksum, err = encodeRoutes(t); err != nil {
		return nil, err
	}
	data, err := render(f, "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding route table: %w", err)
	}
	return data, nil
}

// DecodeTable reads what EncodeTable wrote, of this version of the program or another: it ignores fields it does not
// know, which the checksum covers all the same where they stand in routes. It refuses everything else.
func DecodeTable(data []byte) (Table, error) {
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Table{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if head.Format < oldestFormat || head.Format > Format {
		return Table{}, fmt.Errorf("%w: %d, this program reads %d to %d", ErrFormat, head.Format, oldestFormat, Format)
	}
	f, err := parse(data)
	if err != nil {
		return Table{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	sum, err := checksum(f.Routes, f.PublicPort)
	if err != nil || sum != f.Checksum {
		return Table{}, fmt.Errorf("%w: checksum differs", ErrDamaged)
	}
	t := Table{Version: f.Version, Written: f.Written, PublicPort: f.PublicPort}
	if err := json.Unmarshal(f.Routes, &t.Routes); err != nil {
		return Table{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err := t.Validate(); err != nil {
		return Table{}, err
	}
	return t, nil
}

func parse(data []byte) (file, error) {
	var f file
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&f); err != nil {
		return file{}, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return file{}, errors.New("data after the table")
	}
	return f, nil
}

// encodeRoutes returns the compact JSON of t's routes, sorted by host, and the checksum over them.
func encodeRoutes(t Table) (json.RawMessage, string, error) {
	data, err := render(sorted(t.Routes), "")
	if err != nil {
		return nil, "", fmt.Errorf("encoding route table: %w", err)
	}
	sum, err := checksum(data, t.PublicPort)
	return data, sum, err
}

// checksum covers the routes (in the order of the file) and the defaults in compact form. Version and
// time stay out: two tables of equal content have equal checksums.
func checksum(routes json.RawMessage, publicPort int) (string, error) {
	content := struct {
		Routes     json.RawMessage `json:"routes"`
		PublicPort int             `json:"public_port"`
	}{routes, publicPort}
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
