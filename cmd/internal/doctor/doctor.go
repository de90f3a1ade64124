// Package doctor looks the platform over: each check says what it found, and each that is not green says what to do.
// It only looks; whatever it finds is for the reconciler or for a person to mend.
package doctor

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"chatiere/panel/api"
	"chatiere/tenants"
	"chatiere/tenants/audit"
	"chatiere/tenants/recovery"
	"chatiere/tenants/schedule"
)

// Doctor holds what is looked at.
type Doctor struct {
	Root   string // data root
	Mounts Mounts
	Engine interface {
		Info(ctx context.Context) (tenants.EngineInfo, error)
	}
	// Database tells its own time.
	Database interface {
		Clock(ctx context.Context) (time.Time, error)
	}
	SitesDatabase interface {
		Ping(ctx context.Context) error
	}
	// Identity is nil where no account administers the realm.
	Identity interface {
		Ping(ctx context.Context) error
	}
	// Rights is what people's rights are taken from (identity.rights); Escapes tells whether our own Keycloak escapes
	// slashes in names of groups, nil while nobody has tried.
	Rights  string
	Escapes func() *bool
	// Certificate is the path of the chain that the proxy shows.
	Certificate string
	// Names are the addresses that must lead to us; Resolve looks one up.
	Names   []string
	Resolve func(ctx context.Context, name string) ([]string, error)
	// Local is true where names end in .localhost, which no resolver needs to know.
	Local  bool
	Shared string   // the registrable name that sites share with panel or sign-in; empty when they are apart
	Permit []string // egress.permit, shown because each entry opens something inside
	// Senders are the domains that every site may write mail from; Own those of them that are the co-op's.
	Senders, Own []string
	// Synchronised tells whether the kernel's clock is kept by a time service.
	Synchronised func() bool
	// Jobs tells how the last run of each recurring job went.
	Jobs func() []schedule.Outcome
	// Audit returns the state of the audit log.
	Audit func() audit.State
	Now   func() time.Time
	// Records says why the worker refuses the records, nil when it does not; Advice what can be done about it.
	Records func() error
	Advice  func(error) string
}

// each bounds one check, so that one dead service does not keep the others from being told; checks go side by side, or
// several dead services would outlast whoever asks.
const each = 5 * time.Second

// Examine makes every check; it fails only when ctx ends.
func (d Doctor) Examine(ctx context.Context) (api.Diagnosis, error) {
	looks := []func(context.Context) []api.Check{
		d.engine, d.records, d.database, d.sitesDatabase, d.identity, d.rights, d.disk, d.quota, d.clock, d.certificate, d.audit,
	}
	looks = append(append(looks, d.names()...), d.siblings, d.permits, d.senders, d.jobs)
	found := make([][]api.Check, len(looks))
	var all sync.WaitGroup
	for i, look := range looks {
		all.Go(func() {
			bounded, cancel := context.WithTimeout(ctx, each)
			defer cancel()
			found[i] = callRecovered(bounded, look)
		})
	}
	all.Wait()
	return api.Diagnosis{Checks: slices.Concat(found...)}, ctx.Err()
}

// callRecovered makes one check; a panic in it becomes a red line.
func callRecovered(ctx context.Context, look func(context.Context) []api.Check) (found []api.Check) {
	var err error
	defer func() {
		if err != nil {
			found = []api.Check{red("doctor", "a check failed by a fault of its own: "+err.Error(), "Report it to those who write Chatière.")}
		}
	}()
	defer recovery.Error(&err)
	return look(ctx)
}

func green(name, found string) api.Check {
	return api.Check{Name: name, State: api.CheckGreen, Found: found}
}

func red(name, found, advice string) api.Check {
	return api.Check{Name: name, State: api.CheckRed, Found: found, Advice: advice}
}

func amber(name, found, advice string) api.Check {
	return api.Check{Name: name, State: api.CheckAmber, Found: found, Advice: advice}
}

func (d Doctor) engine(ctx context.Context) []api.Check {
	info, err := d.Engine.Info(ctx)
	if err != nil {
		return []api.Check{red("docker", err.Error(), "Start Docker on the server: systemctl start docker. The sites go on meanwhile.")}
	}
	checks := []api.Check{green("docker", "engine "+info.Version+", API "+info.APIVersion+", cgroup v"+info.CgroupVersion)}
	if !info.LiveRestore {
		return append(checks, red("live-restore", "off: restarting Docker would stop every site",
			`Put {"live-restore": true} into /etc/docker/daemon.json, then: systemctl reload docker`))
	}
	return append(checks, green("live-restore", "on"))
}

func (d Doctor) database(ctx context.Context) []api.Check {
	if _, err := d.Database.Clock(ctx); err != nil {
		return []api.Check{red("database", err.Error(), "See why its container is not well: docker logs --tail 50 chatiere-…-mariadb")}
	}
	return []api.Check{green("database", "answers")}
}

func (d Doctor) records(context.Context) []api.Check {
	if err := d.Records(); err != nil {
		return []api.Check{red("records", err.Error(), d.Advice(err))}
	}
	return []api.Check{green("records", "are those of this data root")}
}

func (d Doctor) sitesDatabase(ctx context.Context) []api.Check {
	if err := d.SitesDatabase.Ping(ctx); err != nil {
		return []api.Check{red("sites-database", err.Error(), "See why its container is not well: docker logs --tail 50 chatiere-…-mariadb-sites")}
	}
	return []api.Check{green("sites-database", "answers")}
}

func (d Doctor) identity(ctx context.Context) []api.Check {
	if d.Identity == nil {
		return []api.Check{amber("keycloak", "no account to administer the realm: associations cannot be created, and members are known only by their sign-ins",
			"Ask those who run the realm for a client with a service account; put its name into identity.admin_client_id and its secret into secrets/oidc_worker.")}
	}
	if err := d.Identity.Ping(ctx); err != nil {
		return []api.Check{red("keycloak", err.Error(),
			"Nobody can sign in until it answers; chatiere break-glass lets an admin in. See docker logs --tail 50 chatiere-…-keycloak")}
	}
	return []api.Check{green("keycloak", "answers")}
}

// rights tells whether people's rights come from something that no name forges.
func (d Doctor) rights(context.Context) []api.Check {
	switch d.Rights {
	case "directory":
		return []api.Check{green("rights", "come from the realm's groups, which the worker knows by their ids")}
	case "roles":
		return []api.Check{green("rights", "come from the roles of the panel's client")}
	case "groups":
		if escapes := d.Escapes(); escapes != nil && !*escapes {
			return []api.Check{red("rights", "Keycloak does not escape slashes in names of groups: one called coop/admins makes its members volunteers",
				"Its image is older than the panel's: make images, then docker-compose … up -d keycloak")}
		}
		return []api.Check{green("rights", "come from the paths of groups, in which slashes of names are escaped")}
	}
	return []api.Check{red("rights", "nobody has any: the paths of groups in somebody else's realm can be forged by whoever may name a group",
		"Give the worker an account there (identity.admin_client_id), or let the realm put roles of the panel's client into its token and set identity.rights: roles. chatiere break-glass lets an admin in meanwhile.")}
}

const (
	lowDisk  = 0.10 // of the file system: time to act
	fullDisk = 0.03
	mebibyte = 1 << 20
)

func (d Doctor) disk(context.Context) []api.Check {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(d.Root, &fs); err != nil {
		return []api.Check{red("disk", err.Error(), "Look whether the data root is mounted.")}
	}
	return append([]api.Check{share("disk", "MiB free", fs.Bavail*uint64(fs.Bsize)/mebibyte, fs.Blocks*uint64(fs.Bsize)/mebibyte)},
		share("inodes", "inodes free", fs.Ffree, fs.Files))
}

func share(name, unit string, free, total uint64) api.Check {
	if total == 0 {
		return green(name, "not counted by this file system")
	}
	part := float64(free) / float64(total)
	found := fmt.Sprintf("%d %s of %d (%.0f %%)", free, unit, total, 100*part)
	switch {
	case part < fullDisk:
		return red(name, found, "Make room now: docker image prune, older files below the data root, or a larger disk.")
	case part < lowDisk:
		return amber(name, found, "Make room soon: see which sites grow in the panel's list.")
	}
	return green(name, found)
}

// maxSkew is what leases and sign-in stand without harm.
const maxSkew = 5 * time.Second

// clock compares with the database's, which matters when it lies on another server, and asks the kernel whether anybody
// keeps its time.
func (d Doctor) clock(ctx context.Context) []api.Check {
	const advice = "Set the server's clock and keep it: timedatectl set-ntp true"
	if theirs, err := d.Database.Clock(ctx); err == nil {
		if skew := d.Now().Sub(theirs).Abs(); skew > maxSkew {
			return []api.Check{red("clock", fmt.Sprintf("%s apart from the database", skew.Round(time.Second)), advice)}
		}
	}
	if !d.Synchronised() {
		return []api.Check{amber("clock", "nobody keeps the server's time: it will drift, and sign-in and one-time codes will fail", advice)}
	}
	return []api.Check{green("clock", "kept by a time service")}
}

func (d Doctor) certificate(context.Context) []api.Check {
	leaf, err := readLeaf(d.Certificate)
	if err != nil {
		return []api.Check{red("certificate", err.Error(), "Run chatiere setup again; it mends what is missing.")}
	}
	left := leaf.NotAfter.Sub(d.Now())
	found := fmt.Sprintf("%v, until %s", leaf.DNSNames, leaf.NotAfter.Format("2006-01-02"))
	switch life := leaf.NotAfter.Sub(leaf.NotBefore); {
	case left <= 0:
		return []api.Check{red("certificate", found+": over", "Look in the worker's log why it was not renewed, or bring a new file and run chatiere setup.")}
	case left < life/4: // renewed at a third: past a quarter, renewal has been failing for a while
		return []api.Check{amber("certificate", found, "Look in the worker's log why it was not renewed.")}
	}
	return []api.Check{green("certificate", found)}
}

func readLeaf(path string) (*x509.Certificate, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New(path + " holds no certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

// names returns one check for each name: they may lie with different name servers.
func (d Doctor) names() []func(context.Context) []api.Check {
	if d.Local {
		return []func(context.Context) []api.Check{func(context.Context) []api.Check {
			return []api.Check{green("names", "below .localhost: every browser finds them by itself")}
		}}
	}
	var looks []func(context.Context) []api.Check
	for _, name := range d.Names {
		looks = append(looks, func(ctx context.Context) []api.Check { return []api.Check{d.name(ctx, name)} })
	}
	return looks
}

func (d Doctor) name(ctx context.Context, name string) api.Check {
	const advice = "Add a DNS record for %[1]s (and *.%[1]s for the domain) that leads to this server."
	found, err := d.Resolve(ctx, name)
	switch {
	case err != nil:
		return red("name "+name, err.Error(), fmt.Sprintf(advice, name))
	case len(found) == 0:
		return red("name "+name, "no address", fmt.Sprintf(advice, name))
	}
	return green("name "+name, fmt.Sprint(found[:min(4, len(found))]))
}

// siblings says whether browsers keep the sites apart from panel and sign-in. Together they work as well: it is a hint.
func (d Doctor) siblings(context.Context) []api.Check {
	if d.Shared == "" {
		return []api.Check{green("sites apart", "panel and sign-in are on another registrable name than the sites")}
	}
	return []api.Check{amber("sites apart", "panel or sign-in share "+d.Shared+" with the sites, whose scripts can set cookies for all of it",
		"Before people know the addresses by heart, give panel.host and identity.issuer names below another domain (docs/admin.md, Install).")}
}

// senders names the domains in whose name every association can write.
func (d Doctor) senders(context.Context) []api.Check {
	foreign := slices.DeleteFunc(slices.Clone(d.Senders), func(domain string) bool { return slices.Contains(d.Own, domain) })
	if len(foreign) == 0 {
		return []api.Check{green("mail.senders", "each association writes from its own domains")}
	}
	return []api.Check{amber("mail.senders", fmt.Sprintf("every site of every association may write from %v", foreign),
		"In chatiere.yaml, put the association's slug in front: <slug>/"+foreign[0])}
}

func (d Doctor) permits(context.Context) []api.Check {
	if len(d.Permit) == 0 {
		return []api.Check{green("egress.permit", "empty: sites reach no private address")}
	}
	return []api.Check{amber("egress.permit", fmt.Sprintf("sites may reach %v", d.Permit), "Take away from chatiere.yaml what is no longer needed.")}
}
