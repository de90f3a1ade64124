package templates

import "time"

// Spec is what the worker makes a site of: containers, and how to live with
// them. Labels, container names and image builds are the caller's.
type Spec struct {
	Template string
	Version  string
	Mode     string
	Database Database
	Upgrade  Upgrade
	// Containers are in the order in which they are started.
	Containers []ContainerSpec
	// Hooks are sorted by name.
	Hooks  []HookSpec
	Probes Probes
	// Refuse are the patterns of paths that the proxy answers with 404.
	Refuse []string
	// Places are the directories below the site's data that are not writable in every mode.
	Places []string `json:",omitempty"`
}

// ContainerSpec is one container, with nothing left to decide.
type ContainerSpec struct {
	Name  string
	Image string
	// Entrypoint and Command replace those of the image.
	Entrypoint []string `json:",omitempty"`
	Command    []string `json:",omitempty"`
	User       string
	// Network is "none", or the name of the container whose network it shares.
	Network string
	// Environment is sorted, each entry NAME=value.
	Environment    []string
	Mounts         []Mount
	Tmpfs          []TmpfsMount
	Limits         Limits
	Sysctls        map[string]string
	ReadOnlyRoot   bool
	DropAll        bool
	NoNewPrivilege bool
	Restart        string
	// Foreign is a ready image, or one that answers on a port: it does not know the pulse of ours.
	Foreign bool `json:",omitempty"`
	// Upstream is where the proxy reaches it: "unix:/…" or empty.
	Upstream string
}

// Mount is a path of the host inside a container.
type Mount struct {
	Source   string
	Target   string
	ReadOnly bool
}

// TmpfsMount is a directory in memory, with its mount options.
type TmpfsMount struct {
	Target  string
	Options string
}

// HookSpec is a command ready to be run in a container of the site.
type HookSpec struct {
	Name      string
	Container string
	Command   []string
	// Arguments name what the caller appends to the command.
	Arguments   []string
	Environment []string
	Timeout     time.Duration
	Every       time.Duration
	// Running and OneShot say where the hook may run.
	Running bool
	OneShot bool
}

// Hook returns a hook by name.
func (s Spec) Hook(name string) (HookSpec, bool) {
	for _, hook := range s.Hooks {
		if hook.Name == name {
			return hook, true
		}
	}
	return HookSpec{}, false
}

// Front returns the container that answers HTTP.
func (s Spec) Front() ContainerSpec {
	for _, container := range s.Containers {
		if container.Upstream != "" {
			return container
		}
	}
	return ContainerSpec{}
}
