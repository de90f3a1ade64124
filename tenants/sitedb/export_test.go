package sitedb

import "context"

// Over is Open for a pool that is there.
var Over = over

// Empty is what Drop does before it drops the database itself.
func (s *Server) Empty(ctx context.Context, name string) error { return s.empty(ctx, "emptying", name) }
