// Package trail makes the audit trail tell when somebody has changed it behind our back.
//
// Panel and worker insert rows without knowing of this package. The worker's Sealer gives each row a seal, one after the
// other: a hash over the row and over the seal before it. The newest seal, and the last one of each day, are also written
// to files that only root can write (Heads), so that a chain computed anew from a changed trail disagrees with them.
// Verify walks the chain; Pruner removes what is too old to be kept, leaving an anchor behind which the chain goes on.
//
// It knows nothing of SQL (tenants/mysql keeps the rows) and of who looks at what it finds. Start reading at Sealer.
package trail
