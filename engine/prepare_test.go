package engine

import (
	"bytes"
	"io"
	"testing"
	"time"
)

// A preparer checks that it is shown everything that it is to serve, and nothing
// twice, if it says that it sees two frames at a time.
type preparer struct {
	testHandler
	shown []byte // seen and not yet served
	alone int    // frames that were served without being shown
	wrong string
}

func (p *preparer) Prepare(next []byte) int {
	if len(p.shown) > 0 {
		p.wrong = "shown again before what was seen is served"
	}
	seen := 0
	for range 2 {
		n, err := splitInt32(next[seen:])
		if err != nil || n == 0 || n > len(next)-seen {
			break
		}
		seen += n
	}
	p.shown = bytes.Clone(next[:seen])
	return seen
}

func (p *preparer) Serve(c Conn, at time.Duration, frame, out []byte) []byte {
	switch rest, ok := bytes.CutPrefix(p.shown, frame); {
	case ok:
		p.shown = rest
	case len(p.shown) > 0:
		p.wrong = "served another frame than the next one shown"
	default:
		p.alone++
	}
	return p.testHandler.Serve(c, at, frame, out)
}

// TestPrepareShowsWhatComes sends many frames in pieces of all sizes over both
// transports. All that come whole are shown before they are served.
func TestPrepareShowsWhatComes(t *testing.T) {
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			p := &preparer{}
			s := serve(t, p, func(o *Options) {
				o.Loops = 1
				if secure {
					withTLS(o)
				}
			})
			raw := s.dial()
			var c io.ReadWriter = raw
			if secure {
				c = raw.upgrade(nil, nil)
			}
			cut := 0
			for size := 1; size < 100; size++ {
				var stream []byte
				for i := range 10 {
					stream = append(stream, textFrame("%0*d", size, i)...)
				}
				at := len(stream) * (size % 7) / 7
				for _, piece := range [][]byte{stream[:at], stream[at:]} {
					if _, err := c.Write(piece); err != nil {
						t.Fatal(err)
					}
				}
				for range 10 {
					if _, err := readFrame(c); err != nil {
						t.Fatal(err)
					}
				}
				cut++
			}
			s.stop()
			if p.wrong != "" {
				t.Error(p.wrong)
			}
			if p.alone > cut {
				t.Errorf("%d frames were not shown, but only %d were cut", p.alone, cut)
			}
		})
	}
}
