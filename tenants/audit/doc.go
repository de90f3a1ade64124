// Package audit makes changes of the audit log detectable.
//
// Panel and worker insert rows without knowing of this package. The worker's ChainWriter appends an entry to a hash chain
// for each row: a hash over the row and over the previous entry. The newest entry and the last one of each day are also
// written to files that only root can write (Checkpoints), so that a chain recomputed from a changed log disagrees with
// them. Verify walks the chain; Pruner removes old rows and leaves an anchor, after which the chain continues.
//
// It knows nothing of SQL (tenants/mysql stores the rows) nor of who reads its reports. Start reading at ChainWriter.
package audit
