package namesrv

import (
	"bytes"
	"encoding/binary"

	"gonamesrv/codec"
	"gonamesrv/route"
)

// Prepare looks for requests for routes among what will be served soon, and has the
// routes read into the processor's caches together. With many topics a request spends
// most of its time waiting for memory, and clients ask for many topics at once
// (BenchmarkReadCPU). It runs where Serve does.
//
// To decode all headers twice would cost more than it saves. One client writes all its
// requests alike: so the first is decoded, and of the others only what stands where
// the first has its topic. What looks different is left out. Only time depends on
// it: Serve reads every frame for itself.
func (s *Server) Prepare(next []byte) (seen int) {
	v := s.table.View()
	if s.dispatch.of(codec.ReqGetRouteInfoByTopic).class != onLoop || !v.WantsPrefetch() {
		return len(next)
	}
	first, rest := cutFrame(next)
	second, rest := cutFrame(rest)
	if second == nil {
		return len(next) // at most one: nothing to read together
	}
	r := requests.Get().(*request)
	defer requests.Put(r)
	if r.cmd.Decode(first) != nil || r.cmd.Code != codec.ReqGetRouteInfoByTopic || r.cmd.Flag.IsResponse() {
		return len(first)
	}
	var h codec.GetRouteInfoRequestHeader
	h.Decode(r.cmd.Ext)
	place, ok := placeOfTopic(first, h.Topic, r.cmd.SerializeType)
	if !ok {
		return len(first)
	}
	var names [route.MaxPrefetch][]byte
	names[0] = h.Topic
	n := 1
	for frame := second; frame != nil; {
		if name := place.topic(frame); name != nil {
			names[n] = name
			n++
		}
		seen = len(next) - len(rest)
		if n == len(names) {
			break
		}
		frame, rest = cutFrame(rest)
	}
	form := routeForm(s.config(), r.cmd.Version, &h)
	v.Prefetch(names[:n], &form)
	return seen
}

// cutFrame returns the first frame of b and what is behind it, nil if b has no whole
// frame.
func cutFrame(b []byte) (frame, rest []byte) {
	n, err := codec.SplitFrame(b)
	if err != nil || n == 0 || n > len(b) {
		return nil, nil
	}
	return b[:n:n], b[n:]
}

// A topicPlace is where a client writes the topic into its requests for routes.
type topicPlace struct {
	field  string // the name of the field, which stands right before
	at     int    // where the topic begins
	binary bool   // its length stands between the two
}

// placeOfTopic finds the topic in a request that has been decoded. It reports false
// where the client writes it in an unusual way.
func placeOfTopic(frame, topic []byte, st codec.SerializeType) (p topicPlace, ok bool) {
	p.field = `"topic":"`
	if p.binary = st == codec.SerializeRocketMQ; p.binary {
		p.field = "topic"
	}
	i := bytes.Index(frame, []byte(p.field))
	if i < 0 {
		return p, false
	}
	p.at = i + len(p.field)
	if p.binary {
		p.at += 4
	}
	return p, len(topic) > 0 && bytes.Equal(p.topic(frame), topic)
}

// topic returns the topic of another request, nil if it has none in that place.
func (p *topicPlace) topic(frame []byte) []byte {
	if len(frame) <= p.at {
		return nil
	}
	before, rest := frame[:p.at], frame[p.at:]
	size := 0
	if p.binary {
		before, size = before[:p.at-4], int(binary.BigEndian.Uint32(before[p.at-4:]))
	} else {
		size = bytes.IndexByte(rest, '"')
	}
	if size <= 0 || size > len(rest) || string(before[len(before)-len(p.field):]) != p.field {
		return nil
	}
	return rest[:size:size]
}
