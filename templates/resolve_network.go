package templates

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
)

// NetworkContainer is the name of the container, ours and not the template's, that owns the network which the containers of
// a site share. It resolves names and carries what leaves the site, as siteinit does in a site of one container, and leads
// the proxy's socket to a port.
const NetworkContainer = "net"

const (
	// networkBase is the base image that brings siteinit.
	networkBase = "php"
	loopback    = "127.0.0.1"
)

// networkLimits are those of two processes of siteinit.
var networkLimits = Limits{Memory: 64 * MiB, Pids: 128, CPUs: 1}

// sharesNetwork reports whether the containers of a version share a network. A single container that is built of ours and
// answers on a socket needs none: it has siteinit inside.
func (t Template) sharesNetwork(v Version) bool {
	return len(t.Containers) > 1 || v.Source.Kind == imageSource || t.frontPort() != 0
}

// frontPort is the port on which the site answers HTTP, 0 for a socket.
func (t Template) frontPort() int {
	for _, container := range t.Containers {
		if container.Listen.Port != 0 {
			return container.Listen.Port
		}
	}
	return 0
}

// databasePort is the port of the container that runs the site's own database.
func (t Template) databasePort() int {
	for _, container := range t.Containers {
		if container.Name == t.Database.Container && len(container.Ports) > 0 {
			return container.Ports[0]
		}
	}
	return 0
}

func (r resolver) networkOwner() (ContainerSpec, error) {
	image, err := r.image(NetworkContainer)
	if err != nil {
		return ContainerSpec{}, err
	}
	paths := r.values.Paths
	spec := ContainerSpec{
		Name:        NetworkContainer,
		Image:       image,
		Entrypoint:  []string{"/usr/local/bin/siteinit"},
		Command:     []string{"run", "--", "sleep", "infinity"},
		User:        fmt.Sprintf("%d:%d", r.values.UID, r.values.UID),
		Network:     "none",
		Environment: r.environment(Container{Variables: []string{"EGRESS_SOCKET", "SITE_HOST", "SITE_URL", "SMTP_SOCKET"}}),
		Mounts: []Mount{
			{Source: paths.Hosts, Target: "/etc/hosts", ReadOnly: true},
			{Source: paths.Resolv, Target: "/etc/resolv.conf", ReadOnly: true},
			{Source: paths.Gate, Target: gateDir},
		},
		Limits:         networkLimits,
		Sysctls:        unprivilegedPorts(),
		ReadOnlyRoot:   true,
		DropAll:        true,
		NoNewPrivilege: true,
		Restart:        "unless-stopped",
	}
	if port := r.template.frontPort(); port != 0 {
		spec.Command = []string{
			"run", "--", "siteinit", "forward", "unix:" + path.Join(httpDir, r.template.socket()), "tcp:" + loopback + ":" + strconv.Itoa(port),
		}
		spec.Mounts = append(spec.Mounts, Mount{Source: paths.HTTP, Target: httpDir})
	}
	slices.SortFunc(spec.Mounts, func(a, b Mount) int { return cmp.Compare(a.Target, b.Target) })
	return spec, nil
}

// unprivilegedPorts lets a site's user listen on the ports of names and mail.
func unprivilegedPorts() map[string]string {
	return map[string]string{"net.ipv4.ip_unprivileged_port_start": "0"}
}
