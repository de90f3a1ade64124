package identity

import "errors"

var (
	// ErrToken: the issuer's token is missing, invalid, or was made for somebody else.
	ErrToken = errors.New("token not valid")
	// ErrGrant: the issuer does not accept the code, or will not renew this session's rights any more.
	ErrGrant = errors.New("grant is gone")
)
