// Package assets holds the panel's style sheet, script and pictures, each under a name that carries a
// hash of its content, so that browsers may keep it for ever. It must not know any page.
package assets

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"path"
	"strings"
)

// Prefix is the path below which the panel serves the assets.
const Prefix = "/assets/"

// CacheControl is the header to serve them with.
const CacheControl = "public, max-age=31536000, immutable"

//go:embed app.css app.js favicon.svg sign.svg
var files embed.FS

// File is one asset as it is served.
type File struct {
	Name        string // "app.css"
	Served      string // "app.0123456789ab.css"
	ContentType string
	Content     []byte
}

// Set knows the assets by name and by the name they are served under.
type Set struct {
	byName   map[string]File
	byServed map[string]File
}

// Load reads the embedded assets.
func Load() (*Set, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, err
	}
	s := &Set{byName: map[string]File{}, byServed: map[string]File{}}
	for _, e := range entries {
		content, err := files.ReadFile(e.Name())
		if err != nil {
			return nil, err
		}
		f := file(e.Name(), content)
		s.byName[f.Name], s.byServed[f.Served] = f, f
	}
	return s, nil
}

func file(name string, content []byte) File {
	sum := sha256.Sum256(content)
	ext := path.Ext(name)
	return File{
		Name:        name,
		Served:      strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext,
		ContentType: contentType(ext),
		Content:     content,
	}
}

// contentType does not depend on what the host's MIME tables say.
func contentType(ext string) string {
	switch ext {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.TypeByExtension(ext)
}

// URL is the path of an asset, to be written into pages; "" for an unknown name.
func (s *Set) URL(name string) string {
	f, ok := s.byName[name]
	if !ok {
		return ""
	}
	return Prefix + f.Served
}

// Served finds an asset by the name it is served under (the path without Prefix).
func (s *Set) Served(name string) (File, bool) {
	f, ok := s.byServed[name]
	return f, ok
}

// All lists the assets, for those who copy them elsewhere.
func (s *Set) All() []File {
	all := make([]File, 0, len(s.byName))
	for _, f := range s.byName {
		all = append(all, f)
	}
	return all
}
