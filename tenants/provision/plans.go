package provision

import (
	"context"
	"log/slog"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// Kinds of operations, as stored. They never change; a changed plan gets a new version.
const (
	KindAssociationCreate = "association.create"
	KindSiteProvision     = "site.provision"
	KindSiteSuspend       = "site.suspend"
	KindSiteResume        = "site.resume"
	KindSiteDelete        = "site.delete"
	KindSiteRestore       = "site.restore"
	KindSitePurge         = "site.purge"
	KindSiteUpdate        = "site.update"
	KindSiteBackup        = "site.backup"
	KindSiteRecover       = "site.recover" // brings a snapshot back
	KindSiteRepair        = "site.repair"  // asked by the reconciler: a ready site's container, sockets or egress list are not as they must be
	KindSiteRest          = "site.rest"    // asked by the reconciler: a closed site's container runs, or its sockets are lost
)

// Plans has the ports that the steps use.
type Plans struct {
	Instance  string
	Language  string // locale of new sites' language, such as "fr"
	Records   Records
	Databases Databases
	Disk      Disk
	Groups    Groups
	Routes    Routes
	Egress    Egress
	Engine    tenants.Engine
	Backups   Backups
	Templates Templates
	Private   Prober // over the site's own socket
	Public    Prober // through the proxy, as a visitor would
	Now       func() time.Time
	Log       *slog.Logger
	// Drain is how long the release before goes on after an update's switch: a request that was routed by the table before
	// may not have reached it yet.
	Drain time.Duration

	quirks      knownDrift
	definitions definitions
}

// Spec is the stored input of an operation. New binaries read old rows: fields are only ever added.
type Spec struct {
	AssociationID string `json:"association,omitempty"`
	SiteID        string `json:"site,omitempty"`
	AdminUser     string `json:"admin_user,omitempty"`
	// Was is the site's state at the time of the request, for undoing.
	Was tenants.SiteState `json:"was,omitempty"`
	// BinnedAt is since when the site had been in the bin, for undoing a restore.
	BinnedAt *time.Time `json:"binned_at,omitempty"`
	// By is the side that made the request; only the same side, or the co-op, may cancel or retry.
	By tenants.Side `json:"by,omitempty"`
	// Mode is the one that a new site gets, or that an update brings; "": the template's first, or the one that the site has.
	Mode string `json:"mode,omitempty"`
	// Restart makes a repair restart the containers although they run.
	Restart bool `json:"restart,omitempty"`
	// Reason is why a backup is made.
	Reason tenants.SnapshotReason `json:"reason,omitempty"`
	// Snapshot is what is brought back.
	Snapshot string `json:"snapshot,omitempty"`
}

// Registry returns every plan in every version this binary can finish. The ports may be nil where plans are only named,
// as in the panel.
func (p *Plans) Registry() *operations.Registry {
	plans := []operations.Plan{
		p.associationCreate(),
		p.siteProvision(),
		p.siteSuspend(),
		p.siteResume1(),
		p.siteResume(),
		p.siteDelete(),
		p.siteRestore(),
		p.sitePurge(),
		p.siteUpdate1(),
		p.siteUpdate(),
		p.siteRepair(),
		p.siteStopClosed(),
		p.siteBackup(),
		p.siteRecover(),
	}
	for n, plan := range plans {
		plans[n].Lane = lanes[plan.Kind]
		plans[n].Holds = holds[plan.Kind]
		for i := range plan.Steps {
			if needsRoom[plan.Kind] {
				plan.Steps[i] = p.withDiskCheck(plan.Steps[i])
			}
			plan.Steps[i] = p.withErrorClass(plan.Steps[i])
		}
	}
	return operations.NewRegistry(plans...)
}

// lanes are those of the plans that nobody waits for.
var lanes = map[string]operations.Lane{
	KindSiteRepair: operations.Repair, KindSiteRest: operations.Repair, KindSiteBackup: operations.Bulk,
}

// holds are those of the plans that read, make, change or delete a site's data as a whole.
var holds = map[string]func(operations.Operation) []operations.Hold{
	KindSiteProvision: holdsData, KindSiteUpdate: holdsData, KindSitePurge: holdsData, KindSiteBackup: holdsBackup, KindSiteRecover: holdsData,
}

// holdsData returns the holds of an operation on a site and its data.
func holdsData(op operations.Operation) []operations.Hold {
	return []operations.Hold{{Subject: op.Subject}, {Subject: DataSubject(op.SiteID)}}
}

// siteSubject is what every change of a site holds, so that there is one at a time.
func siteSubject(siteID string) string { return "site:" + siteID }

// DataSubject is what plans hold that change a site's data as a whole. Whoever reads it as a whole, as a backup does, holds
// it shared and the site not at all: the site can be suspended, resumed and repaired meanwhile.
func DataSubject(siteID string) string { return "data:" + siteID }

// needsRoom are the plans that need disk space.
var needsRoom = map[string]bool{
	KindSiteProvision: true, KindSiteResume: true, KindSiteRestore: true, KindSiteRepair: true, KindSiteUpdate: true,
	KindSiteBackup: true, KindSiteRecover: true,
}

func (p *Plans) associationCreate() operations.Plan {
	return operations.Plan{
		Kind: KindAssociationCreate, Version: 1,
		Steps:  []operations.Step{p.stepGroups()},
		Finish: p.associationActive,
		Revert: p.associationGone,
	}
}

func (p *Plans) siteProvision() operations.Plan {
	open := p.stepOpen()
	open.Pivot = true // from here on visitors see the site
	return operations.Plan{
		Kind: KindSiteProvision, Version: 1,
		Steps: []operations.Step{
			p.stepImage(), p.stepFiles(), p.stepDatabase(), p.stepEgress(), p.stepContainer(), p.stepStart(),
			p.stepInstall(), p.stepReady(), open,
		},
		Revert: p.siteState(tenants.StateAborted),
	}
}

func (p *Plans) siteSuspend() operations.Plan {
	return operations.Plan{
		Kind: KindSiteSuspend, Version: 1,
		Steps: []operations.Step{p.stepClose(tenants.StateSuspended, tenants.StateReady), p.stepStop()},
	}
}

// siteResume lets the site's user into its database first: it may have been locked together with the suspension.
func (p *Plans) siteResume() operations.Plan {
	plan := p.siteResume1()
	plan.Version, plan.Steps = 2, append([]operations.Step{p.stepUnlock()}, plan.Steps...)
	return plan
}

func (p *Plans) siteResume1() operations.Plan {
	open := p.stepOpen()
	open.Pivot = true
	return operations.Plan{
		Kind: KindSiteResume, Version: 1,
		Steps: []operations.Step{p.stepContainerKept(), p.stepStart(), p.stepReady(), open},
	}
}

func (p *Plans) siteDelete() operations.Plan {
	stop := p.stepStop()
	stop.Undo = p.unlessSuspended(stop.Undo)
	return operations.Plan{
		Kind: KindSiteDelete, Version: 1,
		Steps: []operations.Step{
			p.stepClose(tenants.StateBinned, ""), stop, p.stepWithdraw(), p.stepRemoveContainer(),
		},
	}
}

func (p *Plans) siteRestore() operations.Plan {
	start, ready, open := p.stepStart(), p.stepReady(), p.stepOpen()
	start.Do, ready.Do = p.unlessSuspended(start.Do), p.unlessSuspended(ready.Do)
	open.Pivot = true
	return operations.Plan{
		Kind: KindSiteRestore, Version: 1,
		Steps:  []operations.Step{p.stepEgress(), p.stepContainer(), start, ready, open},
		Finish: p.outOfBin,
	}
}

func (p *Plans) sitePurge() operations.Plan {
	first := p.stepDelete("container", func(ctx context.Context, s tenants.Site) error {
		return p.removeContainers(ctx, s.ID)
	})
	first.Pivot = true // nothing that follows can be taken back
	return operations.Plan{
		Kind: KindSitePurge, Version: 1,
		Steps: []operations.Step{
			first,
			p.stepDelete("egress", func(ctx context.Context, s tenants.Site) error { return p.Egress.Withdraw(ctx, s.ID) }),
			p.stepDelete("database", p.dropDatabases),
			p.stepDelete("files", func(ctx context.Context, s tenants.Site) error { return p.Disk.Remove(ctx, s.ID) }),
			p.stepMarkPurged(),
		},
	}
}

// dropDatabases drops those of every generation that the site's data ever had.
func (p *Plans) dropDatabases(ctx context.Context, s tenants.Site) error {
	if s.Database() == "" {
		return nil
	}
	last, err := p.Records.LastGeneration(ctx, s.ID)
	if err != nil {
		return err
	}
	for generation := 1; generation <= max(last, 1); generation++ {
		if err := p.Databases.Drop(ctx, tenants.DatabaseName(s.ID, generation)); err != nil {
			return err
		}
	}
	return nil
}

// siteRepair brings back what the records say should run, sockets' directories included, which a reboot may have taken, and
// makes a container anew that was changed. All it makes is there by right and is not undone; but a container that had to
// make room comes back when its successor does not get well.
func (p *Plans) siteRepair() operations.Plan {
	egress := p.stepEgress()
	egress.Undo = nil
	return operations.Plan{Kind: KindSiteRepair, Version: 1, Steps: []operations.Step{
		p.stepStopUnbound(), p.stepSockets(), egress, p.stepReplace(), p.stepSwap(), p.stepProbe(), p.stepRemovePrevious(),
	}}
}

// siteUpdate gives a site the release that its template makes now. Its containers come up beside the old ones, on sockets
// of their own, and visitors go on being served by those until the new ones have answered. Until the switch, undoing removes
// what was made; the old release was not touched.
func (p *Plans) siteUpdate() operations.Plan {
	switched := p.stepSwitch()
	switched.Pivot = true // what follows takes the way back away
	return operations.Plan{
		Kind: KindSiteUpdate, Version: 2,
		Steps: []operations.Step{
			p.stepNewImages(), p.stepNewRelease(), p.stepNewSockets(), p.stepNewContainers(), p.stepNewStart(), p.stepNewReady(),
			switched, p.stepRemovePrevious(),
		},
		Finish: p.noUpdateAvailable,
	}
}

// siteUpdate1 finishes what was begun before there were releases: the site's containers become what the release says that
// was recorded meanwhile, and an update can be asked for again.
func (p *Plans) siteUpdate1() operations.Plan {
	nothing := func(context.Context, *operations.Run) error { return nil }
	ready := p.stepProbe()
	ready.Pivot = true
	return operations.Plan{
		Kind: KindSiteUpdate, Version: 1,
		Steps: []operations.Step{
			{Name: "image", Do: nothing}, {Name: "pin", Do: nothing}, p.stepReplace(), p.stepSwap(), ready, p.stepRemovePrevious(),
		},
	}
}

// siteStopClosed brings a closed site into the state in which it can be opened again.
func (p *Plans) siteStopClosed() operations.Plan {
	stop := p.stepStop()
	stop.Undo = nil
	return operations.Plan{Kind: KindSiteRest, Version: 1, Steps: []operations.Step{stop, p.stepSockets()}}
}
