package upstream

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// stream sends a body to the client straight from the connection's read buffer, and passes on at once
// what has come so far whenever the application pauses.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	conn    *conn
	stall   time.Duration
	// windowed: the client can hold back single responses (HTTP/2), which the limits of the
	// connection do not notice.
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

// untilEnd sends what comes until the application closes the connection.
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

// lastChunk is most likely the end of a body.
var lastChunk = []byte("\r\n0\r\n\r\n")

// chunks sends a chunked body, whose reader takes the framing away.
func (s *stream) chunks(body io.Reader) error {
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	// The reader may wait in the midst of a chunk.
	if err := s.conn.readWithin(s.stall); err != nil {
		return err
	}
	if !s.conn.holds(lastChunk) {
		s.watch()
	}
	for {
		if err := s.pause(); err != nil {
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

// next returns at most n bytes that lie in the read buffer, waiting if there are none.
func (s *stream) next(n int64) ([]byte, error) {
	br := s.conn.br
	if br.Buffered() == 0 {
		if err := s.pause(); err != nil {
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
		// A stream that takes no deadline any more is closed, which the next use of it tells.
		s.sendLimit, _ = prolong(s.sendLimit, s.stall, s.control.SetWriteDeadline)
	}
	s.place.state.Store(sending)
	if s.place.evicted.Load() {
		return ErrBusy
	}
	n, err := s.w.Write(data)
	s.place.moved.Add(int64(n))
	return err
}

// pause is called before a read: if that has to wait, the client gets now what is there.
func (s *stream) pause() error {
	if s.conn.br.Buffered() > 0 {
		return nil
	}
	if err := s.control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	s.place.state.Store(thinking)
	s.watch()
	return s.conn.readWithin(s.stall)
}
