// Package keycloaktest holds a stateful stand-in for Keycloak's admin interface and the contract that both it and a
// real Keycloak fulfil. It is for tests alone.
package keycloaktest
