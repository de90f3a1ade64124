package keycloak

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// lookUp asks Keycloak for the path. A Keycloak that does not escape slashes takes a group called "coop/admins" for one
// called "admins" below "coop"; where its answer is not made of exactly these names, the names are walked instead.
func (c *Client) lookUp(ctx context.Context, segments []string) (groupRecord, error) {
	var found groupRecord
	if err := c.get(ctx, "/group-by-path/"+strings.Join(segments, "/"), &found); err != nil {
		return found, err
	}
	exact, err := c.namesMatch(ctx, found, segments)
	if err != nil || exact {
		return found, err
	}
	return c.lookUpByName(ctx, segments)
}

// namesMatch reports whether a group and its parents have exactly these names.
func (c *Client) namesMatch(ctx context.Context, found groupRecord, segments []string) (bool, error) {
	last := len(segments) - 1
	if found.Name != segments[last] {
		return false, nil
	}
	if last == 0 {
		return found.ParentID == "", nil
	}
	parent, err := c.parentID(ctx, segments[:last])
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil && parent == found.ParentID, err
}

// lookUpByName finds a group segment by segment from the root.
func (c *Client) lookUpByName(ctx context.Context, segments []string) (groupRecord, error) {
	var at groupRecord
	for i, segment := range segments {
		path := "/groups"
		if i > 0 {
			path = "/groups/" + url.PathEscape(at.ID) + "/children"
		}
		found, err := readAll[groupRecord](ctx, c, path+"?exact=true&briefRepresentation=false&search="+url.QueryEscape(segment))
		if err != nil {
			return groupRecord{}, err
		}
		next, there := groupRecord{}, false
		for _, one := range found {
			if one.Name == segment && one.ParentID == at.ID {
				next, there = one, true
			}
		}
		if !there {
			return groupRecord{}, fmt.Errorf("%s: %w", segment, ErrNotFound)
		}
		at = next
	}
	return at, nil
}

// parentTTL is how long the id of a parent group is cached: the copy of members reads each association's groups in turn.
const parentTTL = time.Minute

type parent struct {
	id    string
	until time.Time
}

func (c *Client) parentID(ctx context.Context, segments []string) (string, error) {
	key := strings.Join(segments, "/")
	c.mu.Lock()
	known := c.parents[key]
	c.mu.Unlock()
	if time.Now().Before(known.until) {
		return known.id, nil
	}
	found, err := c.lookUp(ctx, segments)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.parents == nil {
		c.parents = map[string]parent{}
	}
	c.parents[key] = parent{found.ID, time.Now().Add(parentTTL)}
	return found.ID, nil
}

func (c *Client) forgetParents() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parents = nil
}

// escapeProbe is the name of the group that EscapesSlashes creates.
const escapeProbe = "chatiere/escape"

// EscapesSlashes reports whether the realm's server escapes slashes of group names in paths, by making a group that has
// one and removing it again. Only then can rights be taken from the paths in a token.
func (c *Client) EscapesSlashes(ctx context.Context) (escapes bool, err error) {
	made := groupRecord{Name: escapeProbe, Attributes: c.attributes(realmMark)}
	if _, err := c.create(ctx, "/groups", made); err != nil && !errors.Is(err, ErrConflict) { // one that a killed worker left serves as well
		return false, fmt.Errorf("making the group %q: %w", escapeProbe, err)
	}
	found, err := readAll[groupRecord](ctx, c, "/groups?exact=true&briefRepresentation=false&search="+url.QueryEscape(escapeProbe))
	if err != nil {
		return false, fmt.Errorf("looking for the group %q: %w", escapeProbe, err)
	}
	for _, one := range found {
		if one.Name != escapeProbe || one.ParentID != "" {
			continue
		}
		if one.group().Instance == c.instance {
			err = c.remove(ctx, "/groups/"+one.ID)
		}
		return one.Path == "/"+strings.ReplaceAll(escapeProbe, "/", "~/"), err
	}
	return false, fmt.Errorf("looking for the group %q: %w", escapeProbe, ErrNotFound)
}
