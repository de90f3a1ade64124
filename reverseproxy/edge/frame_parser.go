package edge

const (
	frameHead = 9 // length, type, flags, stream

	typeData, typeHeaders = 0, 1
	flagEndStream         = 1
)

// frameParser parses the bytes written to an HTTP/2 connection to find the ends of responses.
type frameParser struct {
	head [frameHead]byte
	have int // bytes of head
	left int // bytes of the payload still to come
}

// countEnds returns how many responses end in p.
func (f *frameParser) countEnds(p []byte) (n int) {
	for len(p) > 0 {
		if f.have < frameHead {
			taken := copy(f.head[f.have:], p)
			f.have += taken
			p = p[taken:]
			if f.have < frameHead {
				return n
			}
			f.left = int(f.head[0])<<16 | int(f.head[1])<<8 | int(f.head[2])
		}
		taken := min(f.left, len(p))
		f.left -= taken
		p = p[taken:]
		if f.left > 0 {
			return n
		}
		f.have = 0
		if kind := f.head[3]; (kind == typeData || kind == typeHeaders) && f.head[4]&flagEndStream != 0 {
			n++
		}
	}
	return n
}
