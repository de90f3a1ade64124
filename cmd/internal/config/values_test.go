package config_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"chatiere/cmd/internal/config"
)

// What each key takes and what it does not, at its bounds above all. Other keys that a value needs stand in front of it,
// with semicolons between.
func TestEachKeyTakesItsValuesAndNoOthers(t *testing.T) {
	x := strings.Repeat
	label := x("a", 63)
	for key, c := range map[string]struct{ good, bad []string }{
		"instance":                        {[]string{"a", "main", "a-1", x("a", 20)}, []string{"A", "1a", "-a", "a-", "a--b", "a_b", x("a", 21)}},
		"root":                            {[]string{"/srv/a", "/srv/a.b_c-D/e"}, []string{"srv/a", "/srv", "/srv/a/", "/srv//a", "/srv/./a", "/srv/a b", "/srv/" + x("a", 100)}},
		"domain":                          {[]string{"a.b", "x-1.example", label + ".example"}, []string{"example", "A.b", "-a.b", "a-.b", "a..b", "a.b.", "a_b.c", "10.0.0.1", label + "a.example", x(label+".", 3) + "aa"}},
		"language":                        {[]string{"fr", "en"}, []string{"de", "FR"}},
		"coop.name":                       {[]string{"é", x("é", 80)}, []string{" ", x("é", 81), "a\nb"}},
		"coop.contact":                    {[]string{"a@b.example", ""}, []string{"a", "a@", "Léa <a@b.example>"}},
		"panel.host":                      {[]string{"a.b"}, []string{"id.lilas.example", "lilas.example", "A.b", "panel"}},
		"proxy.https":                     {[]string{":1", ":65535", "127.0.0.1:443", "localhost:443", "[::1]:443"}, []string{"443", ":0", ":65536", "a.b:443", ":x"}},
		"proxy.http":                      {[]string{":81"}, []string{":443", "80"}},
		"tls.mode":                        {[]string{"local-ca"}, []string{"", "acme"}},
		"tls.files.cert":                  {[]string{"TLS_MODE=files;TLS_FILES_KEY=/k;/a"}, []string{"/a", "TLS_MODE=files;TLS_FILES_KEY=/k;", "TLS_MODE=files;TLS_FILES_KEY=/k;a"}},
		"tls.files.key":                   {[]string{"TLS_MODE=files;TLS_FILES_CERT=/c;/a"}, []string{"/a", "TLS_MODE=files;TLS_FILES_CERT=/c;a"}},
		"database.socket":                 {[]string{"/a", "/" + x("a", 106)}, []string{"a", "/" + x("a", 107)}},
		"sites_database.socket":           {[]string{"/a", "/" + x("a", 106)}, []string{"a", "/" + x("a", 107)}},
		"database.name":                   {[]string{"a", "a_1", x("a", 48)}, []string{"1a", "A", "a-b", x("a", 49)}},
		"database.worker_user":            {[]string{"w"}, []string{"chatiere_panel", "W"}},
		"database.migrate_user":           {[]string{"m"}, []string{"chatiere_panel", "chatiere_worker", "M"}},
		"sites_database.temporary_tables": {[]string{"", "s7k2m9qx4p", "s7k2m9qx4p,s000000000"}, []string{"s1", "x7k2m9qx4p", "s7k2m9qx4p,x"}},
		"identity.issuer": {
			[]string{"https://a.b/realms/chatiere", "IDENTITY_EXTERNAL=true;https://a.b:8443/x", "PUBLIC_PORT=8443;https://a.b:8443/realms/chatiere"},
			[]string{
				"http://a.b/realms/chatiere", "https://a/realms/chatiere", "https://a.b/realms/other", "https://a.b:8443/realms/chatiere",
				"https://a.b/realms/chatiere/", "https://a.b/realms/chatiere?x=1", "https://a.b/realms/chatiere#x", "https://u@a.b/realms/chatiere",
				"IDENTITY_EXTERNAL=true;https://a.b", "IDENTITY_EXTERNAL=true;", "PUBLIC_PORT=8443;https://a.b/realms/chatiere",
			}},
		"identity.client_id":       {[]string{"a", "A.b_c-1", x("a", 100)}, []string{"", "-a", "a b", x("a", 101)}},
		"identity.admin_client_id": {[]string{"w", "IDENTITY_EXTERNAL=true;IDENTITY_ISSUER=https://a.b/x;"}, []string{"panel", "a b"}},
		"identity.rights":          {[]string{"", "IDENTITY_EXTERNAL=true;IDENTITY_ISSUER=https://a.b/x;roles"}, []string{"roles", "everything"}},
		"identity.former": {
			[]string{"https://a.b/x 1 2", "https://a.b/x 1 2,https://a.b/x 3 2,https://a.b/x 4 2"},
			[]string{
				"https://a.b/x 1", "http://a.b/x 1 2", "x 1 2", "https://id.lilas.example/realms/chatiere 1 2", "https://a.b/x 1 " + x("a", 191),
				"https://a.b/x " + x("a", 191) + " 2", "https://a.b/" + x("a", 250) + " 1 2", "https://a.b/x 1 2,https://a.b/x 3 2,https://a.b/x 4 2,https://a.b/x 5 2",
			}},
		"egress.permit":          {[]string{"10.0.0.0/8", "10.0.0.1:443", "mirror.lan:443", "[::1]:1", "10.0.0.0/8,a.b:1"}, []string{"10.0.0.1", "a.b", "a.b:0", "a.b:65536", "lan:1", "A.b:1", "10.0.0.0/8,x"}},
		"egress.allow":           {[]string{"a.b", "*.a.b", "a.b:443", "*.a.b:443"}, []string{"a", "10.0.0.1", "a.b:25", "a.b:0", "a.b:x", "a.*.b", "*.a.b:25", "a.b:65536"}},
		"egress.all_connections": {[]string{"64", "65536", "EGRESS_CONNECTIONS=100;100"}, []string{"63", "65537", "EGRESS_CONNECTIONS=100;99"}},
		"sites.first_uid":        {[]string{"100000", "265435"}, []string{"99999", "0"}},
		"sites.last_uid":         {[]string{"200100", "2147483646"}, []string{"200099"}},
		"sites.cpus":             {[]string{"0.1", "64", "1"}, []string{"0.09", "64.1", "NaN", "x"}},
		"disk.reserve_mib":       {[]string{"0", "64", "1048576"}, []string{"63", "1048577", "-1"}},
		"docker.host":            {[]string{"unix:///a"}, []string{"/a", "tcp://a:1", "unix://a", "unix:///" + x("a", 107)}},
		"mail.smarthost":         {[]string{"", "smtp.a.b:587", "smtp:25", "10.0.0.1:25", "[::1]:465"}, []string{"A.b:587", "a b:25", "a.b:0", "a.b:65536"}},
		"mail.tls": {
			[]string{"starttls", "implicit", "MAIL_SMARTHOST=localhost:25;none", "MAIL_SMARTHOST=127.0.0.1:25;none", "MAIL_SMARTHOST=[::1]:25;none"},
			[]string{"", "ssl", "MAIL_SMARTHOST=a.b:25;none", "MAIL_SMARTHOST=10.0.0.1:25;none"}},
		"mail.user":    {[]string{"", "MAIL_SMARTHOST=a.b:25;u@a.b"}, []string{"u", "MAIL_SMARTHOST=a.b:25;a b", "MAIL_SMARTHOST=a.b:25;" + x("a", 255)}},
		"mail.domain":  {[]string{"lilas.example", "a.b"}, []string{"a", "A.b"}},
		"mail.senders": {[]string{"", "a.b", "amap/a.b", "a.b,amap-du-puy/c.d"}, []string{"a", "a/a.b", "Amap/a.b", "amap/a", "amap/", "amap--x/a.b", "a.b,x"}},
		"mail.foreign": {[]string{"rewrite", "refuse"}, []string{"", "drop"}},

		"public_port": {[]string{"1", "65535"}, []string{"-1", "65536", "x"}}, "proxy.connections": bounds(64, 65536), "proxy.client_connections": bounds(16, 65536),
		"egress.connections_per_second": bounds(1, 1000), "egress.mib_per_second": bounds(1, 10240), "egress.burst_mib": bounds(1, 102400),
		"sites.memory_mib": bounds(64, 65536), "sites.pids": bounds(16, 4096), "sessions.idle_minutes": bounds(5, 1440), "sessions.hours": bounds(1, 168),
		"audit.keep_days": bounds(183, 1096), "mail.hourly": bounds(1, 100_000),
	} {
		for _, value := range c.good {
			if err := with(key, value); err != nil {
				t.Errorf("%s refuses %q: %v", key, value, err)
			}
		}
		for _, value := range c.bad {
			var faults config.Faults
			err := with(key, value)
			if !errors.As(err, &faults) || !slices.ContainsFunc(faults, func(f config.Fault) bool { return f.Key == key }) {
				t.Errorf("%s takes %.60q: %v", key, value, err)
			}
		}
	}
}

func bounds(least, most int) struct{ good, bad []string } {
	return struct{ good, bad []string }{
		[]string{fmt.Sprint(least), fmt.Sprint(most)}, []string{fmt.Sprint(least - 1), fmt.Sprint(most + 1), "", "1.5"},
	}
}

// with reads a configuration in which the environment gives a key a value.
func with(key, value string) error {
	parts := strings.Split(value, ";")
	last := len(parts) - 1
	env := []string{config.Variable(key) + "=" + parts[last]}
	for _, before := range parts[:last] {
		env = append(env, "CHATIERE_"+before)
	}
	_, err := config.Parse("chatiere.yaml", []byte(minimal), env)
	return err
}
