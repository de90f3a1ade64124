package provision

import (
	"context"
	"fmt"
	"slices"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// stepClose shuts the door to visitors: the record first, then the table. The site's state before is in the wish's
// record (Wish.Was), because a site may be binned while ready or suspended.
func (p *Plans) stepClose(to, from tenants.SiteState) operations.Step {
	return operations.Step{
		Name: "close",
		Do: p.onSite(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			s.State = to
			if err := p.intoBin(r, &s); err != nil {
				return err
			}
			if err := p.Records.UpdateSite(ctx, s); err != nil {
				return err
			}
			return p.Routes.Publish(ctx)
		}),
		Undo: p.onSite(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			var w Spec
			if err := r.Spec(&w); err != nil {
				return err
			}
			s.State = w.Was
			switch {
			case from != "":
				s.State = from
			case s.BinnedFrom != "": // the site may have been suspended in the bin meanwhile
				s.State = s.Reopens()
			}
			s.BinnedAt, s.BinnedFrom, s.BinnedBy = nil, "", ""
			if err := p.Records.UpdateSite(ctx, s); err != nil {
				return err
			}
			return p.Routes.Publish(ctx)
		}),
	}
}

// intoBin notes, once, when, from which state and by whom a site was put into the bin.
func (p *Plans) intoBin(r *operations.Run, s *tenants.Site) error {
	if s.State != tenants.StateBinned {
		return nil
	}
	var w Spec
	if err := r.Spec(&w); err != nil {
		return err
	}
	if s.BinnedAt == nil {
		now := p.Now().UTC()
		s.BinnedAt = &now
	}
	if s.BinnedFrom == "" {
		s.BinnedFrom, s.BinnedBy = w.Was, w.By
	}
	return nil
}

// outOfBin forgets how a site came into the bin that has been brought back. What the state is to be was read from it
// until now.
func (p *Plans) outOfBin(ctx context.Context, r *operations.Run) error {
	return p.onSite(func(ctx context.Context, _ *operations.Run, s tenants.Site) error {
		s.BinnedFrom, s.BinnedBy = "", ""
		return p.Records.UpdateSite(ctx, s)
	})(ctx, r)
}

// unlessSuspended leaves an effect out on a site that was suspended when it was put into the bin: it stays so.
func (p *Plans) unlessSuspended(fn func(context.Context, *operations.Run) error) func(context.Context, *operations.Run) error {
	return func(ctx context.Context, r *operations.Run) error {
		s, err := p.site(ctx, r)
		if err != nil || s.BinnedFrom == tenants.StateSuspended {
			return err
		}
		return fn(ctx, r)
	}
}

// stepDelete is a step of a purge: it repeats freely and is never undone.
func (p *Plans) stepDelete(name string, fn func(ctx context.Context, s tenants.Site) error) operations.Step {
	return operations.Step{
		Name: name,
		Do:   p.onSite(func(ctx context.Context, _ *operations.Run, s tenants.Site) error { return fn(ctx, s) }),
	}
}

// stepMarkPurged frees the host name: the record says purged, and the table loses the bin's page.
func (p *Plans) stepMarkPurged() operations.Step {
	return operations.Step{
		Name: "forget",
		Do: p.onSite(func(ctx context.Context, _ *operations.Run, s tenants.Site) error {
			s.State = tenants.StatePurged
			if err := p.Records.UpdateSite(ctx, s); err != nil {
				return err
			}
			return p.Routes.Publish(ctx)
		}),
	}
}

// siteState returns an outcome that leaves the site in a state.
func (p *Plans) siteState(state tenants.SiteState) func(context.Context, *operations.Run) error {
	return p.onSite(func(ctx context.Context, _ *operations.Run, s tenants.Site) error {
		s.State = state
		return p.Records.UpdateSite(ctx, s)
	})
}

// stepInstall runs the template's own installer, which is idempotent and locks against itself.
func (p *Plans) stepInstall() operations.Step {
	return operations.Step{
		Name: "install",
		Do: p.onSite(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			var w Spec
			if err := r.Spec(&w); err != nil {
				return err
			}
			env := []string{
				"SITE_TITLE=" + s.Name, "SITE_LOCALE=" + locale(p.Language), "SITE_TIMEZONE=Europe/Paris",
				"ADMIN_USER=" + w.AdminUser, "ADMIN_EMAIL=" + s.AdminEmail,
			}
			_, err := p.runHook(ctx, s, "install", env)
			return err
		}),
		Verify: p.onSite(func(ctx context.Context, _ *operations.Run, s tenants.Site) error {
			_, err := p.runHook(ctx, s, "installed", nil)
			return err
		}),
	}
}

// RunHook runs a hook of the site's template outside an operation, such as its scheduled tasks, and returns what it printed.
func (p *Plans) RunHook(ctx context.Context, s tenants.Site, name string) (output string, err error) {
	return p.runHook(ctx, s, name, nil)
}

// runHook runs a hook in its running container of the site's release; a release without that hook is success.
func (p *Plans) runHook(ctx context.Context, s tenants.Site, name string, env []string) (output string, err error) {
	d, err := p.Definition(ctx, s)
	if err != nil {
		return "", err
	}
	hook, ok := d.Hook(name)
	if !ok {
		return "", nil
	}
	container := s.Release.Front()
	if hook.Container != "" {
		container = s.Release.Named(hook.Container)
	}
	res, err := p.Engine.Exec(ctx, container.Container, tenants.Exec{
		Command: hook.Command, Env: append(slices.Clone(hook.Env), env...), Timeout: hook.Timeout,
	})
	if err != nil {
		return "", fmt.Errorf("running hook %s: %w", name, err)
	}
	if res.ExitCode != 0 {
		return "", fmt.Errorf("hook %s ended with %d: %s%s", name, res.ExitCode, tail(res.Output), tail(res.Stderr))
	}
	return res.Output, nil
}

// locale maps a language to the locale that applications expect.
func locale(language string) string {
	if language == "en" {
		return "en_GB"
	}
	return "fr_FR"
}

// tail keeps the end of a hook's output, where the reason stands.
func tail(s string) string {
	const keep = 400
	if len(s) > keep {
		return "…" + s[len(s)-keep:]
	}
	return s
}

type groupResult struct {
	ID string `json:"id"`
}

// stepGroups makes the association's groups in Keycloak.
func (p *Plans) stepGroups() operations.Step {
	return operations.Step{
		Name: "groups",
		Do: p.onAssociation(func(ctx context.Context, r *operations.Run, a tenants.Association) error {
			id, err := p.Groups.EnsureAssociation(ctx, a.Slug, r.Op.ID)
			if err != nil {
				return err
			}
			return r.SetResult(groupResult{ID: id})
		}),
		Undo: p.onAssociation(func(ctx context.Context, _ *operations.Run, a tenants.Association) error {
			return p.Groups.RemoveAssociation(ctx, a.Slug)
		}),
	}
}

func (p *Plans) onAssociation(fn func(context.Context, *operations.Run, tenants.Association) error) func(context.Context, *operations.Run) error {
	return func(ctx context.Context, r *operations.Run) error {
		var w Spec
		if err := r.Spec(&w); err != nil {
			return err
		}
		a, err := p.Records.Association(ctx, w.AssociationID)
		if err != nil {
			return err
		}
		return fn(ctx, r, a)
	}
}

func (p *Plans) associationActive(ctx context.Context, r *operations.Run) error {
	return p.onAssociation(func(ctx context.Context, r *operations.Run, a tenants.Association) error {
		var g groupResult
		if _, err := r.Result("groups", &g); err != nil {
			return err
		}
		a.GroupID, a.State = g.ID, tenants.AssociationActive
		return p.Records.UpdateAssociation(ctx, a)
	})(ctx, r)
}

func (p *Plans) associationGone(ctx context.Context, r *operations.Run) error {
	return p.onAssociation(func(ctx context.Context, _ *operations.Run, a tenants.Association) error {
		a.State = tenants.AssociationDeleted
		a.Slug += "~" + a.ID // nothing was ever made under it: it may be wished for again
		return p.Records.UpdateAssociation(ctx, a)
	})(ctx, r)
}
