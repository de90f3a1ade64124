package templates

import (
	"fmt"
	"regexp"
)

// hostName is a fully qualified name, possibly with one wildcard in front. Bare
// words and addresses are refused: what may be reached is a public name.
var hostName = regexp.MustCompile(`^(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$`)

func (c checker) names(names []Name) {
	seen := map[string]bool{}
	for i, name := range names {
		at := fmt.Sprintf("egress[%d]", i)
		if !hostName.MatchString(name.Name) || len(name.Name) > 253 {
			c.fault(at+".name", short(name.Name), "a host name such as api.example.org, possibly with a leading *.")
		}
		c.once(at+".name", name.Name, seen)
		if len(name.Ports) == 0 {
			c.fault(at+".ports", "none", "at least one port")
		}
		for j, port := range name.Ports {
			if port < 1 || port > 65535 || port == 25 || port == 53 {
				c.fault(fmt.Sprintf("%s.ports[%d]", at, j), fmt.Sprint(port), "1 to 65535 but 25 and 53, which are answered inside the site")
			}
		}
	}
}
