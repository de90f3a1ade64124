package records

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"chatiere/tenants"
)

// Consent is root's decision that the records are used from now on although they do not match the data root. It is a file
// beside the mark, so that only those who may write to the data root can give it.
type Consent struct {
	Path string
}

// consentFile contains the data root's mark at that time, so that it is not consent to anything later.
type consentFile struct {
	Installation string    `json:"installation"`
	Count        int64     `json:"count"`
	By           string    `json:"by"`
	At           time.Time `json:"at"`
}

// Give writes consent for the data root's present mark.
func (c Consent) Give(f File, by string, now time.Time) error {
	root, err := f.Read()
	if err != nil {
		return err
	}
	data, err := json.Marshal(consentFile{Installation: root.Installation, Count: root.Count, By: by, At: now.UTC()})
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.Path, data, 0o600); err != nil {
		return fmt.Errorf("writing consent: %w", err)
	}
	return nil
}

// Given reports whether there is a consent file.
func (c Consent) Given() bool {
	_, err := os.Stat(c.Path)
	return err == nil
}

// Forget removes consent that was not needed.
func (c Consent) Forget() error { return remove(c.Path) }

// Accept makes the records this data root's if consent was given, and reports whether it was. Records' older history stays
// what it is: what lies on the data root and has no record is reported and left alone.
func (g *Guard) Accept(ctx context.Context, c Consent) (accepted bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	root, err := g.File.Read()
	if err != nil {
		return false, err
	}
	data, err := readAll(c.Path)
	if err != nil || data == nil {
		return false, err
	}
	var w consentFile
	if err := json.Unmarshal(data, &w); err != nil || w.Installation != root.Installation || w.Count != root.Count {
		return false, c.Forget()
	}
	database, err := g.Database.Mark(ctx)
	if err != nil {
		return false, err
	}
	next := tenants.Mark{Installation: newInstallation(), Count: max(root.Count, database.Count) + 1, Host: g.Host, At: g.Now().UTC()}
	told := &tenants.AuditEntry{
		ActorKind: tenants.KindLocal, ActorName: w.By, Action: "records.accept",
		Detail: fmt.Sprintf("records of mark %d (%s) for the data root of mark %d (%s)", database.Count, Date(database.At), root.Count, Date(root.At)),
	}
	// The database first. Killed in between, the data root still bears its old name: refused again, to be accepted again.
	if err := g.Database.SetMark(ctx, next, told); err != nil {
		return false, err
	}
	if err := g.File.Replace(next); err != nil {
		return false, err
	}
	return true, c.Forget()
}
