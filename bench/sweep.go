package bench

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gonamesrv/codec"
)

const (
	// sweepDepth is how many topics each connection of a sweep asks for at once:
	// one after the other would measure the way to the server and back.
	sweepConnections, sweepDepth = 4, 64
	// sweepSample is how many of the topics that lack a broker are asked for
	// before all of them are.
	sweepSample = 256
	sweepRest   = 5 * time.Millisecond
)

// A Recovery says how it was found out when the last route was back, and what
// that cost: the server answered these lookups beside those of the readers.
type Recovery struct {
	Connections int    `json:"connections"`
	Depth       int    `json:"depth"`   // unanswered lookups of each
	Lookups     uint64 `json:"lookups"` // in all
	// AllSeconds is how long it took to ask for all topics once more when every
	// route was whole. Moments are known to that precision.
	AllSeconds float64 `json:"allSeconds"`
}

// A sweeper asks for routes.
type sweeper struct {
	callers []*caller
	lookups atomic.Uint64
	lacking func() // told of each reply that lacks brokers, when it comes
}

// sweep asks for every topic until each has had its whole route, and tells the
// survey of each reply that lacked a broker. It reports whether all were whole
// within timeout. It asks with connections of its own, and fails when one breaks.
func (r *run) sweep(ctx context.Context, timeout time.Duration) (ok bool, err error) {
	s := &sweeper{lacking: func() { r.fleet.survey.lacking(r.d.now()) }}
	defer s.close()
	for range min(sweepConnections, (len(r.fleet.topics)+sweepDepth-1)/sweepDepth) {
		c, err := dialCaller(ctx, &r.d.dialer)
		if err != nil {
			return false, err
		}
		s.callers = append(s.callers, c)
	}
	defer func() {
		r.recovery.Connections, r.recovery.Depth, r.recovery.Lookups = len(s.callers), sweepDepth, s.lookups.Load()
	}()
	lacking := r.fleet.topics
	for deadline := time.Now().Add(timeout); ; time.Sleep(sweepRest) {
		some := sample(lacking, sweepSample)
		still, err := s.ask(some)
		if err == nil && len(still) < len(some) {
			lacking, err = s.ask(lacking)
		}
		switch {
		case err != nil:
			return false, err
		case len(lacking) == 0:
			from := r.d.now()
			_, err := s.ask(r.fleet.topics)
			r.recovery.AllSeconds = seconds(r.d.now() - from)
			return true, err
		case ctx.Err() != nil || time.Now().After(deadline):
			return false, ctx.Err()
		}
	}
}

// sample returns n of the topics, or all of them, spread evenly.
func sample(topics []*topic, n int) []*topic {
	if len(topics) <= n {
		return topics
	}
	out := make([]*topic, n)
	for i := range out {
		out[i] = topics[i*len(topics)/n]
	}
	return out
}

// ask asks for topics, over all connections, and returns those whose routes are
// not whole.
func (s *sweeper) ask(topics []*topic) (lacking []*topic, err error) {
	n := len(s.callers)
	parts, errs := make([][]*topic, n), make([]error, n)
	var wg sync.WaitGroup
	for i, c := range s.callers {
		wg.Go(func() {
			parts[i], errs[i] = s.askOver(c, topics[len(topics)*i/n:len(topics)*(i+1)/n])
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return slices.Concat(parts...), nil
}

func (s *sweeper) askOver(c *caller, topics []*topic) (lacking []*topic, err error) {
	for some := range slices.Chunk(topics, sweepDepth) {
		whole := make([]bool, len(some))
		s.lookups.Add(uint64(len(some)))
		err := c.pipeline(len(some), func(i int, dst []byte, opaque int32) []byte {
			return some[i].request.appendTo(dst, opaque)
		}, func(i int, cmd *codec.Command) {
			if whole[i] = some[i].isWhole(cmd); !whole[i] {
				s.lacking()
			}
		})
		if err != nil {
			return nil, err
		}
		for i, t := range some {
			if !whole[i] {
				lacking = append(lacking, t)
			}
		}
	}
	return lacking, nil
}

func (s *sweeper) close() {
	for _, c := range s.callers {
		c.close()
	}
}

// isWhole reports whether a reply is a route that names all brokers of t.
func (t *topic) isWhole(cmd *codec.Command) bool {
	var route codec.TopicRouteData
	if cmd.Code != codec.RequestCode(codec.RespSuccess) || route.Decode(cmd.Body) != nil {
		return false
	}
	for _, b := range t.brokers {
		if !names(&route, b.name) {
			return false
		}
	}
	return true
}
