package trail

import "errors"

var (
	// ErrHeads: a file of heads cannot be read as one.
	ErrHeads = errors.New("not a file of heads")
	// ErrRewritten: the database's chain is not the one whose head is in the file.
	ErrRewritten = errors.New("the audit trail is not the one whose head was written down")
)
