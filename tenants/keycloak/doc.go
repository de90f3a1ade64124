// Package keycloak is a client of Keycloak's admin API: the groups of associations, the people in them, and the few
// settings of the realm that signing in to the panel depends on.
//
// It knows Keycloak's words and nothing of ours beyond the group tree /assos/<slug>/{gestion,membres} and
// /coop/admins: what a group entitles to is decided in package tenants. It does not sign people in either; that is
// package identity.
//
// Everything that makes something is an "ensure": it may be repeated after a crash at any point. What it makes bears
// the instance and the operation that made it, and only what bears this instance is ever deleted.
//
// Start reading at [Client], then [Client.EnsureGroupPath] and [Client.EnsureRealm].
package keycloak
