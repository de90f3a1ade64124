package routes

import "errors"

var (
	// ErrInvalid is a table whose content breaks a rule; the message names the route and the rule.
	ErrInvalid = errors.New("invalid route table")
	// ErrDamaged is a file that is not a whole table: cut short, not JSON, or of another checksum.
	ErrDamaged = errors.New("damaged route table")
	// ErrFormat is a file of a format that this program does not know.
	ErrFormat = errors.New("unknown route table format")
	// ErrStale is a table that is older than the one in force.
	ErrStale = errors.New("route table is older than the one in force")
	// ErrHost is a host name that no route can have.
	ErrHost = errors.New("malformed host name")
)
