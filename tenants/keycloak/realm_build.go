package keycloak

import (
	"context"
	"fmt"
	"net/url"
)

// buildFlow makes the whole flow under alias; suffix keeps the names of its inner flows apart from an older one's.
func (c *Client) buildFlow(ctx context.Context, alias, suffix string) error {
	flow := representation{
		"alias": alias, "providerId": "basic-flow", "topLevel": true, "builtIn": false,
		"description": "Sign-in by levels: password, then one-time code when asked for",
	}
	if _, err := c.create(ctx, "/authentication/flows", flow); err != nil {
		return err
	}
	if err := c.buildSteps(ctx, alias, suffix, loginFlow()); err != nil {
		return err
	}
	return c.configureConditions(ctx, alias)
}

// configureConditions sets the conditions once the whole tree stands: right after a setting was written, Keycloak may not find
// the step that is added next.
func (c *Client) configureConditions(ctx context.Context, alias string) error {
	var have []listedStep
	if err := c.get(ctx, "/authentication/flows/"+url.PathEscape(alias)+"/executions", &have); err != nil {
		return err
	}
	for i, step := range flatten(loginFlow()) {
		if step.config == nil || i >= len(have) {
			continue
		}
		settings := map[string]any{"alias": fmt.Sprintf("%s step %d", alias, i+1), "config": step.config}
		if _, err := c.create(ctx, "/authentication/executions/"+have[i].ID+"/config", settings); err != nil {
			return fmt.Errorf("setting step %d: %w", i+1, err)
		}
	}
	return nil
}

// flatten lists the steps in the order in which Keycloak lists them: each flow before what is in it.
func flatten(steps []flowStep) []flowStep {
	var all []flowStep
	for _, step := range steps {
		all = append(append(all, step), flatten(step.steps)...)
	}
	return all
}

func (c *Client) buildSteps(ctx context.Context, parent, suffix string, steps []flowStep) error {
	for i, step := range steps {
		if err := c.buildStep(ctx, parent, suffix, i, step); err != nil {
			return fmt.Errorf("step %d of %s: %w", i+1, parent, err)
		}
		if step.flow == "" {
			continue
		}
		if err := c.buildSteps(ctx, step.flow+suffix, suffix, step.steps); err != nil {
			return err
		}
	}
	return nil
}

// buildStep adds one step at the end of parent, then says how much it is required.
func (c *Client) buildStep(ctx context.Context, parent, suffix string, index int, step flowStep) error {
	path := "/authentication/flows/" + url.PathEscape(parent) + "/executions"
	kind, body := "/execution", representation{"provider": step.provider}
	if step.flow != "" {
		kind, body = "/flow", representation{"alias": step.flow + suffix, "type": "basic-flow", "provider": "", "description": ""}
	}
	if _, err := c.create(ctx, path+kind, body); err != nil {
		return err
	}
	added, err := c.lastStep(ctx, path, index)
	if err != nil {
		return err
	}
	if added.Requirement == step.requirement {
		return nil
	}
	added.Requirement = step.requirement
	return c.put(ctx, path, added)
}

// lastStep finds the step of that index directly in the flow; the listing also holds the steps of inner flows.
func (c *Client) lastStep(ctx context.Context, path string, index int) (listedStep, error) {
	var all []listedStep
	if err := c.get(ctx, path, &all); err != nil {
		return listedStep{}, err
	}
	for _, one := range all {
		if one.Level == 0 && one.Index == index {
			return one, nil
		}
	}
	return listedStep{}, fmt.Errorf("the step just added: %w", ErrNotFound)
}
