package queue

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"chatiere/reverseproxy/atomicfile"
)

const (
	mailSuffix     = ".mail"
	progressSuffix = ".state"
	badSuffix      = ".bad"
	maxProgress    = 4 << 20
)

// load reads one site's directory.
func (q *Queue) load(site string) error {
	if err := q.dropUnfinished(site); err != nil {
		return err
	}
	files, err := os.ReadDir(q.path(site, ""))
	if err != nil {
		return err
	}
	for _, f := range files {
		name := f.Name()
		switch {
		case strings.HasSuffix(name, mailSuffix):
			err = q.loadMail(site, name)
		case strings.HasSuffix(name, progressSuffix):
			err = q.dropOrphan(site, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// dropUnfinished removes what a kill left half-written.
func (q *Queue) dropUnfinished(site string) error {
	for _, suffix := range []string{mailSuffix, progressSuffix} {
		left, err := filepath.Glob(atomicfile.Unfinished(q.path(site, "*"+suffix)))
		for _, path := range left {
			err = errors.Join(err, os.Remove(path))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (q *Queue) loadMail(site, name string) error {
	path := q.path(site, name)
	m, err := readMessage(path)
	if err == nil && (m.Site != site || m.ID+mailSuffix != name) {
		err = fmt.Errorf("%w: %s tells of another message", ErrDamaged, name)
	}
	if errors.Is(err, ErrDamaged) {
		q.log.Error("damaged mail file set aside", "site", site, "file", name, "error", err)
		return os.Rename(path, path+badSuffix)
	}
	if err != nil {
		return err
	}
	progress, err := readProgress(q.path(site, m.ID+progressSuffix), len(m.Recipients))
	switch {
	case err == nil:
		m.Progress = progress
	case errors.Is(err, ErrDamaged):
		// The message itself is whole: it is better sent twice than never.
		q.log.Error("damaged state of a mail, beginning anew", "site", site, "mail", m.ID, "error", err)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	q.messages[m.ID] = &m
	q.addUsage(site, usage{mails: 1, bytes: m.Size})
	return nil
}

// dropOrphan removes what is left of a message that was finished.
func (q *Queue) dropOrphan(site, name string) error {
	mail := q.path(site, strings.TrimSuffix(name, progressSuffix)+mailSuffix)
	if _, err := os.Lstat(mail); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Remove(q.path(site, name))
}

func readMessage(path string) (Message, error) {
	file, err := os.Open(path)
	if err != nil {
		return Message{}, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return Message{}, err
	}
	line, err := bufio.NewReader(io.LimitReader(file, maxEnvelope)).ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		return Message{}, fmt.Errorf("%w: no envelope", ErrDamaged)
	}
	if err != nil {
		return Message{}, err
	}
	e, err := ParseEnvelope(line)
	m := newMessage(e)
	m.Size = info.Size()
	return m, err
}

func readProgress(path string, recipients int) (Progress, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return Progress{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxProgress {
		return Progress{}, fmt.Errorf("%w: %d bytes", ErrDamaged, info.Size())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Progress{}, err
	}
	return ParseProgress(text, recipients)
}

// Save writes the progress of a message to disk.
func (q *Queue) Save(m Message) error {
	text, err := json.Marshal(m.Progress)
	if err != nil {
		return fmt.Errorf("writing state of a mail: %w", err)
	}
	if err := atomicfile.Write(q.path(m.Site, m.ID+progressSuffix), text, 0o600); err != nil {
		return fmt.Errorf("writing state of a mail: %w", err)
	}
	q.Update(m)
	return nil
}

// Remove forgets a message. The message goes before its state, so that a crash
// in between leaves nothing that would be sent again.
func (q *Queue) Remove(m Message) error {
	for _, suffix := range []string{mailSuffix, progressSuffix} {
		if err := os.Remove(q.path(m.Site, m.ID+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing mail: %w", err)
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if have, ok := q.messages[m.ID]; ok {
		delete(q.messages, m.ID)
		q.addUsage(m.Site, usage{mails: -1, bytes: -have.Size})
	}
	return nil
}

// Text opens the message itself, as it is to be sent.
func (q *Queue) Text(m Message) (io.ReadCloser, error) {
	file, err := os.Open(q.path(m.Site, m.ID+mailSuffix))
	if err != nil {
		return nil, fmt.Errorf("reading mail: %w", err)
	}
	reader := bufio.NewReaderSize(file, 32<<10)
	if err := skipLine(reader); err != nil {
		return nil, errors.Join(fmt.Errorf("reading mail: %w", err), file.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{reader, file}, nil
}

func skipLine(r *bufio.Reader) error {
	for {
		_, err := r.ReadSlice('\n')
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// Update changes a message in memory only.
func (q *Queue) Update(m Message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if have, ok := q.messages[m.ID]; ok {
		kept := m.clone()
		kept.Size = have.Size
		*have = kept
	}
}
