package wporg

import (
	"archive/zip"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
)

func (p Package) link(version string) string {
	return "https://downloads.wordpress.org/" + string(p.Kind) + "/" + p.Slug + "." + version + ".zip"
}

// download sends /plugin/slug.1.0.zip, made while it is sent.
func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	kind, name, _ := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	slug, version, _ := strings.Cut(strings.TrimSuffix(name, ".zip"), ".")
	p, known := s.find(Kind(kind), slug)
	if !known || path.Ext(name) != ".zip" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/zip")
	p.Version = version
	_ = p.Zip(w) // half an archive is refused by whoever reads it
}

// Zip writes the package as WordPress wants it: everything below one directory named like the slug.
func (p Package) Zip(w io.Writer) error {
	z := zip.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(p.Files)) {
		f, err := z.Create(p.Slug + "/" + name)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(f, strings.ReplaceAll(p.Files[name], "{version}", p.Version)); err != nil {
			return err
		}
	}
	return z.Close()
}

// NewPlugin returns a plugin of one file whose body follows the header.
func NewPlugin(slug, name, summary, body string) Package {
	return Package{Kind: Plugin, Slug: slug, Name: name, Summary: summary, Version: "1.0", Files: map[string]string{
		slug + ".php": fmt.Sprintf("<?php\n/**\n * Plugin Name: %s\n * Description: %s\n * Version: {version}\n * Author: Les Ateliers\n */\n\n%s\n", name, summary, body),
	}}
}

// NewTheme returns a block theme that shows its version at the foot of every page.
func NewTheme(slug, name, summary string) Package {
	const template = "<!-- wp:site-title /-->\n<!-- wp:post-title /-->\n<!-- wp:paragraph --><p>%s {version}</p><!-- /wp:paragraph -->\n"
	return Package{Kind: Theme, Slug: slug, Name: name, Summary: summary, Version: "1.0", Files: map[string]string{
		"style.css":            fmt.Sprintf("/*\nTheme Name: %s\nDescription: %s\nVersion: {version}\nAuthor: Les Ateliers\nRequires at least: 6.0\n*/\n", name, summary),
		"theme.json":           `{"version": 3}`,
		"templates/index.html": fmt.Sprintf(template, name),
	}}
}

// Bulky returns a plugin of so many files and about so many bytes in all, most of them PHP classes, as a shop's is.
func Bulky(slug, name string, files, size int) Package {
	p := NewPlugin(slug, name, "Une boutique en ligne.", "require __DIR__ . '/src/Part0.php';\nadd_filter('bulky_parts', static fn (): int => Bulky\\Part0::SIZE);")
	each := max(size/files, 100)
	for n := range files - 1 {
		var b strings.Builder
		fmt.Fprintf(&b, "<?php\nnamespace Bulky;\n\nfinal class Part%d\n{\n    public const SIZE = %d;\n", n, files)
		for line := 0; b.Len() < each; line++ {
			fmt.Fprintf(&b, "    public function line%d(array $basket): string { return sprintf('%%s-%d', $basket['%x'] ?? ''); }\n", line, n*line, n*7919+line*104729)
		}
		b.WriteString("}\n")
		p.Files[fmt.Sprintf("src/%sPart%d.php", folder(n), n)] = b.String()
	}
	return p
}

// folder spreads the files but for the first, which the plugin loads.
func folder(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("Group%d/", n%40)
}
