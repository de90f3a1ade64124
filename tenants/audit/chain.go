package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"chatiere/tenants"
)

// Hash is the hash of a row and of everything before it.
type Hash [sha256.Size]byte

// String returns it in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hash) UnmarshalText(text []byte) error {
	if hex.DecodedLen(len(text)) != len(h) {
		return ErrCheckpoints
	}
	if _, err := hex.Decode(h[:], text); err != nil {
		return ErrCheckpoints
	}
	return nil
}

// ChainEntry is one entry of the hash chain. The zero value precedes the first.
type ChainEntry struct {
	Seq     int64 // 1, 2, 3 … without a gap
	AuditID int64 // of its row
	At      time.Time
	Hash    Hash
}

// Link is a chain entry with its row, which is nil when the row is gone.
type Link struct {
	Chain ChainEntry
	Row   *tenants.AuditEntry
}

// format identifies the content of a hash and its order; another order or another column is another format.
const format = "chatiere audit trail 1\n"

// NextEntry returns the entry after prev for a row as the database stores it. Instants are in microseconds, like in the
// database.
func NextEntry(prev ChainEntry, e tenants.AuditEntry, at time.Time) ChainEntry {
	s := ChainEntry{Seq: prev.Seq + 1, AuditID: e.ID, At: at.UTC().Truncate(time.Microsecond)}
	s.Hash = hashEntry(prev.Hash, s, e)
	return s
}

// hashEntry hashes every text with its length, so that no character can be moved from one column to the next unnoticed.
func hashEntry(prev Hash, s ChainEntry, e tenants.AuditEntry) Hash {
	b := append([]byte(format), prev[:]...)
	for _, n := range []int64{s.Seq, s.AuditID, s.At.UnixMicro(), e.ID, e.At.UnixMicro()} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	for _, text := range []string{
		string(e.ActorKind), e.ActorID, e.ActorName, e.Address, e.Action, e.AssociationID, e.SiteID, e.OperationID, e.Detail,
	} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
		b = append(b, text...)
	}
	return sha256.Sum256(b)
}

// valid reports whether the entry is the correct one for its row after prev.
func valid(prev Hash, l Link) bool {
	return l.Row != nil && l.Row.ID == l.Chain.AuditID && hashEntry(prev, l.Chain, *l.Row) == l.Chain.Hash
}
