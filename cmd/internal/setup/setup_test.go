package setup_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"chatiere/cmd/internal/config"
	"chatiere/cmd/internal/setup"
)

func tools() setup.Tools {
	return setup.Tools{Clock: time.Now, Random: rand.Reader, Progress: func(string) {}}
}

func wish(t *testing.T) setup.Options {
	t.Helper()
	return setup.Options{Root: newRoot(t), Instance: "lilas", Domain: "lilas.example",
		HTTPSPort: 8443, HTTPPort: 8080, CoopName: `L'Atelier "du" Lilas`}
}

// newRoot is a path as short as sockets need it, which the test's own directory is not.
func newRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "root")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(dir, "root")
}

func run(t *testing.T, o setup.Options) setup.Report {
	t.Helper()
	report, err := setup.Run(context.Background(), o, tools())
	if err != nil {
		t.Fatalf("setting up: %v", err)
	}
	return report
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestSetupMakesAUsableRoot(t *testing.T) {
	o := wish(t)
	report := run(t, o)
	if report.PanelURL != "https://panel.lilas.example:8443" {
		t.Errorf("panel at %s", report.PanelURL)
	}
	c, err := config.Load(report.Config, nil)
	if err != nil {
		t.Fatalf("loading what was made: %v", err)
	}
	if faults := c.CheckFiles(); len(faults) > 0 {
		t.Errorf("files are at fault:\n%s", faults.Report())
	}
	if c.Coop.Name != o.CoopName {
		t.Errorf("the co-op is called %q", c.Coop.Name)
	}
	if _, err := tls.LoadX509KeyPair(c.Paths().Wildcard(), c.Paths().WildcardKey()); err != nil {
		t.Errorf("certificate: %v", err)
	}
}

func TestSecondRunChangesNothing(t *testing.T) {
	o := wish(t)
	run(t, o)
	if again := run(t, o); len(again.Changed) > 0 {
		t.Errorf("it wrote %v", again.Changed)
	}
	if again := run(t, setup.Options{Root: o.Root}); len(again.Changed) > 0 {
		t.Errorf("without wishes, it wrote %v", again.Changed)
	}
}

func TestOwnersAndModesAreThoseOfTheRoles(t *testing.T) {
	o := wish(t)
	run(t, o)
	p := config.PathsBelow(o.Root)
	for path, want := range map[string]struct {
		mode     fs.FileMode
		uid, gid uint32
	}{
		p.Root():                           {fs.ModeDir | 0o755, 0, 0},
		p.Config():                         {0o644, 0, 0},
		p.Secrets():                        {fs.ModeDir | 0o700, 0, 0},
		p.CertsDir():                       {fs.ModeDir | 0o750, 0, 64010},
		p.WildcardKey():                    {0o640, 0, 64010},
		p.CADir():                          {fs.ModeDir | 0o700, 0, 0},
		p.CAKey():                          {0o600, 0, 0},
		p.EgressDir():                      {fs.ModeDir | 0o750, 0, 64030},
		p.ProxySpool():                     {fs.ModeDir | 0o770, 0, 64010},
		p.GatewaySpool():                   {fs.ModeDir | 0o750, 64030, 64030},
		p.MariaDBData():                    {fs.ModeDir | 0o750, 64040, 64040},
		p.MariaDBDir():                     {fs.ModeDir | 0o755, 64040, 64040},
		p.SitesMariaDBDir():                {fs.ModeDir | 0o755, 64040, 64040},
		p.KeycloakDir():                    {fs.ModeDir | fs.ModeSetgid | 0o750, 64050, 64010},
		p.ProxyDir():                       {fs.ModeDir | 0o755, 0, 0},
		p.GatewayEdgeDir():                 {fs.ModeDir | fs.ModeSetgid | 0o750, 0, 64030},
		p.KeycloakEdgeDir():                {fs.ModeDir | fs.ModeSetgid | 0o750, 0, 64050},
		p.WorkerEdgeDir():                  {fs.ModeDir | 0o700, 0, 0},
		p.PanelDir():                       {fs.ModeDir | fs.ModeSetgid | 0o770, 64020, 64010},
		p.CLIDir():                         {fs.ModeDir | 0o700, 64020, 64020},
		p.WorkerDir():                      {fs.ModeDir | 0o700, 0, 0},
		p.WorkerPanelDir():                 {fs.ModeDir | fs.ModeSetgid | 0o750, 0, 64020},
		p.Secret("db_panel"):               {0o600, 64020, 64020},
		p.Secret("oidc_panel"):             {0o600, 64020, 64020},
		p.Secret("db_migrate"):             {0o600, 0, 0},
		p.SecretsOf("keycloak"):            {fs.ModeDir | 0o700, 64050, 64050},
		p.SecretsOf("mariadb/init.sql"):    {0o600, 64040, 64040},
		p.SecretsOf("keycloak/oidc_panel"): {0o600, 64050, 64050},
		p.ComposeEnv():                     {0o600, 0, 0},
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Error(err)
			continue
		}
		owner := info.Sys().(*syscall.Stat_t)
		if info.Mode() != want.mode || owner.Uid != want.uid || owner.Gid != want.gid {
			t.Errorf("%s is %v %d:%d, want %v %d:%d", path, info.Mode(), owner.Uid, owner.Gid, want.mode, want.uid, want.gid)
		}
	}
}

func TestDamagedModesAndLostSecretsAreMended(t *testing.T) {
	o := wish(t)
	run(t, o)
	p := config.PathsBelow(o.Root)
	kept := read(t, p.Secret("db_worker"))
	for _, err := range []error{os.Chmod(p.CLIDir(), 0o777), os.Chown(p.Secret("db_worker"), 1, 1), os.Remove(p.Secret("db_panel"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	report := run(t, o)
	for _, path := range []string{p.CLIDir(), p.Secret("db_worker"), p.Secret("db_panel"), p.SecretsOf("mariadb") + "/init.sql"} {
		if !contains(report.Changed, path) {
			t.Errorf("%s was not mended; changed %v", path, report.Changed)
		}
	}
	if read(t, p.Secret("db_worker")) != kept {
		t.Error("a secret that was there was made anew")
	}
	if !strings.Contains(read(t, p.SecretsOf("mariadb")+"/init.sql"), strings.TrimSpace(read(t, p.Secret("db_panel")))) {
		t.Error("the database does not learn the new password")
	}
}

func TestAdminsChangesStay(t *testing.T) {
	o := wish(t)
	report := run(t, o)
	edited := strings.Replace(read(t, report.Config), "language: fr", "language: en # ours", 1)
	if err := os.WriteFile(report.Config, []byte(edited), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, o)
	if read(t, report.Config) != edited {
		t.Error("the file was rewritten")
	}
}

func TestWishThatContradictsTheFileIsRefusedWithBothValues(t *testing.T) {
	o := wish(t)
	report := run(t, o)
	before := read(t, report.Config)
	o.HTTPSPort = 9443
	_, err := setup.Run(context.Background(), o, tools())
	if !errors.Is(err, setup.ErrDiffers) || !strings.Contains(err.Error(), "8443") || !strings.Contains(err.Error(), "9443") {
		t.Errorf("got %v", err)
	}
	if read(t, report.Config) != before {
		t.Error("the file was changed")
	}
}

func TestImpossibleWishLeavesNoFile(t *testing.T) {
	o := wish(t)
	o.Domain = "lilas"
	_, err := setup.Run(context.Background(), o, tools())
	if !errors.Is(err, config.ErrFaults) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(config.PathsBelow(o.Root).Config()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file was left: %v", err)
	}
}

func TestLinkInPlaceOfADirectoryIsRefused(t *testing.T) {
	o := wish(t)
	run(t, o)
	cli, elsewhere := config.PathsBelow(o.Root).CLIDir(), t.TempDir()
	if err := errors.Join(os.Remove(cli), os.Symlink(elsewhere, cli)); err != nil {
		t.Fatal(err)
	}
	if _, err := setup.Run(context.Background(), o, tools()); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("got %v", err)
	}
	if info, err := os.Stat(elsewhere); err != nil || info.Sys().(*syscall.Stat_t).Uid == 64020 {
		t.Errorf("what the link points to was given away: %v", err)
	}
}

func TestRandomSourceThatEndsIsAnError(t *testing.T) {
	broken := tools()
	broken.Random = strings.NewReader("short")
	if _, err := setup.Run(context.Background(), wish(t), broken); err == nil {
		t.Error("secrets were made of nothing")
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
