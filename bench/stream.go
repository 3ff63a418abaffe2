package bench

import "time"

// A source decides what one connection sends. It is used by one goroutine.
type source interface {
	// next appends the connection's next request, with the given opaque, and
	// says what it is.
	next(dst []byte, opaque int32) ([]byte, ask)
	// reset tells the source that the connection was lost, with all requests that
	// were under way.
	reset()
}

// A fencer is the source of a stream whose requests are oneway.
type fencer interface {
	// fence appends a request like the others, which wants an answer: the server's CPU time
	// is that of one kind of request.
	fence(dst []byte, opaque int32) ([]byte, ask)
}

// An ask is what the generator remembers of a request until its reply comes.
type ask struct {
	op   int   // index into the driver's operations
	want want  // nil for a oneway request
	arg  int64 // handed to want
}

// An operation is one kind of request that is counted by itself.
type operation struct {
	name   string
	oneway bool
}

// A stream is one kind of traffic: connections that send what their sources
// say, at a rate that the server has no say in (open loop), or each with depth
// requests unanswered at a time (closed loop).
type stream struct {
	name        string
	connections int
	rate        float64       // requests per second of all connections; 0 is a closed loop
	poisson     bool          // they leave at random moments, on average at rate
	stages      []Stage       // of the rate, one a phase
	depth       int           // of a closed loop
	most        int           // unanswered requests of a connection of an open loop; 0 is maxUnanswered
	pause       time.Duration // a closed loop rests up to so long between two requests
	requests    int           // in all; 0 knows no end
	from        int           // the phase that starts it
	fence       bool          // its requests are oneway: ask at the end whether they were read; its source is a fencer
	tolerant    bool          // connections may break, and are made anew
	heavy       bool          // a request takes long to send: not beside requests that have their time
	source      func(i int) source
}

func (s *stream) result() StreamResult {
	r := StreamResult{Name: s.name, Connections: s.connections, OpenLoop: s.rate > 0, Rate: s.rate, Depth: s.depth}
	if r.OpenLoop {
		r.Depth = 0
		r.Poisson = s.poisson
	}
	return r
}

// share returns how much of total the i-th of n gets.
func share(total, i, n int) int { return total*(i+1)/n - total*i/n }
