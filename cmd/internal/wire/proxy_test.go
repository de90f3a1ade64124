package wire_test

import (
	"net/http/httptest"
	"testing"

	"chatiere/cmd/internal/wire"
)

func TestEachRolesSocketAllowsTheHostsItNeedsAndNoOthers(t *testing.T) {
	c := configure(t, "")
	panel, id, site := c.Panel.Host, c.IdentityHost(), "amap."+c.Domain
	asks := []struct{ method, host, path, by string }{
		{"POST", panel, "/auth/backchannel-logout", "keycloak"},
		{"POST", panel + ".:8443", "/auth/backchannel-logout", "keycloak"},
		{"GET", panel, "/auth/backchannel-logout", ""},
		{"POST", panel, "/auth/backchannel-logout/", ""},
		{"GET", panel, "/api/v1/openapi.json", ""},
		{"POST", id, "/auth/backchannel-logout", "panel"},
		{"GET", id, "/realms/chatiere/protocol/openid-connect/certs", "panel"},
		{"GET", "ID." + c.Domain + ":8443", "/", "panel"},
		{"GET", site, "/", "worker"},
		{"GET", "PANEL." + c.Domain, "/", ""},
	}
	for _, door := range wire.ProxySockets(c) {
		if door.Allow == nil {
			if !door.SendsOrigin {
				t.Errorf("%s leads everywhere", door.Path)
			}
			continue
		}
		for _, a := range asks {
			r := httptest.NewRequest(a.method, "https://"+a.host+a.path, nil)
			if got := door.Allow(r); got != (a.by == door.Peer) {
				t.Errorf("the door of %s leads to %s %s%s: %v", door.Peer, a.method, a.host, a.path, got)
			}
		}
	}
}
