package config

import (
	"net"
	"strconv"
)

// defaults sets what does not depend on other keys, before the file is read.
func defaults() Config {
	return Config{
		Root:     DefaultRoot,
		Language: "fr",
		Coop:     Coop{Name: "Chatière"},
		Proxy:    Proxy{HTTPS: ":443", HTTP: ":80", Connections: 4096, ClientConnections: 256},
		TLS:      TLS{Mode: TLSLocalCA},
		Database: Database{
			Name: "chatiere", PanelUser: "chatiere_panel", WorkerUser: "chatiere_worker", MigrateUser: "chatiere_migrate",
		},
		SitesDatabase: SitesDatabase{AdminUser: "chatiere_sites"},
		Identity:      Identity{ClientID: "panel"},
		Egress:        Egress{Connections: 64, ConnectionsPerSecond: 20, AllConnections: 2048, MiBPerSecond: 8, BurstMiB: 256},
		Mail:          Mail{TLS: MailStartTLS, Foreign: ForeignRewrite, Hourly: 200},
		Sites:         Sites{FirstUID: 200000, LastUID: 265535, MemoryMiB: 384, Pids: 128, CPUs: 1},
		Sessions:      Sessions{IdleMinutes: 480, Hours: 24},
		Audit:         Audit{KeepDays: 366}, // a year from each act, leap years included
		Docker:        Docker{Host: "unix:///var/run/docker.sock"},
	}
}

// derive fills in what follows from other keys and was left open.
func (c *Config) derive() {
	if c.PublicPort == 0 {
		c.PublicPort = listenPort(c.Proxy.HTTPS)
	}
	paths := c.Paths()
	if c.Database.Socket == "" {
		c.Database.Socket = paths.MariaDBSocket()
	}
	if c.SitesDatabase.Socket == "" {
		c.SitesDatabase.Socket = paths.SitesMariaDBSocket()
	}
	if c.Identity.AdminClientID == "" && !c.Identity.External {
		c.Identity.AdminClientID = "chatiere-worker"
	}
	if c.Identity.Rights == "" {
		c.Identity.Rights = c.Identity.rightsFrom()
	}
	if c.Domain == "" {
		return // its absence is reported; names made from nothing would only add noise
	}
	if c.Mail.Domain == "" {
		c.Mail.Domain = c.Domain
	}
	if c.Panel.Host == "" {
		c.Panel.Host = "panel." + c.Domain
	}
	if c.Identity.Issuer == "" && !c.Identity.External {
		c.Identity.Issuer = c.SiteURL("id."+c.Domain) + "/realms/chatiere"
	}
}

// rightsFrom is what rights are taken from unless somebody chose: nothing, on somebody else's realm without an account.
func (i Identity) rightsFrom() string {
	switch {
	case !i.External:
		return RightsGroups
	case i.AdminClientID != "":
		return RightsDirectory
	}
	return ""
}

// listenPort returns the port of a listen address, 0 when it has none.
func listenPort(address string) int {
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return 0
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return port
}
