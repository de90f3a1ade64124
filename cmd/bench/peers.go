package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// benchHost is the site that is asked for; the others have names below the same domain.
const (
	benchDomain = "lilas.test"
	benchHost   = "demo." + benchDomain
)

// peer is a proxy that is measured.
type peer struct {
	name string
	// argv is run in a directory that holds files.
	argv  []string
	files func(b *bench, port, routes int) (map[string]string, error)
}

// ours is the product's own binary, in the role it has on a server.
const ours = "chatiere"

func peers() []peer {
	return []peer{
		{ours, []string{"chatiere", "proxy", "--config", "chatiere.yaml"}, ourFiles},
		{"nginx", []string{"nginx", "-c", "nginx.conf", "-p", ".", "-e", "error.log"}, nginxDefault},
		{"nginx tuned", []string{"nginx", "-c", "nginx.conf", "-p", ".", "-e", "error.log"}, nginxTuned},
		{"haproxy", []string{"haproxy", "-W", "-f", "haproxy.cfg"}, haproxyFiles},
		{"caddy", []string{"caddy", "run", "--config", "caddy.json"}, caddyFiles},
	}
}

// hosts are the names of n sites; the first is the one that is asked for.
func hosts(n int) []string {
	out := []string{benchHost}
	for i := 1; i < n; i++ {
		out = append(out, fmt.Sprintf("asso%d.%s", i, benchDomain))
	}
	return out
}

// nginxDefault is Debian's configuration, with the upstream connections kept that any guide says to keep.
func nginxDefault(b *bench, port, routes int) (map[string]string, error) {
	return nginxFiles(b, port, routes, 64, "access_log access.log;"), nil
}

// nginxTuned is what somebody sets up who has read more than one guide.
func nginxTuned(b *bench, port, routes int) (map[string]string, error) {
	return nginxFiles(b, port, routes, 512, `access_log access.log combined buffer=64k flush=1s;
	ssl_protocols TLSv1.3; ssl_session_cache shared:tls:10m;
	proxy_buffer_size 32k; proxy_buffers 8 32k; proxy_busy_buffers_size 64k; open_file_cache max=1000;`), nil
}

func nginxFiles(b *bench, port, routes, keep int, more string) map[string]string {
	var conf strings.Builder
	fmt.Fprintf(&conf, `user www-data; worker_processes auto; worker_cpu_affinity auto; pid nginx.pid; daemon off;
events { worker_connections 4096; }
http {
	sendfile on; tcp_nopush on; types_hash_max_size 2048; server_names_hash_max_size 65536; server_names_hash_bucket_size 128;
	ssl_protocols TLSv1.2 TLSv1.3;
	ssl_certificate %[1]s; ssl_certificate_key %[2]s;
	keepalive_requests 100000000;
	gzip off;
	%[3]s
	proxy_http_version 1.1;
	proxy_set_header Connection ""; proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr;
	proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
	proxy_set_header X-Forwarded-Host $host; proxy_set_header X-Request-Id $request_id;
`, b.cert, b.key, more)
	for i, host := range hosts(routes) {
		fmt.Fprintf(&conf, `	upstream site%[1]d { server unix:%[2]s; keepalive %[3]d; }
	server { listen 127.0.0.1:%[4]d ssl; http2 on; server_name %[5]s; location / { proxy_pass http://site%[1]d; } }
`, i, b.socket, keep, port, host)
	}
	conf.WriteString("}\n")
	return map[string]string{"nginx.conf": conf.String()}
}

// haproxyFiles resemble Debian's configuration; hosts lead to backends by a map, as its manual says.
func haproxyFiles(b *bench, port, routes int) (map[string]string, error) {
	pair, err := b.pair()
	if err != nil {
		return nil, err
	}
	var conf, table strings.Builder
	fmt.Fprintf(&conf, `global
	maxconn 8000
	log stdout format raw local0
	ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256
	ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
defaults
	log global
	mode http
	option httplog
	option dontlognull
	timeout connect 5000
	timeout client 50000
	timeout server 50000
frontend https
	bind 127.0.0.1:%d ssl crt pair.pem alpn h2,http/1.1
	option forwardfor
	http-request set-header X-Forwarded-Proto https
	http-request set-header X-Forwarded-Host %%[req.hdr(host)]
	http-request set-header X-Real-IP %%[src]
	use_backend %%[req.hdr(host),lower,map(hosts.map)]
`, port)
	for i, host := range hosts(routes) {
		fmt.Fprintf(&conf, "backend site%d\n\tserver s unix@%s\n", i, b.socket)
		fmt.Fprintf(&table, "%s site%d\n", host, i)
	}
	return map[string]string{"haproxy.cfg": conf.String(), "hosts.map": table.String(), "pair.pem": pair}, nil
}

// caddyFiles: Caddy writes no access log unless it is told to, so it writes none here. JSON is its own format; from
// 10,000 sites in a Caddyfile it does not start within minutes.
func caddyFiles(b *bench, port, routes int) (map[string]string, error) {
	type object = map[string]any
	var list []object
	for _, host := range hosts(routes) {
		list = append(list, object{
			"match":    []object{{"host": []string{host}}},
			"handle":   []object{{"handler": "reverse_proxy", "upstreams": []object{{"dial": "unix/" + b.socket}}}},
			"terminal": true,
		})
	}
	server := object{
		"listen": []string{fmt.Sprintf("127.0.0.1:%d", port)}, "protocols": []string{"h1", "h2"}, "routes": list,
		"automatic_https": object{"disable": true}, "tls_connection_policies": []object{{}},
	}
	config, err := json.Marshal(object{
		"admin": object{"disabled": true},
		"apps": object{
			"http": object{"servers": object{"sites": server}},
			"tls":  object{"certificates": object{"load_files": []object{{"certificate": b.cert, "key": b.key}}}},
		},
	})
	return map[string]string{"caddy.json": string(config)}, err
}
