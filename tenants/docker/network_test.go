//go:build integration

package docker_test

import (
	"slices"
	"testing"

	"chatiere/tenants"
)

// What the reconciler's repair of a shared network rests on: see tenants.NetworkOf.
func TestAContainerThatSharesANetworkIsBoundToItsVeryOwner(t *testing.T) {
	ctx, e, instance := engine(t)
	owner, other := sleeper(instance, "net"), sleeper(instance, "app")
	other.Network = tenants.NetworkOf(owner.Name)
	network := func(name string) string {
		t.Helper()
		out, err := e.Exec(ctx, name, tenants.Exec{Command: []string{"readlink", "/proc/self/ns/net"}})
		must(t, err)
		return out.Output
	}
	for _, spec := range []tenants.ContainerSpec{owner, other} {
		must(t, e.Create(ctx, spec))
		must(t, e.Start(ctx, spec.Name))
	}
	if what, err := e.Drift(ctx, other.Name, other); err != nil || len(what) > 0 {
		t.Errorf("as made, it differs in %v (%v)", what, err)
	}
	if network(owner.Name) != network(other.Name) {
		t.Fatal("they do not share a network")
	}
	must(t, e.Stop(ctx, owner.Name, 0))
	must(t, e.Start(ctx, owner.Name))
	first, err := e.Inspect(ctx, owner.Name)
	must(t, err)
	second, err := e.Inspect(ctx, other.Name)
	must(t, err)
	if network(owner.Name) == network(other.Name) || !second.StartedAt.Before(first.StartedAt) {
		t.Errorf("the owner was started at %v, the other at %v: it cannot be told that the network is another", first.StartedAt, second.StartedAt)
	}
	must(t, e.Stop(ctx, other.Name, 0))
	must(t, e.Start(ctx, other.Name))
	if network(owner.Name) != network(other.Name) {
		t.Error("started again, it does not share the network")
	}
	must(t, e.Remove(ctx, owner.Name))
	for _, gone := range []bool{true, false} {
		if !gone {
			must(t, e.Create(ctx, owner))
		}
		if what, err := e.Drift(ctx, other.Name, other); err != nil || !slices.Equal(what, []string{"NetworkMode"}) {
			t.Errorf("owner gone: %v; drift is %v (%v)", gone, what, err)
		}
	}
}
