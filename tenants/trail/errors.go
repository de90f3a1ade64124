package trail

import "errors"

// ErrHeads: a file of heads cannot be read as one.
var ErrHeads = errors.New("not a file of heads")

// ErrRewritten: the database's chain is not the one whose head is in the file.
var ErrRewritten = errors.New("the audit trail is not the one whose head was written down")
