package bench

import (
	"fmt"
	"strings"

	"gonamesrv/bench/capture"
	"gonamesrv/codec"
)

// makers make requests like those of a capture: of the same kind and, if what must
// be in them leaves room, of the same size.
type makers struct {
	r *run
	captured
	frames  map[frameKind]*template // all but registrations
	bodies  map[string]*template    // registrations by broker and size
	changed map[int]string          // hash of the body that each broker registered last
}

// A frameKind is what requests have in common whose frames are the same but for their numbers.
type frameKind struct {
	code           int
	binary, oneway bool
	topic, broker  string // hashes
	size           int
}

// padding is the header field that makes a request as long as the recorded one.
const padding = "nsbenchPadding"

// mostRegistrations bounds the different registrations that are kept encoded. Later
// ones are sent as the last of them of their broker.
const mostRegistrations = 10_000

// request makes one request. next, if any, is to be called before each time that it
// is sent.
func (m *makers) request(rec *capture.Record) (t *template, next func()) {
	b := m.broker(rec.Names["brokerName"])
	code := codec.RequestCode(rec.Code)
	if code == codec.ReqRegisterBroker {
		return m.registration(rec, b)
	}
	kind := frameKind{rec.Code, rec.Binary, rec.Oneway, rec.Names["topic"], rec.Names["brokerName"], rec.Size}
	if t = m.frames[kind]; t != nil {
		return t, nil
	}
	c := command(code)
	switch code {
	case codec.ReqGetRouteInfoByTopic:
		c.Ext = fields("topic", m.topic(rec.Names["topic"]), "acceptStandardJsonOnly", "true")
	case codec.ReqUnregisterBroker, codec.ReqBrokerHeartbeat, codec.ReqQueryDataVersion:
		c.Ext = fields("brokerAddr", b.addr, "brokerId", "0", "brokerName", b.name, "clusterName", b.cluster)
	}
	if code == codec.ReqQueryDataVersion {
		c.Body = b.dataVersion().AppendJSON(nil)
	}
	if rec.Oneway {
		c.Flag = codec.FlagOneway
	}
	t = padded(form(rec), c, rec.Size)
	m.frames[kind] = t
	return t, nil
}

func form(rec *capture.Record) codec.SerializeType {
	if rec.Binary {
		return codec.SerializeRocketMQ
	}
	return codec.SerializeJSON
}

// padded makes a template of c that is size bytes long, if it is not longer
// without.
func padded(st codec.SerializeType, c *codec.Command, size int) *template {
	t := newTemplate(st, c)
	if len(t.frame) >= size {
		return t
	}
	ext := c.Ext
	with := func(n int) *template {
		c.Ext = append(ext[:len(ext):len(ext)], fields(padding, strings.Repeat("x", n))...)
		return newTemplate(st, c)
	}
	// The field itself takes some bytes too.
	n := size - len(with(0).frame)
	if n < 0 {
		return t
	}
	return with(n)
}

// broker is the one that stands for a hash.
func (m *makers) broker(hash string) *broker {
	return m.r.fleet.brokers[m.brokers[hash]%len(m.r.fleet.brokers)]
}

// topic is the name that stands for a hash.
func (m *makers) topic(hash string) string {
	i, known := m.topics[hash]
	if !known {
		return "nsbench-unknown-" + hash
	}
	return m.r.fleet.topics[i%len(m.r.fleet.topics)].name
}

// registration makes a registration of as many topics as have room in the recorded
// size. Where the recorded body was another one than before, so is the data
// version.
func (m *makers) registration(rec *capture.Record, b *broker) (t *template, next func()) {
	place := m.brokers[rec.Names["brokerName"]]
	key := fmt.Sprint(place, " ", rec.Size, rec.Binary)
	t = m.bodies[key]
	if t == nil && len(m.bodies) < mostRegistrations {
		t = sizedRegistration(b, form(rec), rec.Size)
		m.bodies[key] = t
	}
	if t == nil {
		t = sizedRegistration(b, form(rec), 0)
	}
	moves := m.changed[place] != "" && m.changed[place] != rec.BodyHash
	m.changed[place] = rec.BodyHash
	return t, func() {
		if moves {
			b.counter.Add(1)
		}
		t.setCounter(b.counter.Load())
		t.setCRC()
	}
}

// sizedRegistration registers the topics of b, and as many fillers as have room in
// the size.
func sizedRegistration(b *broker, st codec.SerializeType, size int) *template {
	configs := b.topicConfigs()
	encode := func() *template {
		body := codec.RegisterBrokerBody{DataVersion: b.dataVersion(), Topics: configs}
		return b.registerRequest(st, body.AppendJSON(nil), false)
	}
	small := len(encode().frame)
	fill := func() {
		name := []byte(fmt.Sprintf("%s-filler-%06d", b.name, len(configs)))
		configs = append(configs, codec.TopicConfig{Name: name, Key: name, ReadQueueNums: queueNums, WriteQueueNums: queueNums, Perm: topicPerm})
	}
	fill()
	each := len(encode().frame) - small
	for range min(max(0, (size-small)/each-1), maxTopics/10) {
		fill()
	}
	return encode()
}
