package watch

import (
	"context"
	"slices"
	"strings"

	"chatiere/tenants"
)

// madeBy are the labels that say of which making a container is: the tool that brings the platform up writes another value
// when it was asked for another container, and a hand that changes one does not.
var madeBy = []string{"com.docker.compose.config-hash", "com.docker.compose.image", "chatiere.config"}

// compare holds a container against the record of how it is made. One that the platform's own tool made anew becomes the
// record; one that was changed by hand is put back.
func (p *part) compare(ctx context.Context, g tenants.Glimpse) error {
	if p.compared == g.ID {
		p.stillRefused(g)
		return nil
	}
	recipe, err := p.Engine.Recipe(ctx, g.ID)
	if err != nil {
		return absent(err)
	}
	p.mu.Lock()
	r, known := p.records[p.role]
	p.mu.Unlock()
	var what []string
	if known {
		if what, err = p.Engine.Unlike(r.Recipe, recipe); err != nil {
			known = false // a file of another time: what is there is the better record
		}
	}
	anew, err := p.anew(r, recipe, known)
	if err != nil {
		return err
	}
	if p.made && len(what) > 0 {
		// Nobody has touched it since we made it: so the engine makes it here, and so it shall be.
		p.Log.WarnContext(ctx, "the engine made a container of the platform otherwise than before", "role", p.role, "what", what)
		anew = true
	}
	p.made = false
	if !known || anew {
		p.compared, p.refused = g.ID, ""
		return p.record(record{Name: g.Name, Recipe: recipe}, p.role)
	}
	if len(what) == 0 {
		p.compared, p.refused = g.ID, ""
		return nil
	}
	if p.role == p.Self || p.refused == g.ID {
		p.refused = g.ID
		p.find(tenants.FindingChangedByHand, tenants.LevelAttention, "what", strings.Join(what, ", "))
		return nil
	}
	return p.putBack(ctx, g, r, what)
}

// stillRefused keeps the finding about a container that could not be put back open between comparisons.
func (p *part) stillRefused(g tenants.Glimpse) {
	if p.refused != g.ID {
		return
	}
	i := slices.IndexFunc(p.open, func(f tenants.Finding) bool { return f.Code == tenants.FindingChangedByHand })
	if i >= 0 {
		p.found = append(p.found, p.open[i])
	}
}

func (p *part) anew(r record, recipe []byte, known bool) (bool, error) {
	if !known {
		return true, nil
	}
	before, err := p.Engine.RecipeLabels(r.Recipe)
	if err != nil {
		return false, err
	}
	now, err := p.Engine.RecipeLabels(recipe)
	if err != nil {
		return false, err
	}
	for _, label := range madeBy {
		if now[label] != "" && now[label] != before[label] {
			return true, nil
		}
	}
	return false, nil
}

// putBack makes a part again that was changed by hand. The changed one makes room only when its successor has been made,
// and comes back when that does not get well: a broken image never replaces a working container.
func (p *part) putBack(ctx context.Context, g tenants.Glimpse, r record, what []string) error {
	words := strings.Join(what, ", ")
	p.note(ctx, p.memory, p.find(tenants.FindingPartChanged, tenants.LevelAttention, "what", words))
	p.Log.WarnContext(ctx, "a container of the platform was changed by hand; putting it back", "role", p.role, "what", words)
	old := g.Name + tenants.OldSuffix
	if err := p.Engine.Rename(ctx, g.Name, old); err != nil {
		return err
	}
	if said, err := p.make(ctx, r.Name, r); err != nil || said {
		if back := p.Engine.Rename(ctx, old, g.Name); back != nil {
			return back
		}
		p.compared, p.refused = g.ID, g.ID
		p.find(tenants.FindingChangedByHand, tenants.LevelAttention, "what", words)
		return err
	}
	err := p.Engine.Stop(ctx, old, grace)
	if err == nil {
		err = p.Engine.Start(ctx, r.Name)
	}
	if err == nil {
		err = p.await(ctx, r.Name)
	}
	if err != nil {
		p.Log.ErrorContext(ctx, "the container made again does not get well; the changed one comes back", "role", p.role, "error", err)
		p.compared, p.refused = g.ID, g.ID
		p.find(tenants.FindingChangedByHand, tenants.LevelTrouble, "what", words)
		return p.giveBack(context.WithoutCancel(ctx), r.Name, old)
	}
	p.compared, p.made, p.suspect = "", true, true
	return p.Engine.Remove(ctx, old)
}

// giveBack lets the old container take its place again.
func (p *part) giveBack(ctx context.Context, name, old string) error {
	if err := p.Engine.Remove(ctx, name); err != nil {
		return err
	}
	if err := p.Engine.Rename(ctx, old, name); err != nil {
		return err
	}
	return p.Engine.Start(ctx, name)
}

// interrupted goes on with a replacement that a killed worker left half done.
func (p *part) interrupted(ctx context.Context, current *tenants.Glimpse, old tenants.Glimpse) error {
	p.seen = true
	name := strings.TrimSuffix(old.Name, tenants.OldSuffix)
	switch {
	case current == nil:
		if err := p.Engine.Rename(ctx, old.Name, name); err != nil {
			return err
		}
		p.suspect = true
		return p.Engine.Start(ctx, name)
	case old.State == "running" || current.State != "running" || current.Health == "unhealthy":
		p.suspect = true
		return p.giveBack(ctx, name, old.Name)
	case current.Health == "" || current.Health == "healthy":
		p.suspect = true
		return p.Engine.Remove(ctx, old.Name)
	}
	p.suspect = true // it is starting
	return nil
}
