package keycloak

import (
	"context"
	"fmt"
)

// flowStep is one step of a sign-in flow: an authenticator with its settings, or an inner flow.
type flowStep struct {
	provider    string
	requirement string
	config      map[string]string
	flow        string
	steps       []flowStep
}

// loginFlow is the sign-in flow with levels: the password gives level 1, the one-time code level 2. Without it Keycloak reports
// level 1 even after a one-time code. The code is asked for again when it is older than five minutes.
func loginFlow() []flowStep {
	const condition = "conditional-level-of-authentication"
	return []flowStep{
		{provider: "auth-cookie", requirement: "ALTERNATIVE"},
		{provider: "identity-provider-redirector", requirement: "ALTERNATIVE"},
		{flow: "chatiere levels", requirement: "ALTERNATIVE", steps: []flowStep{
			{flow: "chatiere level pwd", requirement: "CONDITIONAL", steps: []flowStep{
				{provider: condition, requirement: "REQUIRED", config: map[string]string{"loa-condition-level": "1", "loa-max-age": "36000"}},
				{provider: "auth-username-password-form", requirement: "REQUIRED"},
			}},
			{flow: "chatiere level mfa", requirement: "CONDITIONAL", steps: []flowStep{
				{provider: condition, requirement: "REQUIRED", config: map[string]string{"loa-condition-level": "2", "loa-max-age": "300"}},
				{provider: "auth-otp-form", requirement: "REQUIRED"},
			}},
		}},
	}
}

// listedStep is a step as Keycloak lists it: the whole tree in one list, with depths.
type listedStep struct {
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

func flowAliases() []string {
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
	alias, err := c.matchingFlow(ctx, bound, ids)
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
	var known []representation
	if err := c.get(ctx, "/authentication/flows", &known); err != nil {
		return nil, err
	}
	ids := make(map[string]string, len(known))
	for _, flow := range known {
		ids[flow.text("alias")] = flow.text("id")
	}
	return ids, nil
}

// matchingFlow returns the alias of one of our flows that is correct, the bound one first.
func (c *Client) matchingFlow(ctx context.Context, bound string, ids map[string]string) (string, error) {
	for _, alias := range append([]string{bound}, flowAliases()...) {
		if ids[alias] == "" {
			continue
		}
		if fits, err := c.flowMatches(ctx, alias); err != nil || fits {
			return alias, err
		}
	}
	return "", nil
}

// rebuild makes the flow under an alias that is not bound, so that a crash never leaves an incomplete flow in use.
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
		return alias, c.buildFlow(ctx, alias, suffix)
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
		id = representation(overrides).text("browser")
	} else {
		realm := representation{}
		if err := c.get(ctx, "", &realm); err != nil {
			return "", err
		}
		id = ids[realm.text("browserFlow")]
	}
	for _, alias := range flowAliases() {
		if id != "" && ids[alias] == id {
			return alias, nil
		}
	}
	return "", nil
}

func (c *Client) bindFlow(ctx context.Context, wanted Realm, alias string) error {
	if !wanted.Shared {
		realm := representation{}
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
	client.merge(representation{"authenticationFlowBindingOverrides": representation{"browser": ids[alias]}})
	return c.put(ctx, "/clients/"+client.text("id"), client)
}
