package keycloak

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// The attributes that mark what we made.
const (
	instanceAttribute  = "chatiere.instance"
	operationAttribute = "chatiere.operation"
)

const (
	associationsRoot = "/assos/"
	pageSize         = 100
)

var (
	segmentForm     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$`)
	associationForm = regexp.MustCompile(`^` + associationsRoot + `[a-z0-9](-?[a-z0-9]){1,39}$`)
)

// Group is one group of the realm. Instance and Operation are empty for a group that somebody made by hand.
type Group struct {
	ID        string
	Name      string
	Path      string
	Instance  string
	Operation string
}

type groupRecord struct {
	ID         string              `json:"id,omitempty"`
	ParentID   string              `json:"parentId,omitempty"`
	Name       string              `json:"name"`
	Path       string              `json:"path,omitempty"`
	Attributes map[string][]string `json:"attributes,omitempty"`
}

func (r groupRecord) group() Group {
	return Group{
		ID: r.ID, Name: r.Name, Path: r.Path,
		Instance: first(r.Attributes[instanceAttribute]), Operation: first(r.Attributes[operationAttribute]),
	}
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// attributes returns the attributes of everything made by an operation.
func (c *Client) attributes(operation string) map[string][]string {
	return map[string][]string{instanceAttribute: {c.instance}, operationAttribute: {operation}}
}

// GroupByPath finds a group by its full path, such as /assos/amap-du-puy/gestion. Each segment is the name of one group:
// a group that has a slash in its name is not found under any path.
func (c *Client) GroupByPath(ctx context.Context, path string) (Group, error) {
	segments, err := splitPath(path)
	if err != nil {
		return Group{}, err
	}
	found, err := c.lookUp(ctx, segments)
	if err != nil {
		return Group{}, fmt.Errorf("finding group %s: %w", path, err)
	}
	return found.group(), nil
}

// EnsureGroupPath makes the group at path, and those above it, unless they are there. What it makes bears operation.
func (c *Client) EnsureGroupPath(ctx context.Context, path, operation string) (Group, error) {
	segments, err := splitPath(path)
	if err != nil {
		return Group{}, err
	}
	found, err := c.GroupByPath(ctx, path)
	if err == nil || !errors.Is(err, ErrNotFound) {
		return found, err
	}
	target := "/groups"
	if above := segments[:len(segments)-1]; len(above) > 0 {
		parent, err := c.EnsureGroupPath(ctx, "/"+strings.Join(above, "/"), operation)
		if err != nil {
			return Group{}, err
		}
		target += "/" + parent.ID + "/children"
	}
	wanted := groupRecord{Name: segments[len(segments)-1], Attributes: c.attributes(operation)}
	// A conflict means that somebody was faster; what they made is as good.
	if _, err := c.create(ctx, target, wanted); err != nil && !errors.Is(err, ErrConflict) {
		return Group{}, fmt.Errorf("making group %s: %w", path, err)
	}
	return c.GroupByPath(ctx, path)
}

// DeleteGroup removes an association's group with those below it. The path must be /assos/<slug> and the group must
// bear this instance's mark. A group that is not there is no error.
func (c *Client) DeleteGroup(ctx context.Context, path string) error {
	if !associationForm.MatchString(path) {
		return fmt.Errorf("deleting group %q: only %s<slug> may be: %w", path, associationsRoot, ErrPath)
	}
	found, err := c.GroupByPath(ctx, path)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if found.Instance != c.instance {
		return fmt.Errorf("deleting group %s, which bears instance %q: %w", path, found.Instance, ErrForeign)
	}
	defer c.forgetParents()
	if err := c.remove(ctx, "/groups/"+found.ID); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("deleting group %s: %w", path, err)
	}
	return nil
}

// Children lists the groups directly below a group.
func (c *Client) Children(ctx context.Context, id string) ([]Group, error) {
	records, err := readAll[groupRecord](ctx, c, "/groups/"+url.PathEscape(id)+"/children?briefRepresentation=false")
	if err != nil {
		return nil, fmt.Errorf("listing groups: %w", err)
	}
	groups := make([]Group, len(records))
	for i, record := range records {
		groups[i] = record.group()
	}
	return groups, nil
}

// Tree lists all groups below path, parents before their children. A path that is not there has none.
func (c *Client) Tree(ctx context.Context, path string) ([]Group, error) {
	root, err := c.GroupByPath(ctx, path)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Group
	for pending := []Group{root}; len(pending) > 0; pending = pending[1:] {
		children, err := c.Children(ctx, pending[0].ID)
		if err != nil {
			return nil, err
		}
		all = append(all, children...)
		pending = append(pending, children...)
	}
	return all, nil
}

// Members lists the people directly in a group.
func (c *Client) Members(ctx context.Context, groupID string) ([]User, error) {
	records, err := readAll[userRecord](ctx, c, "/groups/"+url.PathEscape(groupID)+"/members?briefRepresentation=false")
	if err != nil {
		return nil, fmt.Errorf("listing members: %w", err)
	}
	users := make([]User, len(records))
	for i, record := range records {
		users[i] = record.user()
	}
	return users, nil
}

// AddMember puts a person into a group; being in it already is no error.
func (c *Client) AddMember(ctx context.Context, userID, groupID string) error {
	if err := c.put(ctx, membership(userID, groupID), nil); err != nil {
		return fmt.Errorf("adding a member: %w", err)
	}
	return nil
}

// RemoveMember takes a person out of a group; not being in it is no error.
func (c *Client) RemoveMember(ctx context.Context, userID, groupID string) error {
	if err := c.remove(ctx, membership(userID, groupID)); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("removing a member: %w", err)
	}
	return nil
}

func membership(userID, groupID string) string {
	return "/users/" + url.PathEscape(userID) + "/groups/" + url.PathEscape(groupID)
}

// splitPath checks a full group path and returns its segments.
func splitPath(path string) ([]string, error) {
	rest, rooted := strings.CutPrefix(path, "/")
	segments := strings.Split(rest, "/")
	for _, segment := range segments {
		if !rooted || !segmentForm.MatchString(segment) {
			return nil, fmt.Errorf("group path %q: %w", path, ErrPath)
		}
	}
	return segments, nil
}

// readAll reads a complete listing, page by page: otherwise Keycloak silently stops at a hundred.
func readAll[T any](ctx context.Context, c *Client, path string) ([]T, error) {
	joint := "?"
	if strings.Contains(path, "?") {
		joint = "&"
	}
	var all []T
	for {
		var page []T
		window := joint + "first=" + strconv.Itoa(len(all)) + "&max=" + strconv.Itoa(pageSize)
		if err := c.get(ctx, path+window, &page); err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < pageSize {
			return all, nil
		}
	}
}
