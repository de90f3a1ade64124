package demo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"chatiere/cmd/internal/demo"
	"chatiere/panel/api"
)

var errKilled = errors.New("killed")

// platform is a running instance in memory: panel, directory and sites. A wish becomes an operation that is done when
// somebody has waited for it, so that one that nobody waited for is still under way.
type platform struct {
	associations map[string]*api.Association // by slug
	sites        []*api.Site
	operations   []*api.Operation
	tokens       []string
	people       map[string]demo.Account // by user name
	passwords    int                     // of applications, given so far
	wishes       []string
	fail         string // the problem that operations end with, undone
	// left is how many calls the caller lives to see the answer of; what the last one asked for is done nevertheless.
	left int
}

func newPlatform() *platform {
	return &platform{associations: map[string]*api.Association{}, people: map[string]demo.Account{}, left: -1}
}

// survive ends the caller when its time has come.
func (p *platform) survive(err error) error {
	if p.left == 0 {
		return errKilled
	}
	p.left = max(p.left-1, -1)
	return err
}

func (p *platform) Get(_ context.Context, path string, into any) error {
	return p.survive(p.get(strings.TrimPrefix(path, api.Prefix), into))
}

func (p *platform) get(path string, into any) error {
	u, err := url.Parse(path)
	if err != nil {
		return err
	}
	_, id, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	switch {
	case strings.HasPrefix(u.Path, api.PathAssociations+"/"):
		if a := p.associations[id]; a != nil {
			return give(a, into)
		}
	case strings.HasPrefix(u.Path, api.PathOperations+"/"):
		for _, op := range p.operations {
			if op.ID == id {
				p.end(op)
				return give(op, into)
			}
		}
	case u.Path == api.PathOperations:
		live := slices.DeleteFunc(slices.Clone(p.operations), func(op *api.Operation) bool {
			return u.Query().Get("live") == "true" && op.Ended() && op.State != "stuck"
		})
		return give(api.List[*api.Operation]{Items: live}, into)
	case strings.HasPrefix(u.Path, api.PathSites+"/"):
		for _, s := range p.sites {
			if s.ID == id {
				return give(s, into)
			}
		}
	case u.Path == api.PathSites:
		return give(api.List[*api.Site]{Items: p.among(u.Query())}, into)
	}
	return &api.Error{Code: api.CodeNotFound, Message: "not found: " + path}
}

func (p *platform) among(q url.Values) []*api.Site {
	return slices.DeleteFunc(slices.Clone(p.sites), func(s *api.Site) bool {
		return s.Association != q.Get("association") || s.State != q.Get("state")
	})
}

// end carries an operation out.
func (p *platform) end(op *api.Operation) {
	op.State = "done"
	if p.fail != "" {
		op.State, op.Problem = "undone", p.fail
		p.sites = slices.DeleteFunc(p.sites, func(s *api.Site) bool { return s.ID == op.Site })
		return
	}
	if op.Site == "" {
		p.associations[op.Association].State = "active"
	}
	for _, s := range p.sites {
		if s.ID == op.Site {
			s.State = "ready"
		}
	}
}

func (p *platform) Post(_ context.Context, path string, body any, _ string, into any) error {
	p.wishes = append(p.wishes, path)
	return p.survive(p.post(path, body, into))
}

func (p *platform) post(path string, body, into any) error {
	switch path {
	case api.PathAssociations:
		wish := body.(api.NewAssociation)
		if p.associations[wish.Slug] != nil {
			return taken("slug")
		}
		p.associations[wish.Slug] = &api.Association{Slug: wish.Slug, Name: wish.Name, State: "creating"}
		return give(p.begin("association.create", wish.Slug, ""), into)
	case api.PathSites:
		wish := body.(api.NewSite)
		if a := p.associations[wish.Association]; a == nil || a.State != "active" {
			return &api.Error{Code: api.CodeConflict, Message: "no such association yet"}
		}
		if slices.ContainsFunc(p.sites, func(s *api.Site) bool { return s.Host == wish.Host }) {
			return taken("host")
		}
		s := &api.Site{
			ID: fmt.Sprintf("s%09d", len(p.sites)+1), Association: wish.Association, Host: wish.Host, URL: "https://" + wish.Host + ":8443",
			Template: wish.Template, State: "creating",
		}
		p.sites = append(p.sites, s)
		return give(p.begin("site.provision", wish.Association, s.ID), into)
	case api.PathTokens:
		p.tokens = append(p.tokens, fmt.Sprintf("cht_%d", len(p.tokens)+1))
		return give(api.CreatedToken{Secret: p.tokens[len(p.tokens)-1]}, into)
	}
	return &api.Error{Code: api.CodeMethod, Message: "nothing to post at " + path}
}

func taken(field string) error {
	return &api.Error{Code: api.CodeInvalid, Message: field + " is taken", Faults: []api.Fault{{Field: field, Code: "taken"}}}
}

func (p *platform) begin(kind, slug, site string) *api.Operation {
	op := &api.Operation{ID: fmt.Sprintf("01OP%d", len(p.operations)+1), Kind: kind, Association: slug, Site: site, State: "running"}
	p.operations = append(p.operations, op)
	return op
}

// give hands a copy over, as a panel's answer would.
func give(v, into any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// EnsurePerson makes the account with exactly these credentials.
func (p *platform) EnsurePerson(_ context.Context, a demo.Account) error {
	p.people[a.Username] = a
	return p.survive(nil)
}

// ApplicationPassword revokes the last one and gives another.
func (p *platform) ApplicationPassword(context.Context, string, string, string) (string, error) {
	p.passwords++
	return p.password() + "\n", p.survive(nil)
}

// password is the application password that is good now.
func (p *platform) password() string { return fmt.Sprintf("app %d", p.passwords) }
