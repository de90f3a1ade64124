package queue

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/google/renameio/v2"

	"chatiere/reverseproxy/atomicfile"
)

// checkDiskEvery is the number of bytes of a message after which free disk space is checked again.
const checkDiskEvery = 1 << 20

// Draft is a message being received. It counts against the limits from its
// first byte, so that many at once cannot pass them together.
type Draft struct {
	queue     *Queue
	message   Message
	file      *renameio.PendingFile
	buffer    *bufio.Writer
	counted   int64
	lastCheck int64
	ended     bool
}

// Create begins a message. The envelope must be one that [ParseEnvelope] takes.
func (q *Queue) Create(e Envelope) (*Draft, error) {
	line, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("writing mail: %w", err)
	}
	if _, err := ParseEnvelope(line); err != nil {
		return nil, fmt.Errorf("writing mail: %w", err)
	}
	if err := q.begin(e.Site); err != nil {
		return nil, err
	}
	d := &Draft{queue: q, message: newMessage(e)}
	err = os.MkdirAll(q.path(e.Site, ""), 0o700)
	if err == nil {
		d.file, err = renameio.NewPendingFile(q.path(e.Site, e.ID+mailSuffix), renameio.WithTempDir(q.path(e.Site, "")))
	}
	if err != nil {
		d.file = nil
		return nil, errors.Join(fmt.Errorf("writing mail: %w", err), d.Abort())
	}
	d.buffer = bufio.NewWriterSize(d.file, 32<<10)
	if _, err := d.Write(append(line, '\n')); err != nil {
		return nil, errors.Join(err, d.Abort())
	}
	return d, nil
}

func (q *Queue) begin(site string) error {
	if err := q.checkDisk(); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.checkLimits(site, usage{mails: 1}); err != nil {
		return err
	}
	q.addUsage(site, usage{mails: 1})
	return nil
}

// Write adds to the message, unless a limit is in the way.
func (d *Draft) Write(p []byte) (int, error) {
	if err := d.count(int64(len(p))); err != nil {
		return 0, err
	}
	n, err := d.buffer.Write(p)
	if err != nil {
		return n, fmt.Errorf("writing mail: %w", err)
	}
	return n, nil
}

func (d *Draft) count(n int64) error {
	q := d.queue
	if d.counted+n-d.lastCheck > checkDiskEvery {
		if err := q.checkDisk(); err != nil {
			return err
		}
		d.lastCheck = d.counted + n
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.checkLimits(d.message.Site, usage{bytes: n}); err != nil {
		return err
	}
	q.addUsage(d.message.Site, usage{bytes: n})
	d.counted += n
	return nil
}

// Commit makes the message durable. After it has returned nil, and not before,
// the message may be acknowledged.
func (d *Draft) Commit() (Message, error) {
	d.message.Size = d.counted
	err := d.buffer.Flush()
	if err == nil {
		err = d.file.CloseAtomicallyReplace()
	}
	dir := d.queue.path(d.message.Site, "")
	if err == nil {
		// The site's directory may be as new as the file.
		err = errors.Join(atomicfile.SyncDir(dir), atomicfile.SyncDir(d.queue.dir))
		if err != nil {
			err = errors.Join(err, os.Remove(d.queue.path(d.message.Site, d.message.ID+mailSuffix)))
		}
	}
	if err != nil {
		return Message{}, errors.Join(fmt.Errorf("writing mail: %w", err), d.Abort())
	}
	d.ended = true
	d.queue.mu.Lock()
	defer d.queue.mu.Unlock()
	d.queue.messages[d.message.ID] = &d.message
	return d.message.clone(), nil
}

// Abort forgets a message that was not committed; after Commit it does nothing.
func (d *Draft) Abort() error {
	if d.ended {
		return nil
	}
	d.ended = true
	var err error
	if d.file != nil {
		err = d.file.Cleanup()
	}
	d.queue.mu.Lock()
	defer d.queue.mu.Unlock()
	d.queue.addUsage(d.message.Site, usage{mails: -1, bytes: -d.counted})
	return err
}
