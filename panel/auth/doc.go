// Package auth answers who is asking: it lets people sign in through tenants/identity, keeps their sessions, and
// knows API tokens and the break-glass link.
//
// It must not know the web framework nor the database: handlers pass values in and set the cookies it returns; the ports
// in ports.go are implemented by panel/mysql. What a principal may do is decided in tenants.Authorize, not here.
// Start reading at SignIn (the code flow), then Sessions.
package auth
