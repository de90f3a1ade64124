package wire

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"

	"chatiere/cmd/internal/catalogue"
	"chatiere/reverseproxy/egress"
	"chatiere/templates"
	"chatiere/tenants"
)

// usualPort is the port of a name without one.
const usualPort = 443

// allowedNames parses the configuration's "name" and "name:port".
func allowedNames(entries []string) ([]templates.Name, error) {
	var out []templates.Name
	for _, e := range entries {
		name, port := e, usualPort
		if host, text, err := net.SplitHostPort(e); err == nil {
			if port, err = strconv.Atoi(text); err != nil {
				return nil, fmt.Errorf("reading the allowed name %q: %w", e, err)
			}
			name = host
		}
		out = append(out, templates.Name{Name: name, Ports: []int{port}})
	}
	return out, nil
}

// grants reads the sites' egress grants.
type grants interface {
	SiteGrants(ctx context.Context, siteID string) ([]tenants.EgressGrant, error)
}

// allowLists converts what the catalogue allows and what was granted to the site to the gateway's types.
func allowLists(c *catalogue.Catalogue, g grants) func(context.Context, tenants.Site) ([]egress.AllowedName, error) {
	return func(ctx context.Context, s tenants.Site) ([]egress.AllowedName, error) {
		names, err := c.Allow(s)
		if err != nil {
			return nil, err
		}
		var out []egress.AllowedName
		for _, n := range names {
			out = append(out, egress.AllowedName{Name: n.Name, Ports: n.Ports})
		}
		own, err := g.SiteGrants(ctx, s.ID)
		if err != nil {
			return nil, err
		}
		for _, a := range slices.Backward(own) { // the newest last: a list grows at its end
			if a.State == tenants.GrantGranted {
				out = append(out, egress.AllowedName{Name: a.Name, Ports: a.Ports})
			}
		}
		return out, nil
	}
}
