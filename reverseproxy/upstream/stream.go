package upstream

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// stream sends a body to the client directly from the connection's read buffer, and flushes whenever the application
// pauses.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	conn    *conn
	stall   time.Duration
	// windowed means that the client can stop single responses (HTTP/2), which the connection's own limits do not
	// notice.
	windowed bool

	place *place

	// watch is called before the first wait for the application.
	watch func()

	sent      bool
	sendLimit time.Time
}

// sized sends exactly n bytes.
func (s *stream) sized(n int64) error {
	for n > 0 {
		data, err := s.next(n)
		if errors.Is(err, io.EOF) {
			return errShort
		}
		if err != nil {
			return err
		}
		n -= int64(len(data))
		if err := s.send(data, n == 0); err != nil {
			return err
		}
	}
	return nil
}

// untilEnd sends everything until the application closes the connection.
func (s *stream) untilEnd() error {
	for {
		data, err := s.next(bufferSize)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.send(data, false); err != nil {
			return err
		}
	}
}

// lastChunk is what usually ends a chunked body.
var lastChunk = []byte("\r\n0\r\n\r\n")

// chunks sends a chunked body; body is its decoding reader.
func (s *stream) chunks(body io.Reader) error {
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	// The reader may wait within a chunk.
	if err := s.conn.readWithin(s.stall); err != nil {
		return err
	}
	if !s.conn.bufferContains(lastChunk) {
		s.watch()
	}
	for {
		if err := s.flushIfEmpty(); err != nil {
			return err
		}
		n, err := body.Read(*buf)
		if n > 0 {
			if err := s.write((*buf)[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// next returns at most n bytes of the read buffer, waiting if it is empty.
func (s *stream) next(n int64) ([]byte, error) {
	br := s.conn.br
	if br.Buffered() == 0 {
		if err := s.flushIfEmpty(); err != nil {
			return nil, err
		}
		if _, err := br.Peek(1); err != nil {
			return nil, err
		}
	}
	return br.Peek(int(min(n, int64(br.Buffered()))))
}

// send writes data, which next returned, and drops it from the read buffer.
func (s *stream) send(data []byte, last bool) error {
	if last && !s.sent {
		// The whole body in one piece: no later write can find the window closed before.
		s.sent = true
		_, err := s.w.Write(data)
		_, discarded := s.conn.br.Discard(len(data)) // data was peeked from there, so it is there to be discarded
		return errors.Join(err, discarded)
	}
	if err := s.write(data); err != nil {
		return err
	}
	_, err := s.conn.br.Discard(len(data))
	return err
}

func (s *stream) write(data []byte) error {
	s.sent = true
	if s.windowed {
		// Setting a deadline fails on a closed stream only, and the next write returns that error.
		s.sendLimit, _ = extendDeadline(s.sendLimit, s.stall, s.control.SetWriteDeadline)
	}
	s.place.state.Store(sending)
	if s.place.evicted.Load() {
		return ErrBusy
	}
	n, err := s.w.Write(data)
	s.place.transferred.Add(int64(n))
	return err
}

// flushIfEmpty is called before each read. If the read will have to wait, it first sends the client everything so far.
func (s *stream) flushIfEmpty() error {
	if s.conn.br.Buffered() > 0 {
		return nil
	}
	if err := s.control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	s.place.state.Store(awaitingApp)
	s.watch()
	return s.conn.readWithin(s.stall)
}
