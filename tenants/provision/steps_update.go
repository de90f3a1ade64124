package provision

import (
	"context"
	"errors"
	"fmt"
	"io"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// imageChange is what an update kept of the image that a site had and of the one it gets.
type imageChange struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// stepNewest finds the image that a site of this template and version would be made of now, and builds it when it is not
// there. Nothing of the site is touched meanwhile.
func (p *Plans) stepNewest() operations.Step {
	return operations.Step{
		Name: "image",
		Do: p.on(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			t, err := p.template(s)
			if err != nil {
				return err
			}
			if err := p.Disk.Room(ctx, t.DiskNeed()); err != nil {
				return err
			}
			to, err := p.Templates.Image(ctx, s.Template, s.Version, io.Discard)
			if err != nil {
				return fmt.Errorf("finding the newest image: %w", err)
			}
			return r.SetResult(imageChange{From: s.ImageID, To: to})
		}),
	}
}

// stepPin writes the image that the site is to be made of into its record. Undoing writes the one it had.
func (p *Plans) stepPin() operations.Step {
	write := func(which func(imageChange) string) func(context.Context, *operations.Run) error {
		return p.on(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			change, err := imagesOf(r)
			if err != nil {
				return err
			}
			s.ImageID = which(change)
			return p.Records.UpdateSite(ctx, s)
		})
	}
	return operations.Step{
		Name: "pin",
		Do:   write(func(c imageChange) string { return c.To }),
		Undo: write(func(c imageChange) string { return c.From }),
	}
}

func imagesOf(r *operations.Run) (imageChange, error) {
	var change imageChange
	found, err := r.Result("image", &change)
	if err == nil && !found {
		err = operations.Permanent(operations.CauseContradiction, errors.New("the update does not know the images it changes"))
	}
	return change, err
}

// upToDate notes that the site has what it was updated to, at the end of an update.
func (p *Plans) upToDate(ctx context.Context, r *operations.Run) error {
	return p.on(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
		change, err := imagesOf(r)
		if err != nil {
			return err
		}
		return p.Records.SaveNewestImage(ctx, s.ID, change.To)
	})(ctx, r)
}

// newest notes on every site's record whether an update would give it another image. Nothing is built for that.
func (r *Reconciler) newest(ctx context.Context, sites []tenants.Site) error {
	type release struct{ template, version string }
	type answer struct {
		image string
		err   error
	}
	asked := map[release]answer{}
	var faults []error
	for _, s := range sites {
		if s.ImageID == "" {
			continue // not made yet
		}
		of := release{s.Template, s.Version}
		a, known := asked[of]
		if !known {
			a.image, a.err = r.Templates.Built(ctx, s.Template, s.Version)
			asked[of] = a
			if a.err != nil && !errors.Is(a.err, tenants.ErrNotFound) {
				faults = append(faults, fmt.Errorf("looking for the newest image of %s %s: %w", s.Template, s.Version, a.err))
			}
		}
		if a.err == nil && s.UpdateAvailable != (s.ImageID != a.image) {
			faults = append(faults, r.Records.SaveNewestImage(ctx, s.ID, a.image))
		}
	}
	return errors.Join(faults...)
}
