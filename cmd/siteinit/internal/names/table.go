// Package names gives every name that a site asks for one address of
// 127.66.0.0/16, and finds the name again when a connection to that address
// arrives. It knows neither DNS messages nor sockets. Start at [Table].
package names

import (
	"container/list"
	"errors"
	"hash/fnv"
	"net/netip"
	"sync"
	"time"
)

// Range holds the addresses that stand for names.
var Range = netip.MustParsePrefix("127.66.0.0/16")

// ErrFull says that every place is taken by a name asked for a moment ago.
var ErrFull = errors.New("table of names is full")

const (
	// DefaultSize bounds the memory of a table: about one MiB at worst.
	DefaultSize = 4096
	// DefaultHold is longer than any client of ours keeps an answer (curl: 60 s).
	DefaultHold = 5 * time.Minute
)

// Table maps names to addresses and back. An address passes to another name
// only after nobody has asked for it during the hold time: a client with an
// old answer must never reach a name that it did not ask for.
type Table struct {
	size int
	hold time.Duration
	now  func() time.Time

	mu     sync.Mutex
	byName map[string]*list.Element
	byHost map[uint16]*list.Element
	recent *list.List // of *entry, most recently used first
}

type entry struct {
	name string
	host uint16
	used time.Time
}

// NewTable makes an empty table of at most size names.
func NewTable(size int, hold time.Duration, now func() time.Time) *Table {
	return &Table{
		size: min(size, 1<<15), hold: hold, now: now,
		byName: map[string]*list.Element{},
		byHost: map[uint16]*list.Element{},
		recent: list.New(),
	}
}

// Address returns the name's address. The name must have passed [Canonical].
func (t *Table) Address(name string) (netip.Addr, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if found, ok := t.byName[name]; ok {
		return address(t.touch(found).host), nil
	}
	if t.recent.Len() >= t.size && !t.evict() {
		return netip.Addr{}, ErrFull
	}
	host := t.freeAddress(name)
	added := t.recent.PushFront(&entry{name: name, host: host, used: t.now()})
	t.byName[name], t.byHost[host] = added, added
	return address(host), nil
}

// Name returns the name that an address stands for.
func (t *Table) Name(at netip.Addr) (string, bool) {
	at = at.Unmap()
	if !Range.Contains(at) {
		return "", false
	}
	bytes := at.As4()
	t.mu.Lock()
	defer t.mu.Unlock()
	found, ok := t.byHost[uint16(bytes[2])<<8|uint16(bytes[3])]
	if !ok {
		return "", false
	}
	return t.touch(found).name, true
}

// Len counts the names in the table.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.recent.Len()
}

func (t *Table) touch(found *list.Element) *entry {
	t.recent.MoveToFront(found)
	e := found.Value.(*entry)
	e.used = t.now()
	return e
}

// evict frees the place unused for longest, unless somebody may still hold it.
func (t *Table) evict() bool {
	last := t.recent.Back()
	if last == nil {
		return false
	}
	e := last.Value.(*entry)
	if t.now().Sub(e.used) < t.hold {
		return false
	}
	t.recent.Remove(last)
	delete(t.byName, e.name)
	delete(t.byHost, e.host)
	return true
}

// freeAddress picks a free address by the name's hash, so that a name nearly always
// keeps its address from one start of the container to the next. The table is
// at most half as large as the range, so a free place is near.
func (t *Table) freeAddress(name string) uint16 {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(name))
	full := sum.Sum32()
	for host := uint16(full ^ full>>16); ; host++ {
		if _, taken := t.byHost[host]; !taken && host != 0 && host != 0xffff {
			return host
		}
	}
}

func address(host uint16) netip.Addr {
	return netip.AddrFrom4([4]byte{127, 66, byte(host >> 8), byte(host)})
}
