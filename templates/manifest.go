package templates

import "time"

// Format is the manifest format that this package reads.
const Format = 1

// ManifestFile is the name of the manifest in the directory of a template.
const ManifestFile = "manifest.yaml"

// Manifest is what a template's manifest.yaml says, checked and complete.
type Manifest struct {
	Format      int               `yaml:"format"`
	Name        string            `yaml:"name"`
	Modes       []string          `yaml:"modes"` // the first is what a site has unless another is asked for
	Title       map[string]string `yaml:"title"`
	Description map[string]string `yaml:"description"`
	Licence     string            `yaml:"licence"`
	Default     string            `yaml:"default"`
	Versions    []Version         `yaml:"versions"`
	Upgrade     Upgrade           `yaml:"upgrade"`
	Database    Database          `yaml:"database"`
	Containers  []Container       `yaml:"containers"`
	Hooks       map[string]Hook   `yaml:"hooks"`
	Probes      Probes            `yaml:"probes"`
	Entry       Entry             `yaml:"entry"`
	Refuse      []Refusal         `yaml:"refuse"`
	Egress      []Name            `yaml:"egress"`
	Resources   Resources         `yaml:"resources"`
}

// Version is one release of the application and where its code comes from.
type Version struct {
	Name   string `yaml:"name"`
	Source Source `yaml:"source"`
}

// Source says where code comes from: a Debian package, an archive of the
// application's makers, or a ready image pinned by digest.
type Source struct {
	Kind      string `yaml:"kind"`
	Suite     string `yaml:"suite"`
	Package   string `yaml:"package"`
	URL       string `yaml:"url"`
	SHA256    string `yaml:"sha256"`
	Signature string `yaml:"signature"`
	Reference string `yaml:"reference"`
}

// Upgrade says how a site comes from one version to the next.
type Upgrade struct {
	Strategy string `yaml:"strategy"`
	Hook     string `yaml:"hook"`
	MaxMajor int    `yaml:"max_major"`
}

// Engines of databases: the server that all sites share, one of the site's own, or none.
const (
	MariaDB    = "mariadb"
	PostgreSQL = "postgresql"
	NoDatabase = "none"
)

// Database is the database that a site of this template needs.
type Database struct {
	Engine string `yaml:"engine"`
	// Container is the one that runs PostgreSQL, on its only port.
	Container string `yaml:"container" json:",omitempty"`
	Charset   string `yaml:"charset"`
	Collation string `yaml:"collation"`
	// TemporaryTables gives sites the right to make temporary tables, which few applications need.
	TemporaryTables bool `yaml:"temporary_tables"`
}

// Container is one container of a site.
type Container struct {
	Name        string            `yaml:"name"`
	Build       Build             `yaml:"build"`
	Processes   []string          `yaml:"processes"`
	Listen      Listen            `yaml:"listen"`
	Ports       []int             `yaml:"ports"` // of loopback, on which it serves the site's other containers
	Writable    []Writable        `yaml:"writable"`
	Tmpfs       []Tmpfs           `yaml:"tmpfs"`
	Limits      Limits            `yaml:"limits"`
	Variables   []string          `yaml:"variables"`
	Environment map[string]string `yaml:"environment"`
}

// Build says how the image of a container is built; empty for the ready image of the version.
type Build struct {
	Dockerfile string            `yaml:"dockerfile"`
	Base       string            `yaml:"base"`
	Arguments  map[string]string `yaml:"arguments"`
}

// Listen is where a container answers HTTP: a socket in the site's HTTP
// directory, or a port of loopback for an image that only speaks TCP.
type Listen struct {
	Socket string `yaml:"socket"`
	Port   int    `yaml:"port"`
}

// Writable is a directory that outlives the container.
type Writable struct {
	Path   string `yaml:"path"`
	Backup bool   `yaml:"backup"`
	// Modes are those in which it is writable, all when empty. In the others it can be read.
	Modes []string `yaml:"modes"`
}

// Tmpfs is a directory in memory.
type Tmpfs struct {
	Path string `yaml:"path"`
	Size Size   `yaml:"size"`
}

// Limits bound what a container may use.
type Limits struct {
	Memory Size    `yaml:"memory"`
	Pids   int     `yaml:"pids"`
	CPUs   float64 `yaml:"cpus"`
}

// Hook is a command of the image that the worker runs.
type Hook struct {
	Command   []string `yaml:"command"`
	Container string   `yaml:"container"` // where it runs; nothing: in the one that answers HTTP
	Where     []string `yaml:"where"`
	Timeout   Duration `yaml:"timeout"`
	Variables []string `yaml:"variables"`
	Arguments []string `yaml:"arguments"`
	Every     Duration `yaml:"every"`
}

// Probes tell whether a site is installed and whether it answers.
type Probes struct {
	Installed InstalledProbe `yaml:"installed"`
	Ready     ReadyProbe     `yaml:"ready"`
}

// InstalledProbe names the hook that ends with 0 once a site is installed.
type InstalledProbe struct {
	Hook string `yaml:"hook"`
}

// ReadyProbe is a request on the private side, sent with the public host name.
type ReadyProbe struct {
	Path     string `yaml:"path"`
	Status   int    `yaml:"status"`
	Contains string `yaml:"contains"`
}

// Entry is where a site takes the panel's word for who somebody is; empty for a
// template that cannot.
type Entry struct {
	Path string `yaml:"path"`
}

// Refusal is a pattern of paths that nobody gets. Its examples are checked
// whenever the manifest is read.
type Refusal struct {
	Path    string   `yaml:"path"`
	Why     string   `yaml:"why"`
	Refused []string `yaml:"refused"`
	Allowed []string `yaml:"allowed"`
}

// Name is a host name that a site may reach, possibly with a leading "*.".
type Name struct {
	Name  string `yaml:"name"`
	Ports []int  `yaml:"ports"`
}

// Resources is what a volunteer should expect a site to use.
type Resources struct {
	Disk   Size `yaml:"disk"`
	Upload Size `yaml:"upload"`
}

// Duration is a time.Duration written like "90s" in a manifest.
type Duration time.Duration
