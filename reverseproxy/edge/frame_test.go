package edge_test

import (
	"bytes"
	"io"
	"net"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// framed speaks HTTP/2 frame by frame.
type framed struct {
	*http2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder
}

func newFramed(t *testing.T, c net.Conn, settings ...http2.Setting) *framed {
	t.Helper()
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	f := &framed{Framer: http2.NewFramer(c, c)}
	f.encoder = hpack.NewEncoder(&f.block)
	if err := f.WriteSettings(settings...); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *framed) ask(stream uint32) error {
	f.block.Reset()
	for _, field := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", name}, {":path", "/"}} {
		if err := f.encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
			return err
		}
	}
	return f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: f.block.Bytes(), EndStream: true, EndHeaders: true})
}
