package templates

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// refuseConf is where the rendered refuse list lies in a build context.
const refuseConf = "nginx/refuse.conf"

// epoch is the one modification time of everything in a context, so that the
// same files make the same bytes.
var epoch = time.Unix(1577836800, 0).UTC()

// Context makes the build context of a template: a tar that depends on nothing
// but the contents of the template's files.
func Context(template Template) ([]byte, error) {
	files, err := contents(template)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	writer := tar.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := add(writer, name, files[name]); err != nil {
			return nil, fmt.Errorf("writing %s: %w", name, err)
		}
	}
	if err := writer.Close(); err != nil {
		return nil, fmt.Errorf("closing context: %w", err)
	}
	return out.Bytes(), nil
}

func contents(template Template) (map[string][]byte, error) {
	files := map[string][]byte{}
	err := fs.WalkDir(template.files, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path.Base(name) == "testdata":
			return fs.SkipDir
		case !entry.Type().IsRegular() || name == ManifestFile || strings.HasSuffix(name, ".go"):
			return nil
		}
		files[name], err = fs.ReadFile(template.files, name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading template %s: %w", template.Name, err)
	}
	files[refuseConf] = []byte(NginxRefusals(template.Refuse))
	return files, nil
}

func add(writer *tar.Writer, name string, content []byte) error {
	mode := int64(0o644)
	if bytes.HasPrefix(content, []byte("#!")) {
		mode = 0o755
	}
	header := &tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: int64(len(content)), Mode: mode, ModTime: epoch, Format: tar.FormatUSTAR,
	}
	if err := writer.WriteHeader(header); err != nil {
		return err
	}
	_, err := writer.Write(content)
	return err
}

// Image is one image to be built: docker build, with these arguments.
type Image struct {
	Container string
	// Reference is a ready image, by digest or content id. It is not built: the fields below are empty.
	Reference  string
	Tag        string
	Dockerfile string
	// Arguments are the build arguments; BASE is the base image.
	Arguments map[string]string
	Context   []byte
}

// Bases lists the base images that a version's images need, by the names that manifests give them.
func Bases(template Template, versionName string) ([]string, error) {
	version, err := template.Version(versionName)
	if err != nil {
		return nil, err
	}
	var bases []string
	if template.sharesNetwork(version) {
		bases = append(bases, networkBase)
	}
	for _, container := range template.Containers {
		if container.Build.Dockerfile != "" && !slices.Contains(bases, container.Build.Base) {
			bases = append(bases, container.Build.Base)
		}
	}
	return bases, nil
}

// Images lists what a version's containers are made of. The bases are those that [Bases] names, best by image ID: the tag
// is a hash of all that goes in.
func Images(template Template, versionName string, bases map[string]string) ([]Image, error) {
	version, err := template.Version(versionName)
	if err != nil {
		return nil, err
	}
	context, err := Context(template)
	if err != nil {
		return nil, err
	}
	var images []Image
	if template.sharesNetwork(version) {
		images = append(images, Image{Container: NetworkContainer, Reference: bases[networkBase]})
	}
	for _, container := range template.Containers {
		if container.Build.Dockerfile == "" {
			images = append(images, Image{Container: container.Name, Reference: version.Source.Reference})
			continue
		}
		base := bases[container.Build.Base]
		if base == "" {
			return nil, fmt.Errorf("%w: no base image %q", ErrValues, container.Build.Base)
		}
		arguments := source(version)
		maps.Copy(arguments, container.Build.Arguments)
		arguments["BASE"] = base
		image := Image{Container: container.Name, Dockerfile: container.Build.Dockerfile, Arguments: arguments, Context: context}
		image.Tag = fmt.Sprintf("chatiere/%s-%s:%s-%s", template.Name, container.Name, version.Name, image.hash())
		images = append(images, image)
	}
	return images, nil
}

func source(v Version) map[string]string {
	s := v.Source
	arguments := map[string]string{"SOURCE_KIND": s.Kind, "SOURCE_VERSION": v.Name}
	for name, value := range map[string]string{
		"SOURCE_SUITE": s.Suite, "SOURCE_PACKAGE": s.Package, "SOURCE_URL": s.URL,
		"SOURCE_SHA256": s.SHA256, "SOURCE_SIGNATURE": s.Signature,
	} {
		if value != "" {
			arguments[name] = value
		}
	}
	return arguments
}

func (i Image) hash() string {
	inputs := fmt.Appendf(nil, "%q\n", i.Dockerfile)
	for _, argument := range assignments(i.Arguments) {
		inputs = fmt.Appendf(inputs, "%q\n", argument)
	}
	sum := sha256.Sum256(append(inputs, i.Context...))
	return hex.EncodeToString(sum[:])[:12]
}
