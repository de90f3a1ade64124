package templates

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

//go:embed all:catalog
var embedded embed.FS

// Embedded is the catalogue that comes with the program.
func Embedded() fs.FS {
	catalog, err := fs.Sub(embedded, "catalog")
	if err != nil {
		// Only an invalid constant could lead here.
		return embedded
	}
	return catalog
}

// Template is one entry of a catalogue: its manifest and the files beside it.
type Template struct {
	Manifest
	files fs.FS
}

// Catalogue is a set of checked templates. It never changes after loading.
type Catalogue struct {
	templates map[string]Template
}

// Load reads the templates of one or several file systems, each with one directory per
// template. The error, a [Faults], tells every fault of every template.
func Load(sources ...fs.FS) (Catalogue, error) {
	catalogue := Catalogue{templates: map[string]Template{}}
	var faults Faults
	for _, source := range sources {
		names, err := directories(source)
		if err != nil {
			return Catalogue{}, err
		}
		for _, name := range names {
			faults = append(faults, catalogue.add(source, name)...)
		}
	}
	if len(faults) > 0 {
		return Catalogue{}, faults.sorted()
	}
	return catalogue, nil
}

func directories(source fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(source, ".")
	if err != nil {
		return nil, fmt.Errorf("reading catalogue: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

func (c Catalogue) add(source fs.FS, name string) Faults {
	file := path.Join(name, ManifestFile)
	files, err := fs.Sub(source, name)
	if err != nil {
		return Faults{{File: file, Got: err.Error(), Want: "a directory"}}
	}
	template, faults := read(files, file)
	if len(faults) > 0 {
		return faults
	}
	if template.Name != name {
		faults = append(faults, Fault{File: file, Path: "name", Got: short(template.Name), Want: "the name of its directory, " + name})
	}
	if _, taken := c.templates[template.Name]; taken {
		faults = append(faults, Fault{File: file, Path: "name", Got: short(template.Name) + " twice", Want: "each template once"})
	}
	c.templates[template.Name] = template
	return faults
}

// Template returns an entry by name, or [ErrUnknown].
func (c Catalogue) Template(name string) (Template, error) {
	template, ok := c.templates[name]
	if !ok {
		return Template{}, fmt.Errorf("%w: %q", ErrUnknown, name)
	}
	return template, nil
}

// Names lists the templates in alphabetical order.
func (c Catalogue) Names() []string {
	names := make([]string, 0, len(c.templates))
	for name := range c.templates {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Version returns a version by name, the default one for the empty name.
func (t Template) Version(name string) (Version, error) {
	if name == "" {
		name = t.Default
	}
	for _, version := range t.Versions {
		if version.Name == name {
			return version, nil
		}
	}
	return Version{}, fmt.Errorf("%w: %s has no version %q", ErrUnknown, t.Name, name)
}

// Check reads the template in a directory and tells everything wrong with it.
func Check(directory string) []Fault {
	file := filepath.Join(directory, ManifestFile)
	template, faults := read(os.DirFS(directory), file)
	if len(faults) > 0 {
		return faults
	}
	absolute, err := filepath.Abs(directory)
	if err == nil && filepath.Base(absolute) != template.Name {
		return []Fault{{File: file, Path: "name", Got: short(template.Name), Want: "the name of its directory, " + filepath.Base(absolute)}}
	}
	return nil
}

// read parses and checks one template; file is only what faults are told with.
func read(files fs.FS, file string) (Template, Faults) {
	source, err := fs.ReadFile(files, ManifestFile)
	if err != nil {
		return Template{}, Faults{{File: file, Got: reason(err), Want: "a readable manifest"}}
	}
	template := Template{files: files}
	decoder := decoder{file: file, lines: map[string]int{}}
	decoder.decode(source, &template.Manifest)
	check := newChecker(&decoder)
	check.manifest(template.Manifest)
	check.files(template)
	return template, decoder.faults.sorted()
}

// files checks that what the manifest names lies beside it.
func (c checker) files(t Template) {
	for i, container := range t.Containers {
		if !fileName.MatchString(container.Build.Dockerfile) {
			continue
		}
		if _, err := fs.Stat(t.files, container.Build.Dockerfile); err != nil {
			c.fault(fmt.Sprintf("containers[%d].build.dockerfile", i), reason(err), "a file beside the manifest")
		}
	}
}

func reason(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}
