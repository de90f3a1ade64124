package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Windows as browsers open them, so that flow control holds nothing back.
const (
	streamWindow = 6 << 20
	connWindow   = 15 << 20
	spareWindow  = 65535 // what a connection has by itself
)

// h2 is one connection with several requests in flight.
type h2 struct {
	net.Conn
	target  Target
	out     *bufio.Writer
	framer  *http2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder
	decoder *hpack.Decoder
	status  string
	last    uint32           // newest stream
	got     map[uint32]int64 // bytes of the streams in flight
	taken   int              // bytes the server was not yet told of
}

func newH2(nc net.Conn, t Target) (*h2, error) {
	c := &h2{Conn: nc, target: t, out: bufio.NewWriterSize(nc, 16<<10), got: make(map[uint32]int64)}
	c.framer = http2.NewFramer(c.out, bufio.NewReaderSize(nc, 32<<10))
	c.framer.SetReuseFrames()
	c.encoder = hpack.NewEncoder(&c.block)
	c.decoder = hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		if f.Name == ":status" {
			c.status = f.Value
		}
	})
	_, err := c.out.WriteString(http2.ClientPreface)
	err = errors.Join(err,
		c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: streamWindow},
			http2.Setting{ID: http2.SettingEnablePush, Val: 0}),
		c.framer.WriteWindowUpdate(0, connWindow-spareWindow), c.out.Flush())
	if err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	return c, nil
}

func (c *h2) close() error { return c.Close() }

func (c *h2) fetch(more func() bool) error {
	for len(c.got) < c.target.Streams && more() {
		if err := c.request(); err != nil {
			return err
		}
	}
	for len(c.got) > 0 {
		if err := c.out.Flush(); err != nil {
			return err
		}
		if err := c.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
			return err
		}
		frame, err := c.framer.ReadFrame()
		if err != nil {
			return err
		}
		done, err := c.handleFrame(frame)
		if err != nil {
			return err
		}
		if done && more() {
			if err := c.request(); err != nil {
				return err
			}
		}
	}
	return c.out.Flush()
}

func (c *h2) request() error {
	c.block.Reset()
	fields := append([][2]string{
		{":method", "GET"}, {":scheme", "https"}, {":authority", c.target.Host}, {":path", c.target.Path},
	}, browser...)
	for _, f := range fields {
		if err := c.encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			return err
		}
	}
	c.last += 2
	if c.last == 2 {
		c.last = 1
	}
	c.got[c.last] = 0
	return c.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: c.last, BlockFragment: c.block.Bytes(), EndStream: true, EndHeaders: true,
	})
}

// handleFrame works on one frame and reports whether a stream has ended with the whole page.
func (c *h2) handleFrame(frame http2.Frame) (done bool, err error) {
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return false, c.framer.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return false, c.framer.WritePing(true, f.Data)
		}
	case *http2.HeadersFrame:
		return f.StreamEnded(), c.header(f)
	case *http2.DataFrame:
		return c.data(f)
	case *http2.RSTStreamFrame:
		return false, fmt.Errorf("%w: reset, %v", ErrAnswer, f.ErrCode)
	case *http2.GoAwayFrame:
		return false, fmt.Errorf("%w: told to go away, %v", ErrAnswer, f.ErrCode)
	}
	return false, nil
}

func (c *h2) header(f *http2.HeadersFrame) error {
	c.status = ""
	if _, err := c.decoder.Write(f.HeaderBlockFragment()); err != nil {
		return err
	}
	if c.status != "200" || !f.HeadersEnded() || f.StreamEnded() {
		return fmt.Errorf("%w: status %q", ErrAnswer, c.status)
	}
	return nil
}

func (c *h2) data(f *http2.DataFrame) (done bool, err error) {
	c.got[f.StreamID] += int64(len(f.Data()))
	c.taken += int(f.Length)
	if c.taken > connWindow/4 {
		if err := c.framer.WriteWindowUpdate(0, uint32(c.taken)); err != nil {
			return false, err
		}
		c.taken = 0
	}
	if !f.StreamEnded() {
		return false, nil
	}
	if c.got[f.StreamID] != c.target.Size {
		return false, fmt.Errorf("%w: %d bytes", ErrAnswer, c.got[f.StreamID])
	}
	delete(c.got, f.StreamID)
	return true, nil
}
