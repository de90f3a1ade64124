package keycloak

import (
	"context"
	"errors"
	"fmt"
)

// The two groups of every association: those who manage it and those who belong to it.
const (
	managersGroup = "gestion"
	membersGroup  = "membres"
)

// EnsureAssociation makes /assos/<slug> with its two groups, unless they are there, and returns its id.
func (c *Client) EnsureAssociation(ctx context.Context, slug, operation string) (string, error) {
	path, err := associationPath(slug)
	if err != nil {
		return "", err
	}
	association, err := c.EnsureGroupPath(ctx, path, operation)
	if err != nil {
		return "", err
	}
	for _, name := range []string{managersGroup, membersGroup} {
		if _, err := c.EnsureGroupPath(ctx, path+"/"+name, operation); err != nil {
			return "", err
		}
	}
	return association.ID, nil
}

// AssociationExists reports whether the association's group and the two below it are there.
func (c *Client) AssociationExists(ctx context.Context, slug string) (id string, ok bool, err error) {
	path, err := associationPath(slug)
	if err != nil {
		return "", false, err
	}
	association, err := c.GroupByPath(ctx, path)
	for _, name := range []string{managersGroup, membersGroup} {
		if err == nil {
			_, err = c.GroupByPath(ctx, path+"/"+name)
		}
	}
	if errors.Is(err, ErrNotFound) {
		return association.ID, false, nil
	}
	return association.ID, err == nil, err
}

// RemoveAssociation removes what [Client.EnsureAssociation] made; absent is success.
func (c *Client) RemoveAssociation(ctx context.Context, slug string) error {
	path, err := associationPath(slug)
	if err != nil {
		return err
	}
	return c.DeleteGroup(ctx, path)
}

func associationPath(slug string) (string, error) {
	path := associationsRoot + slug
	if !associationForm.MatchString(path) {
		return "", fmt.Errorf("association %q: %w", slug, ErrPath)
	}
	return path, nil
}
