package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"chatiere/reverseproxy"
	"chatiere/reverseproxy/certs"
)

// refusals is what the WordPress template refuses, near enough: every request is held against them.
var refusals = []string{
	`^/wp-content/uploads/.*\.(php|phtml|phar|php[0-9])(/|$)`, `^/wp-admin/install\.php`, `^/wp-admin/setup-config\.php`,
	`^/wp-config`, `^/readme\.html$`, `^/license\.txt$`, `^/xmlrpc\.php$`, `(^|/)\.(git|svn|ht|env|user\.ini)`,
	`\.(sql|bak|old|swp|orig|dump|log)$`, `^/wp-includes/.*\.php$`, `^/wp-content/.*\.(sh|pl|py|cgi)$`,
}

// ourFiles makes a data root of the product: its configuration, its directories, a route table and the certificate.
func ourFiles(b *bench, port, routes int) (map[string]string, error) {
	root := filepath.Join(b.dir, ours)
	for _, dir := range []string{"routes", "certs", "spool/proxy", "run/proxy/gateway", "run/proxy/keycloak", "run/proxy/worker", "run/panel"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return nil, err
		}
	}
	table := reverseproxy.Table{Version: 1, Written: time.Now(), PublicPort: port}
	for i, host := range hosts(routes) {
		table.Routes = append(table.Routes, reverseproxy.Route{
			Host: host, Site: fmt.Sprintf("s%d", i), State: reverseproxy.StateServing, Upstream: "unix:" + b.socket, Lang: "fr",
			Refuse: refusals,
		})
	}
	if err := reverseproxy.WriteTable(filepath.Join(root, "routes", "routes.json"), table); err != nil {
		return nil, err
	}
	cert, err := os.ReadFile(b.cert)
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(b.key)
	if err != nil {
		return nil, err
	}
	plain, err := freePort()
	if err != nil {
		return nil, err
	}
	return map[string]string{
		// All the load comes from one address, which may not have so many connections by default.
		"chatiere.yaml": fmt.Sprintf("instance: bench\nroot: %s\ndomain: %s\nproxy:\n  https: \"127.0.0.1:%d\"\n  http: \"127.0.0.1:%d\"\n  client_connections: 4096\n",
			root, benchDomain, port, plain),
		"certs/" + certs.LeafFile: string(cert), "certs/" + certs.KeyFile: string(key),
	}, nil
}
