//go:build integration

package keycloak_test

import (
	"testing"

	"chatiere/tenants/keycloak"
	"chatiere/tenants/keycloak/keycloaktest"
)

func TestRealKeycloakFulfilsTheContract(t *testing.T) {
	r := reach(t)
	keycloaktest.Suite(t, func(t *testing.T, instance string) *keycloak.Client { return r.client(t, instance) })
}
