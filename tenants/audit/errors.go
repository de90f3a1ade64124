package audit

import "errors"

var (
	// ErrCheckpoints: a file of checkpoints cannot be parsed.
	ErrCheckpoints = errors.New("not a file of checkpoints")
	// ErrRewritten: the database's chain does not contain the newest checkpoint.
	ErrRewritten = errors.New("the audit log does not match the newest checkpoint")
)
