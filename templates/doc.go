// Package templates is the catalogue of what a site can be made of: it parses
// and validates manifests, and resolves a template and the values of one site to
// the specification of containers.
//
// It knows nothing of Docker, databases or the rest of the project, and does no
// I/O but reading the file systems it is given. Resolving is deterministic: the
// same manifest and values give the same specification, which never holds a
// secret, only the places where secrets are found.
//
// Start reading at [Manifest] (what a manifest says), then [Load] and [Resolve].
package templates
