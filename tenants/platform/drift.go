package platform

import (
	"context"
	"slices"
	"strings"

	"chatiere/tenants"
)

// configLabels are the labels that identify the configuration of a container: Compose writes another value when its
// configuration changes, a change by hand does not.
var configLabels = []string{"com.docker.compose.config-hash", "com.docker.compose.image", "chatiere.config"}

// checkDrift compares a container with its recorded configuration. A container that Compose recreated becomes the record;
// one that was changed by hand is restored.
func (p *component) checkDrift(ctx context.Context, g tenants.ContainerSummary) error {
	if p.comparedID == g.ID {
		p.keepRefusedFinding(g)
		return nil
	}
	recipe, err := p.Engine.ContainerConfig(ctx, g.ID)
	if err != nil {
		return ignoreNotFound(err)
	}
	p.mu.Lock()
	r, known := p.records[p.role]
	p.mu.Unlock()
	var what []string
	if known {
		if what, err = p.Engine.ConfigDrift(r.Config, recipe); err != nil {
			known = false // an unreadable record: the present container replaces it
		}
	}
	replaced, err := p.replacedByTool(r, recipe, known)
	if err != nil {
		return err
	}
	if p.recreated && len(what) > 0 {
		// Nobody has changed it since we made it: the engine fills in other values on this machine.
		p.Log.WarnContext(ctx, "the engine made a platform container with other values than recorded", "role", p.role, "what", what)
		replaced = true
	}
	p.recreated = false
	if !known || replaced {
		p.comparedID, p.refusedID = g.ID, ""
		return p.saveRecord(record{Name: g.Name, Config: recipe}, p.role)
	}
	if len(what) == 0 {
		p.comparedID, p.refusedID = g.ID, ""
		return nil
	}
	if p.role == p.Self || p.refusedID == g.ID {
		p.refusedID = g.ID
		p.addFinding(tenants.FindingChangedByHand, tenants.LevelAttention, "what", strings.Join(what, ", "))
		return nil
	}
	return p.restore(ctx, g, r, what)
}

// keepRefusedFinding keeps the finding about a container that could not be restored open between comparisons.
func (p *component) keepRefusedFinding(g tenants.ContainerSummary) {
	if p.refusedID != g.ID {
		return
	}
	i := slices.IndexFunc(p.openFindings, func(f tenants.Finding) bool { return f.Code == tenants.FindingChangedByHand })
	if i >= 0 {
		p.findings = append(p.findings, p.openFindings[i])
	}
}

func (p *component) replacedByTool(r record, recipe []byte, known bool) (bool, error) {
	if !known {
		return true, nil
	}
	before, err := p.Engine.ConfigLabels(r.Config)
	if err != nil {
		return false, err
	}
	now, err := p.Engine.ConfigLabels(recipe)
	if err != nil {
		return false, err
	}
	for _, label := range configLabels {
		if now[label] != "" && now[label] != before[label] {
			return true, nil
		}
	}
	return false, nil
}

// restore recreates a component that was changed by hand. The changed container is stopped only when its successor has been
// made, and returns if that does not become healthy: a broken image never replaces a working container.
func (p *component) restore(ctx context.Context, g tenants.ContainerSummary, r record, what []string) error {
	words := strings.Join(what, ", ")
	p.reportNow(ctx, p.componentState, p.addFinding(tenants.FindingPartChanged, tenants.LevelAttention, "what", words))
	p.Log.WarnContext(ctx, "a platform container was changed by hand; restoring it", "role", p.role, "what", words)
	old := g.Name + tenants.OldSuffix
	if err := p.Engine.Rename(ctx, g.Name, old); err != nil {
		return err
	}
	if reported, err := p.create(ctx, r.Name, r); err != nil || reported {
		if back := p.Engine.Rename(ctx, old, g.Name); back != nil {
			return back
		}
		p.comparedID, p.refusedID = g.ID, g.ID
		p.addFinding(tenants.FindingChangedByHand, tenants.LevelAttention, "what", words)
		return err
	}
	err := p.Engine.Stop(ctx, old, stopTimeout)
	if err == nil {
		err = p.Engine.Start(ctx, r.Name)
	}
	if err == nil {
		err = p.awaitHealthy(ctx, r.Name)
	}
	if err != nil {
		p.Log.ErrorContext(ctx, "the recreated container does not become healthy; rolling back to the changed one", "role", p.role, "error", err)
		p.comparedID, p.refusedID = g.ID, g.ID
		p.addFinding(tenants.FindingChangedByHand, tenants.LevelTrouble, "what", words)
		return p.rollBack(context.WithoutCancel(ctx), r.Name, old)
	}
	p.comparedID, p.recreated, p.recheck = "", true, true
	return p.Engine.Remove(ctx, old)
}

// rollBack replaces the new container by the old one.
func (p *component) rollBack(ctx context.Context, name, old string) error {
	if err := p.Engine.Remove(ctx, name); err != nil {
		return err
	}
	if err := p.Engine.Rename(ctx, old, name); err != nil {
		return err
	}
	return p.Engine.Start(ctx, name)
}

// resumeReplacement completes or rolls back a replacement that a killed worker left half done.
func (p *component) resumeReplacement(ctx context.Context, current *tenants.ContainerSummary, old tenants.ContainerSummary) error {
	p.seen = true
	name := strings.TrimSuffix(old.Name, tenants.OldSuffix)
	switch {
	case current == nil:
		if err := p.Engine.Rename(ctx, old.Name, name); err != nil {
			return err
		}
		p.recheck = true
		return p.Engine.Start(ctx, name)
	case old.State == "running" || current.State != "running" || current.Health == "unhealthy":
		p.recheck = true
		return p.rollBack(ctx, name, old.Name)
	case current.Health == "" || current.Health == "healthy":
		p.recheck = true
		return p.Engine.Remove(ctx, old.Name)
	}
	p.recheck = true // it is starting
	return nil
}
