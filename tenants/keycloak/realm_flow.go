package keycloak

import (
	"context"
	"fmt"
)

// execution is one step of a sign-in flow: an authenticator with its settings, or a flow of further steps.
type execution struct {
	provider    string
	requirement string
	config      map[string]string
	flow        string
	steps       []execution
}

// levels is the sign-in by levels: the password gives level 1, the one-time code level 2. Without it Keycloak reports
// level 1 even after a one-time code. The code is asked for again when it is older than five minutes.
func levels() []execution {
	const condition = "conditional-level-of-authentication"
	return []execution{
		{provider: "auth-cookie", requirement: "ALTERNATIVE"},
		{provider: "identity-provider-redirector", requirement: "ALTERNATIVE"},
		{flow: "chatiere levels", requirement: "ALTERNATIVE", steps: []execution{
			{flow: "chatiere level pwd", requirement: "CONDITIONAL", steps: []execution{
				{provider: condition, requirement: "REQUIRED", config: map[string]string{"loa-condition-level": "1", "loa-max-age": "36000"}},
				{provider: "auth-username-password-form", requirement: "REQUIRED"},
			}},
			{flow: "chatiere level mfa", requirement: "CONDITIONAL", steps: []execution{
				{provider: condition, requirement: "REQUIRED", config: map[string]string{"loa-condition-level": "2", "loa-max-age": "300"}},
				{provider: "auth-otp-form", requirement: "REQUIRED"},
			}},
		}},
	}
}

// placed is an execution as Keycloak lists it: the whole tree in one list, with depths.
type placed struct {
	ID          string `json:"id"`
	Requirement string `json:"requirement"`
	DisplayName string `json:"displayName,omitempty"`
	Provider    string `json:"providerId,omitempty"`
	IsFlow      bool   `json:"authenticationFlow"`
	Level       int    `json:"level"`
	Index       int    `json:"index"`
	Config      string `json:"authenticationConfig,omitempty"`
	Description string `json:"description,omitempty"`
	Priority    int    `json:"priority"`
}

// suffixes tell apart the names under which the flow may stand: a new one is built beside the one in force.
var suffixes = []string{"", " b", " c", " d"}

func aliases() []string {
	all := make([]string, len(suffixes))
	for i, suffix := range suffixes {
		all[i] = browserFlow + suffix
	}
	return all
}

// ensureFlow builds the flow unless one that fits is there, and binds it: to the whole realm if that is ours, to our
// client alone if it is shared.
func (c *Client) ensureFlow(ctx context.Context, wanted Realm, report *Report) error {
	ids, err := c.flows(ctx)
	if err != nil {
		return err
	}
	bound, err := c.boundFlow(ctx, wanted, ids)
	if err != nil {
		return err
	}
	alias, err := c.fitting(ctx, bound, ids)
	if err != nil || (alias != "" && alias == bound) {
		return err
	}
	if alias == "" {
		if alias, err = c.rebuild(ctx, bound, ids); err != nil {
			return err
		}
	}
	if err := c.bindFlow(ctx, wanted, alias); err != nil {
		return err
	}
	report.changed("flow %s bound", alias)
	return nil
}

// flows lists the realm's top-level flows: id by alias.
func (c *Client) flows(ctx context.Context) (map[string]string, error) {
	var known []record
	if err := c.get(ctx, "/authentication/flows", &known); err != nil {
		return nil, err
	}
	ids := make(map[string]string, len(known))
	for _, flow := range known {
		ids[flow.text("alias")] = flow.text("id")
	}
	return ids, nil
}

// fitting is the alias of a flow of ours that is as it should be, the one in force first.
func (c *Client) fitting(ctx context.Context, bound string, ids map[string]string) (string, error) {
	for _, alias := range append([]string{bound}, aliases()...) {
		if ids[alias] == "" {
			continue
		}
		if fits, err := c.fits(ctx, alias); err != nil || fits {
			return alias, err
		}
	}
	return "", nil
}

// rebuild makes the flow anew under an alias that is not in force, so that a crash never leaves half a flow in use.
func (c *Client) rebuild(ctx context.Context, bound string, ids map[string]string) (string, error) {
	var failed error
	for _, suffix := range suffixes {
		alias := browserFlow + suffix
		if alias == bound {
			continue
		}
		if half := ids[alias]; half != "" { // outdated, or left by a run that did not end
			if failed = c.remove(ctx, "/authentication/flows/"+half); failed != nil {
				continue // another client is bound to it
			}
		}
		return alias, c.build(ctx, alias, suffix)
	}
	return "", fmt.Errorf("no alias left to build under: %w", failed)
}

// boundFlow is the alias of our flow that is in force, empty when it is somebody else's.
func (c *Client) boundFlow(ctx context.Context, wanted Realm, ids map[string]string) (string, error) {
	id := ""
	if wanted.Shared {
		client, err := c.clientByName(ctx, wanted.PanelClient)
		if err != nil {
			return "", err
		}
		overrides, _ := client["authenticationFlowBindingOverrides"].(map[string]any)
		id = record(overrides).text("browser")
	} else {
		realm := record{}
		if err := c.get(ctx, "", &realm); err != nil {
			return "", err
		}
		id = ids[realm.text("browserFlow")]
	}
	for _, alias := range aliases() {
		if id != "" && ids[alias] == id {
			return alias, nil
		}
	}
	return "", nil
}

func (c *Client) bindFlow(ctx context.Context, wanted Realm, alias string) error {
	if !wanted.Shared {
		realm := record{}
		if err := c.get(ctx, "", &realm); err != nil {
			return err
		}
		realm["browserFlow"] = alias
		return c.put(ctx, "", realm)
	}
	ids, err := c.flows(ctx)
	if err != nil {
		return err
	}
	client, err := c.clientByName(ctx, wanted.PanelClient)
	if err != nil {
		return err
	}
	client.merge(record{"authenticationFlowBindingOverrides": record{"browser": ids[alias]}})
	return c.put(ctx, "/clients/"+client.text("id"), client)
}
