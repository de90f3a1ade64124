package panel

import (
	"context"
	"slices"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/api"
	"chatiere/panel/middleware"
	"chatiere/panel/views"
	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

// pageSnapshots is how many snapshots a site's page shows.
const pageSnapshots = 12

// siteBackups returns what a site's page tells of its snapshots. A page without it is better than none.
func (s *Server) siteBackups(c *fiber.Ctx, x tenants.Site, a tenants.Association, history []operations.Operation) *views.Backups {
	if !may(c, tenants.ActSiteBackups, a.Slug) || x.Release.ID == "" {
		return nil
	}
	all, err := s.o.Records.Snapshots(c.UserContext(), x.ID)
	if err != nil {
		s.log.WarnContext(c.UserContext(), "snapshots not read", "request_id", middleware.RequestIDOf(c), "error", err)
		return nil
	}
	ready := x.State == tenants.StateReady
	out := &views.Backups{
		Save:    (ready || x.State == tenants.StateSuspended) && may(c, tenants.ActSiteBackup, a.Slug),
		Restore: ready && may(c, tenants.ActSiteRecover, a.Slug),
		More:    max(0, len(all)-pageSnapshots),
	}
	for _, op := range history {
		if op.Kind == provision.KindSiteBackup && !op.State.Ended() {
			out.Running = op.ID
		}
	}
	for _, x := range all[:min(len(all), pageSnapshots)] {
		out.Rows = append(out.Rows, views.BackupRow{
			ID: x.ID, At: x.TakenAt, Reason: views.SnapshotReason(x.Reason), Bytes: x.Bytes, Missing: int(x.MissingCount),
		})
	}
	return out
}

// siteSnapshot returns the site and snapshot that a request names.
func (s *Server) siteSnapshot(c *fiber.Ctx, action tenants.Action) (tenants.Site, tenants.Association, tenants.Snapshot, error) {
	x, a, err := s.findSite(c, action)
	if err != nil {
		return x, a, tenants.Snapshot{}, err
	}
	all, err := s.o.Records.Snapshots(c.UserContext(), x.ID)
	if err != nil {
		return x, a, tenants.Snapshot{}, err
	}
	i := slices.IndexFunc(all, func(t tenants.Snapshot) bool { return t.ID == c.Params("snapshot") })
	if i < 0 {
		return x, a, tenants.Snapshot{}, tenants.ErrNotFound
	}
	return x, a, all[i], nil
}

// recoverConfirm asks before a snapshot is brought back.
func (s *Server) recoverConfirm(c *fiber.Ctx) error {
	x, a, snapshot, err := s.siteSnapshot(c, tenants.ActSiteRecover)
	if err != nil {
		return err
	}
	return s.render(c, fiber.StatusOK, views.Confirm{
		Base: s.base(c), Act: views.ActRecover, Action: views.RestorePath(x.ID, snapshot.ID), Back: views.SitePath(x.ID),
		Name: x.Name, Host: x.Host, Assoc: a.Name, Taken: snapshot.TakenAt,
	})
}

// recoverSnapshot is the change of a site that brings back the snapshot that the request names.
func recoverSnapshot(c *fiber.Ctx) siteChange {
	snapshotID := c.Params("snapshot")
	return func(p Provisioner, ctx context.Context, r provision.Request, siteID string) (operations.Operation, error) {
		return p.RecoverSite(ctx, r, siteID, snapshotID)
	}
}

func (s *Server) siteRecover(c *fiber.Ctx) error { return s.changeSite(recoverSnapshot(c))(c) }

func (s *Server) apiSiteRecover(c *fiber.Ctx) error { return s.apiChangeSite(recoverSnapshot(c))(c) }

// apiBackups lists the snapshots of a site.
func (s *Server) apiBackups(c *fiber.Ctx) error {
	x, _, err := s.findSite(c, tenants.ActSiteBackups)
	if err != nil {
		return err
	}
	all, err := s.o.Records.Snapshots(c.UserContext(), x.ID)
	if err != nil {
		return err
	}
	return c.JSON(listOf(all, func(t tenants.Snapshot) api.Snapshot {
		return api.Snapshot{
			ID: t.ID, Reason: string(t.Reason), TakenAt: t.TakenAt, EndedAt: t.EndedAt, Template: t.Template, Version: t.Version,
			Files: t.Files, Bytes: t.Bytes, DatabaseBytes: t.DatabaseBytes, Missing: t.Missing, MissingCount: t.MissingCount, Pinned: t.Pinned,
		}
	}))
}
