package bench

import (
	"context"
	"slices"
	"time"

	"gonamesrv/codec"
)

const (
	// sweepDepth is how many topics a sweep asks for at once: one after the other
	// would measure the way to the server and back.
	sweepDepth = 64
	// sweepSample is how many of the topics that lack a broker are asked for
	// before all of them are.
	sweepSample = 256
	sweepRest   = 5 * time.Millisecond
)

// sweep asks for every topic until each has had its whole route. It returns when
// the last reply came that lacked a broker, 0 if none did, and whether all
// were whole within timeout. It asks with a connection of its own, and fails
// when that breaks.
func (r *run) sweep(ctx context.Context, timeout time.Duration) (last int64, ok bool, err error) {
	c, err := dialCaller(ctx, &r.d.dialer)
	if err != nil {
		return 0, false, err
	}
	defer c.close()
	lacking := slices.Clone(r.fleet.topics)
	for deadline := time.Now().Add(timeout); ; time.Sleep(sweepRest) {
		some := sample(lacking, sweepSample)
		still, err := askWhole(c, some)
		if err == nil && len(still) < len(some) {
			lacking, err = askWhole(c, lacking)
		}
		switch {
		case err != nil:
			return last, false, err
		case len(lacking) == 0:
			return last, true, nil
		}
		last = r.d.now()
		if ctx.Err() != nil || time.Now().After(deadline) {
			return last, false, ctx.Err()
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

// askWhole asks for topics and returns those whose routes are not whole.
func askWhole(c *caller, topics []*topic) (lacking []*topic, err error) {
	for some := range slices.Chunk(topics, sweepDepth) {
		whole := make([]bool, len(some))
		err := c.pipeline(len(some), func(i int, dst []byte, opaque int32) []byte {
			return some[i].request.appendTo(dst, opaque)
		}, func(i int, cmd *codec.Command) { whole[i] = some[i].isWhole(cmd) })
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
