package trail

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"chatiere/tenants"
)

// Hash is the fingerprint of a row and of everything before it.
type Hash [sha256.Size]byte

// String returns it in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hash) UnmarshalText(text []byte) error {
	if hex.DecodedLen(len(text)) != len(h) {
		return ErrHeads
	}
	if _, err := hex.Decode(h[:], text); err != nil {
		return ErrHeads
	}
	return nil
}

// Seal is one link of the chain. The zero Seal stands before the first.
type Seal struct {
	Seq     int64 // 1, 2, 3 … without a gap
	AuditID int64 // the row it seals
	At      time.Time
	Hash    Hash
}

// Link is a seal with its row; nil when the row is not there any more.
type Link struct {
	Seal  Seal
	Entry *tenants.AuditEntry
}

// format names what goes into a hash and in what order; another order or another column is another format.
const format = "chatiere audit trail 1\n"

// Next returns the seal that follows prev, for a row as the database has it. Instants count in microseconds, which is
// what the database keeps.
func Next(prev Seal, e tenants.AuditEntry, at time.Time) Seal {
	s := Seal{Seq: prev.Seq + 1, AuditID: e.ID, At: at.UTC().Truncate(time.Microsecond)}
	s.Hash = sum(prev.Hash, s, e)
	return s
}

// sum hashes with every text's length before it, so that no sign can move from one column to the next unseen.
func sum(prev Hash, s Seal, e tenants.AuditEntry) Hash {
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

// follows reports whether the seal is the one its row gets behind prev.
func follows(prev Hash, l Link) bool {
	return l.Entry != nil && l.Entry.ID == l.Seal.AuditID && sum(prev, l.Seal, *l.Entry) == l.Seal.Hash
}
