package templates

import (
	"fmt"
	"slices"
	"strings"
)

// networkPorts are answered in every site's network: mail, names, and what leaves the site.
var networkPorts = []int{25, 53, 80, 443}

// ports checks those on which containers answer one another and the proxy: they share one loopback, on which the egress of
// the site is answered, too.
func (c checker) ports(m Manifest) {
	taken := map[int]string{}
	for _, name := range m.Egress {
		for _, port := range name.Ports {
			taken[port] = "one that sites of this template reach out to"
		}
	}
	for _, port := range networkPorts {
		taken[port] = "answered in every site"
	}
	for i, container := range m.Containers {
		at := fmt.Sprintf("containers[%d]", i)
		use := func(at string, port int) {
			switch {
			case port < 1 || port > 65535:
				c.fault(at, fmt.Sprint(port), "1 to 65535")
			case taken[port] != "":
				c.fault(at, fmt.Sprintf("%d, which is %s", port, taken[port]), "a port that nothing else uses")
			default:
				taken[port] = "that of container " + container.Name
			}
		}
		if container.Listen.Port != 0 && container.Listen.Socket == "" {
			use(at+".listen.port", container.Listen.Port)
		}
		for j, port := range container.Ports {
			use(fmt.Sprintf("%s.ports[%d]", at, j), port)
		}
	}
}

// boundPlaces checks the places that are not writable in every mode. They are mounted by themselves, so that nothing else
// may be written in them, and no other container may write them in another mode.
func (c checker) boundPlaces(m Manifest) {
	bound := Template{Manifest: m}.boundPlaces()
	for i, container := range m.Containers {
		for j, place := range container.Writable {
			at := fmt.Sprintf("containers[%d].writable[%d]", i, j)
			for _, other := range bound {
				switch {
				case other.Path == place.Path && !slices.Equal(other.Modes, place.Modes):
					c.fault(at+".modes", "other ones than elsewhere", "the same modes in each container")
				case strings.HasPrefix(place.Path, other.Path+"/"):
					c.fault(at+".path", short(place.Path), "no place below "+other.Path+", which is bound to modes")
				}
			}
		}
	}
}
