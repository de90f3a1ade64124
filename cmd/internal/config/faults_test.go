package config_test

import (
	"strings"
	"testing"
)

func TestFaultsSayWhatAndWhere(t *testing.T) {
	long := "/srv/" + strings.Repeat("x", 80)
	for name, c := range map[string]struct {
		text, env       string
		key, where      string
		problem, expect string
	}{
		"missing domain":            {"instance: a\n", "", "domain", "chatiere.yaml", "missing", "two labels"},
		"missing instance":          {"domain: a.b\n", "", "instance", "chatiere.yaml", "missing", "short name"},
		"instance too long":         {"domain: a.b\ninstance: abcdefghijklmnopqrstu\n", "", "instance", "chatiere.yaml:2", "abcdef", "20"},
		"number for text":           {minimal + "language: 12\n", "", "language", "chatiere.yaml:3", "quotes", "fr or en"},
		"text for number":           {minimal + "public_port: https\n", "", "public_port", "chatiere.yaml:3", "whole number", "65535"},
		"section for value":         {minimal + "language: {a: b}\n", "", "language", "chatiere.yaml:3", "a section", "fr"},
		"value for section":         {minimal + "sites: 3\n", "", "sites", "chatiere.yaml:3", "3", "memory_mib"},
		"unknown key":               {minimal + "pubic_port: 1\n", "", "pubic_port", "chatiere.yaml:3", "did you mean public_port?", "port"},
		"unknown nested key":        {minimal + "sites:\n  memory: 1\n", "", "sites.memory", "chatiere.yaml:4", "did you mean sites.memory_mib?", "MiB"},
		"key in another section":    {minimal + "coop:\n  pids: 1\n", "", "coop.pids", "chatiere.yaml:4", "did you mean sites.pids?", "16"},
		"section misspelt":          {minimal + "docker_:\n  host: x\n", "", "docker_", "chatiere.yaml:3", "did you mean docker?", ""},
		"key like nothing":          {minimal + "zzzzzzzzz: 1\n", "", "zzzzzzzzz", "chatiere.yaml:3", "no such key", "one of instance"},
		"key twice":                 {minimal + "instance: b\n", "", "(syntax)", "chatiere.yaml:3", "already defined", ""},
		"no YAML":                   {minimal + "a: [\n", "", "(syntax)", "chatiere.yaml:3", "", "YAML"},
		"list instead of keys":      {"- a\n", "", "(document)", "chatiere.yaml:1", "a list", "instance"},
		"two documents":             {minimal + "---\n" + minimal, "", "(document)", "chatiere.yaml", "several documents", "one"},
		"root of one level":         {minimal + "root: /srv\n", "", "root", "chatiere.yaml:3", "/srv", "two levels"},
		"root with dots":            {minimal + "root: /srv/a/../b\n", "", "root", "chatiere.yaml:3", "..", "absolute"},
		"root too long for sockets": {minimal + "root: " + long + "\n", "", "root", "chatiere.yaml:3", "of at most 107", "absolute"},
		"socket too long":           {minimal + "database: {socket: " + long + long + "}\n", "", "database.socket", "chatiere.yaml:3", "too many", "107"},
		"panel where people sign in": {minimal + "panel: {host: id.lilas.example}\n", "", "panel.host", "chatiere.yaml:3", "identity.issuer",
			"other than"},
		"issuer on another port": {minimal + "identity: {issuer: 'https://id.a.b:1/realms/chatiere'}\n", "", "identity.issuer", "chatiere.yaml:3",
			"public_port (443)", "realm chatiere"},
		"external without issuer":            {minimal + "identity: {external: true}\n", "", "identity.issuer", "chatiere.yaml", "missing", "https"},
		"certificate not named":              {minimal + "tls: {mode: files, files: {key: /a/b}}\n", "", "tls.files.cert", "chatiere.yaml", "missing", "chain"},
		"certificate for nothing":            {minimal + "tls: {files: {key: /a/b}}\n", "", "tls.files.key", "chatiere.yaml:3", "local-ca", "files"},
		"migrations as the worker":           {minimal + "database: {migrate_user: chatiere_worker}\n", "", "database.migrate_user", "chatiere.yaml:3", "another user", "other than"},
		"private target, no port":            {minimal + "egress: {permit: [10.0.0.1]}\n", "", "egress.permit", "chatiere.yaml:3", "10.0.0.1", "ranges"},
		"former person without a present id": {minimal + "identity: {former: ['https://old.example/realms/x 1111']}\n", "", "identity.former", "chatiere.yaml:3", "1111", "a list of people"},
		"former issuer without https":        {minimal + "identity: {former: ['http://old.example/x 1 2']}\n", "", "identity.former", "chatiere.yaml:3", "http://old", "a list of people"},
		"address in allow list":              {minimal + "egress: {allow: ['10.0.0.1:80']}\n", "", "egress.allow", "chatiere.yaml:3", "10.0.0.1", "names"},
		"port of mail in allow list": {minimal + "egress: {allow: ['mx.example.org:25']}\n", "", "egress.allow", "chatiere.yaml:3",
			"their mail goes through the relay", "names"},
		"fewer for all than for one": {minimal + "egress: {connections: 100, all_connections: 99}\n", "", "egress.all_connections",
			"chatiere.yaml:3", "99", "at least"},
		"no bytes at all":          {minimal + "egress: {mib_per_second: 0}\n", "", "egress.mib_per_second", "chatiere.yaml:3", "0", "MiB"},
		"uids of the machine":      {minimal + "sites: {first_uid: 1000}\n", "", "sites.first_uid", "chatiere.yaml:3", "1000", "100000"},
		"engine by TCP":            {minimal + "docker: {host: 'tcp://a:1'}\n", "", "docker.host", "chatiere.yaml:3", "tcp", "unix"},
		"variable of a wrong kind": {minimal, "CHATIERE_SITES_PIDS=few", "sites.pids", "environment CHATIERE_SITES_PIDS", "few", "16"},
		"variable out of range":    {minimal, "CHATIERE_SITES_PIDS=1", "sites.pids", "environment CHATIERE_SITES_PIDS", "1", "16"},
		"variable misspelt":        {minimal, "CHATIERE_SITES_PID=1", "CHATIERE_SITES_PID", "environment CHATIERE_SITES_PID", "CHATIERE_SITES_PIDS", "16"},
	} {
		t.Run(name, func(t *testing.T) {
			faults := faultsOf(t, c.text, c.env)
			if len(faults) != 1 && !strings.HasPrefix(c.key, "(") {
				t.Fatalf("%d faults, want one:\n%s", len(faults), faults.Report())
			}
			f := faults[0]
			if f.Key != c.key || f.Where != c.where {
				t.Errorf("fault of %s at %s, want %s at %s", f.Key, f.Where, c.key, c.where)
			}
			if !strings.Contains(f.Problem, c.problem) || !strings.Contains(f.Expected, c.expect) {
				t.Errorf("problem %q, expected %q; want mentions of %q and %q", f.Problem, f.Expected, c.problem, c.expect)
			}
		})
	}
}
