package setup

import (
	"os"

	"chatiere/cmd/internal/config"
	"chatiere/reverseproxy/certs"
)

// certificates makes those of the local authority, or brings the ones that the admin named to where the proxy reads.
func (r *run) certificates() error {
	if r.config.TLS.Mode == config.TLSFiles {
		return r.givenCertificates()
	}
	dirs := certs.Dirs{CA: r.paths.CADir(), Leaf: r.paths.CertsDir(), Group: config.ProxyGID}
	changed, err := certs.EnsureLocal(dirs, r.config.CertificateDomains(), r.tools.Clock)
	r.addChange(r.paths.Wildcard(), changed)
	return err
}

// givenCertificates copies, so that the proxy sees nothing of the machine but its own directory. Whoever renews the
// files runs setup again; the proxy takes the new pair without a restart.
func (r *run) givenCertificates() error {
	for _, file := range []struct {
		from string
		to   entry
	}{
		{r.config.TLS.Key, entry{path: r.paths.WildcardKey(), mode: 0o640, gid: config.ProxyGID}},
		{r.config.TLS.Cert, entry{path: r.paths.Wildcard(), mode: 0o644}},
	} {
		data, err := os.ReadFile(file.from)
		if err != nil {
			return err
		}
		changed, err := file.to.write(data)
		if err != nil {
			return err
		}
		r.addChange(file.to.path, changed)
	}
	// The containers mount it in any case; an empty list of authorities adds none to the public ones.
	changed, err := entry{path: r.paths.CA(), mode: 0o644}.write(nil)
	r.addChange(r.paths.CA(), changed)
	return err
}
