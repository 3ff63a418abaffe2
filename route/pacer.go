package route

// pieceWork is how much is done between two calls of a pacer's rest, but for the one
// thing that was begun before: about 50 µs.
const pieceWork = 4096

// What things cost, in units of about 10 ns: what it takes to look at one row.
const (
	visitedTopic = 16 // somewhere in memory
	savedTopic   = 16
	savedLink    = 16
	savedMember  = 64

	plainPerUnit = 4  // bytes that are deflated
	bytesPerUnit = 32 // bytes that are written
)

// A pacer divides long work into pieces, so that others come to use the CPU meanwhile.
type pacer struct {
	rest func() error // between two pieces; nil is none
	err  error        // of rest: who works is to end
	work int          // since the last rest
	most int          // that there was of it
}

// noPacer is for work that is not divided. It is never written.
var noPacer *pacer

// did notes some work that has been done, and rests if it is time. It reports whether
// there is no reason to end.
func (p *pacer) did(work int) bool {
	if p == nil {
		return true
	}
	p.work += work
	if p.work >= pieceWork {
		p.pause()
	}
	return p.err == nil
}

// pause rests now.
func (p *pacer) pause() {
	p.most = max(p.most, p.work)
	p.work = 0
	if p.rest != nil && p.err == nil {
		p.err = p.rest()
	}
}
