package backups

import (
	"context"
	"encoding/json"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// treeBuilder writes the manifest and the directories of a snapshot from entries in the order of a walk.
type treeBuilder struct {
	saver    *saver
	root     *os.Root
	manifest *json.Encoder
	open     []*openDirectory  // from the root down
	linked   map[identity]Node // files that have several names; the node bears the path of the first
}

// identity is what two names of one file have in common: the number alone may be another file's by now.
type identity struct {
	inode        uint64
	size, change int64
}

// openDirectory is a directory whose entries are not all known yet.
type openDirectory struct {
	entry    Entry
	children []Node
}

// build returns the root's node when the queue is closed.
func (t *treeBuilder) build(ctx context.Context, queue <-chan *pending) (Node, error) {
	t.linked = map[identity]Node{}
	for p := range queue {
		select {
		case <-p.done:
		case <-ctx.Done():
			return Node{}, context.Cause(ctx)
		}
		if p.err != nil {
			return Node{}, p.err
		}
		if err := t.add(ctx, p); err != nil {
			return Node{}, err
		}
	}
	if err := ctx.Err(); err != nil || len(t.open) == 0 {
		return Node{}, context.Cause(ctx)
	}
	for len(t.open) > 1 {
		if err := t.closeLast(ctx); err != nil {
			return Node{}, err
		}
	}
	root, err := t.directory(ctx, t.open[0])
	root.Name = filesName
	return root, err
}

func (t *treeBuilder) add(ctx context.Context, p *pending) error {
	if err := t.resolve(ctx, p); err != nil {
		return err
	}
	w := p.walked
	if w.why == vanished {
		return nil
	}
	if w.why != "" {
		t.missed(w)
		return nil
	}
	if w.torn {
		w.why = "changing"
		t.missed(w)
	}
	parent := Raw(path.Dir(string(w.entry.Path)))
	for len(t.open) > 1 && t.open[len(t.open)-1].entry.Path != parent {
		if err := t.closeLast(ctx); err != nil {
			return err
		}
	}
	if err := t.line(w); err != nil {
		return err
	}
	if w.entry.Type == Directory {
		t.open = append(t.open, &openDirectory{entry: w.entry})
		return nil
	}
	node, err := t.leaf(ctx, w)
	if err != nil {
		return err
	}
	last := t.open[len(t.open)-1]
	last.children = append(last.children, node)
	return nil
}

// resolve makes an entry a further name of a file that is stored already. Where the name under which that was listed has
// vanished or become another file meanwhile, the file is read under this one.
func (t *treeBuilder) resolve(ctx context.Context, p *pending) error {
	if p.links < 2 || p.entry.Type != File || p.why != "" {
		return nil
	}
	first, known := t.linked[p.entry.identity()]
	if !known && p.further {
		if err := t.saver.readFile(ctx, t.root, p); err != nil || p.why != "" {
			return err
		}
		first, known = t.linked[p.entry.identity()]
	}
	if known {
		p.entry.HardTo = Raw(first.Name)
		return nil
	}
	node := nodeOf(p.entry)
	node.Name = string(p.entry.Path)
	t.linked[p.entry.identity()] = node
	return nil
}

func (e Entry) identity() identity { return identity{e.Inode, e.Size, e.Change} }

// missed names an entry that is not saved, or not as it was at one moment.
func (t *treeBuilder) missed(w walked) {
	s := t.saver.snapshot
	if s.MissingCount++; len(s.Missing) < MaxMissed {
		s.Missing = append(s.Missing, Missed{Path: strings.ToValidUTF8(string(w.entry.Path), "\uFFFD"), Why: w.why})
	}
}

// line writes an entry to the manifest.
func (t *treeBuilder) line(w walked) error {
	s := t.saver
	s.snapshot.Files++
	s.files.Add(1)
	if w.carried && w.entry.HardTo == "" {
		s.bytes.Add(w.entry.Size) // what was read is counted already
	}
	s.report()
	if w.entry.HardTo != "" {
		w.entry.Object, w.entry.SHA256, w.entry.Size = "", "", 0
	}
	return t.manifest.Encode(w.entry)
}

// leaf returns the node of a file or link.
func (t *treeBuilder) leaf(ctx context.Context, w walked) (Node, error) {
	node := nodeOf(w.entry)
	switch {
	case w.entry.Type == Symlink:
		var err error
		node.Object, node.Size, err = t.saver.writer.Object(ctx, strings.NewReader(string(w.entry.Target)))
		return node, err
	case w.entry.HardTo != "":
		first := t.linked[w.entry.identity()]
		node.Object, node.Size = first.Object, first.Size
	}
	return node, nil
}

// closeLast stores the innermost directory.
func (t *treeBuilder) closeLast(ctx context.Context) error {
	last, parent := t.open[len(t.open)-1], t.open[len(t.open)-2]
	node, err := t.directory(ctx, last)
	if err != nil {
		return err
	}
	t.open, parent.children = t.open[:len(t.open)-1], append(parent.children, node)
	return nil
}

func (t *treeBuilder) directory(ctx context.Context, d *openDirectory) (Node, error) {
	stored, err := t.saver.writer.Directory(ctx, d.children)
	if err != nil {
		return Node{}, err
	}
	node := nodeOf(d.entry)
	node.Object, node.Size, node.Files = stored.Object, stored.Size, stored.Files
	return node.WithSummary(stored.Summary()), nil
}

func nodeOf(e Entry) Node {
	return Node{
		Name: printable(path.Base(string(e.Path))), Type: e.Type, Mode: e.Mode, UID: e.UID, GID: e.GID,
		ModTime: time.Unix(0, e.ModTime).UTC(), Size: e.Size, Object: e.Object,
	}
}

// printable returns a name that the repository's own format can hold, which is UTF-8. The manifest has the true one.
func printable(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	quoted := strconv.Quote(name)
	return quoted[1 : len(quoted)-1]
}
