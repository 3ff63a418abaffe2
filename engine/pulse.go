package engine

import "time"

// A Pulse is what tells whether an engine is alive.
type Pulse struct {
	Open   int           // connections open now
	Silent time.Duration // since the event loop that has been silent for longest has looked at its clock, by Options.Clock; 0 where none runs
}

// Pulse returns it. It takes no lock and allocates nothing, so that whoever asks
// has an answer from an engine that hangs. Safe from any goroutine.
func (e *Engine) Pulse() Pulse {
	p := Pulse{Open: int(e.open.Load())}
	now := e.now()
	for _, l := range e.loops {
		if at := time.Duration(l.ticked.Load()); at > 0 {
			p.Silent = max(p.Silent, now-at)
		}
	}
	return p
}
