package bench

import (
	"bytes"

	"gonamesrv/codec"
)

// The forms of a registration.
const (
	formPlain      = "plain"
	formCompressed = "compressed"
	formSplit      = "split"
)

// splitSize is how many topics one part of a split registration has.
// Java: BrokerConfig#splitRegistrationSize.
const splitSize = 800

// compressedVersions is how many versions of a compressed registration are made
// beforehand, because compressing during the run would take CPU from the server.
// They are sent in turn, so that each differs from the one before.
const compressedVersions = 4

// A registration is what one broker registers, ready to be sent again and
// again, with whatever is to change between two times.
type registration struct {
	b        *broker
	versions [][]*template // of each its parts; only compressed ones have several
	bump     bool
	changing int // how many topics change each time

	sent    bool
	version int
	part    int   // the next one to send
	counter int64 // of the data version sent last
	written int64 // how many plain bodies have been sent
	cursor  int   // the next topic to change
	places  []place
}

// A place is one topic's number of read queues.
type place struct {
	part   *template
	offset int
}

// newRegistration encodes what b registers. With bump each registration has a
// data version of its own; changed percent of its topics are different each time.
func newRegistration(f *fleet, b *broker, bump bool, changed float64) *registration {
	r := &registration{b: b, bump: bump}
	configs := b.topicConfigs()
	if changed > 0 {
		r.changing = max(1, int(float64(len(configs))*changed/100+0.5))
	}
	r.counter = b.counter.Load()
	if f.form == formCompressed {
		n := 1
		if bump {
			n = compressedVersions
		}
		for i := range n {
			r.versions = append(r.versions, []*template{b.compressed(f.header, configs, r.counter+int64(i))})
			// Two sets of topics flip in turn, so that the step from the last
			// version to the first is like all other steps.
			for j := range r.changing {
				flip(&configs[(i%2*r.changing+j)%len(configs)])
			}
		}
		return r
	}
	size := len(configs)
	if f.form == formSplit {
		size = splitSize
	}
	var parts []*template
	for rest := configs; len(rest) > 0; rest = rest[min(size, len(rest)):] {
		body := codec.RegisterBrokerBody{DataVersion: b.dataVersion(), Topics: rest[:min(size, len(rest))]}
		parts = append(parts, b.registerRequest(f.header, body.AppendJSON(nil), false))
	}
	r.versions = [][]*template{parts}
	if r.changing > 0 {
		for _, t := range parts {
			r.places = append(r.places, queuePlaces(t)...)
		}
	}
	return r
}

func flip(c *codec.TopicConfig) { c.ReadQueueNums = queueNums + changedNums - c.ReadQueueNums }

// compressed encodes the compact form, with a given counter.
func (b *broker) compressed(st codec.SerializeType, configs []codec.TopicConfig, counter int64) *template {
	body := codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Timestamp: dataVersionTime, Counter: counter}, Topics: configs}
	return b.registerRequest(st, codec.Compress(nil, body.AppendCompact(nil, codec.Version)), true)
}

// queuePlaces finds the numbers of read queues in a plain body.
func queuePlaces(t *template) (places []place) {
	key := []byte(`"readQueueNums":`)
	for i := t.body; ; {
		n := bytes.Index(t.frame[i:], key)
		if n < 0 {
			return places
		}
		i += n + len(key)
		places = append(places, place{t, i})
	}
}

// appendNext appends the next frame of the registration, and returns the
// counter of the data version in it and whether it is the last part.
func (r *registration) appendNext(dst []byte, opaque int32) ([]byte, int64, bool) {
	if r.part == 0 && r.sent && r.bump {
		r.advance()
	}
	r.sent = true
	parts := r.versions[r.version]
	t := parts[r.part]
	if t.written >= 0 { // brokers since 5.0 write a time into each that nobody reads
		r.written++
		t.setWritten(r.written)
		t.setCRC()
	}
	dst = t.appendTo(dst, opaque)
	r.part++
	last := r.part == len(parts)
	if last {
		r.part = 0
	}
	return dst, r.counter, last
}

// advance makes the registration another one.
func (r *registration) advance() {
	if len(r.versions) > 1 {
		r.version = (r.version + 1) % len(r.versions)
		r.counter = firstNumber + int64(r.version)
		return
	}
	r.counter++
	for range r.changing {
		p := r.places[r.cursor]
		p.part.frame[p.offset] ^= queueNums ^ changedNums // turns one digit into the other
		r.cursor = (r.cursor + 1) % len(r.places)
	}
	for _, t := range r.versions[0] {
		t.setCounter(r.counter)
	}
}

// restart makes the next frame the first part again: the connection that was
// to carry the rest is gone.
func (r *registration) restart() { r.part = 0 }
