package migrations

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"regexp"
	"sort"
	"strconv"
)

// source is one migration file.
type source struct {
	version int64
	name    string
	sum     string // SHA-256 of the file
	creates string // the table it makes, "" for none
}

var (
	fileName    = regexp.MustCompile(`^(\d{5})_([a-z0-9_]+)\.sql$`)
	createTable = regexp.MustCompile(`(?m)^CREATE TABLE IF NOT EXISTS ([a-z0-9_]+)`)
)

// read lists the migrations in order.
func read(fsys fs.FS) ([]source, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("listing the migrations: %w", err)
	}
	var out []source
	for _, e := range entries {
		parts := fileName.FindStringSubmatch(e.Name())
		if parts == nil {
			return nil, fmt.Errorf("reading the migrations: %q is not named 00000_name.sql", e.Name())
		}
		text, err := fs.ReadFile(fsys, e.Name())
		if err != nil {
			return nil, fmt.Errorf("reading the migrations: %w", err)
		}
		out = append(out, parse(parts[1], parts[2], text))
	}
	sort.Slice(out, func(i, j int) bool { return out[i].version < out[j].version })
	return out, nil
}

func parse(number, name string, text []byte) source {
	version, _ := strconv.ParseInt(number, 10, 64) // five digits, by the pattern
	sum := sha256.Sum256(text)
	s := source{version: version, name: name, sum: hex.EncodeToString(sum[:])}
	if m := createTable.FindSubmatch(text); m != nil {
		s.creates = string(m[1])
	}
	return s
}
