package keycloak

import (
	"context"
	"fmt"
	"maps"
	"net/url"
)

// flowMatches reports whether the flow of that alias equals the one we would build.
func (c *Client) flowMatches(ctx context.Context, alias string) (bool, error) {
	var have []listedStep
	if err := c.get(ctx, "/authentication/flows/"+url.PathEscape(alias)+"/executions", &have); err != nil {
		return false, err
	}
	rest, same, err := c.sameSteps(ctx, have, loginFlow(), 0)
	return same && len(rest) == 0, err
}

// sameSteps compares wanted with the head of have, depth first, and returns what is left of have.
func (c *Client) sameSteps(ctx context.Context, have []listedStep, wanted []flowStep, level int) ([]listedStep, bool, error) {
	for _, step := range wanted {
		if len(have) == 0 {
			return nil, false, nil
		}
		head := have[0]
		have = have[1:]
		if head.Level != level || head.Requirement != step.requirement || head.Provider != step.provider || head.IsFlow != (step.flow != "") {
			return have, false, nil
		}
		if same, err := c.sameConfig(ctx, head.Config, step.config); err != nil || !same {
			return have, false, err
		}
		rest, same, err := c.sameSteps(ctx, have, step.steps, level+1)
		if err != nil || !same {
			return rest, false, err
		}
		have = rest
	}
	return have, true, nil
}

func (c *Client) sameConfig(ctx context.Context, id string, wanted map[string]string) (bool, error) {
	if id == "" {
		return len(wanted) == 0, nil
	}
	var have struct {
		Config map[string]string `json:"config"`
	}
	if err := c.get(ctx, "/authentication/config/"+id, &have); err != nil {
		return false, fmt.Errorf("reading a step's settings: %w", err)
	}
	return maps.Equal(have.Config, wanted), nil
}
