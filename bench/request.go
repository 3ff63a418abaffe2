package bench

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"

	"gonamesrv/codec"
)

// Numbers that are written into encoded requests have ten digits, so that one
// can take the place of another: opaques and counters start with the smallest.
const (
	digits      = 10
	firstNumber = 1_000_000_000
)

// A template is an encoded request in which a few numbers are replaced each
// time it is sent. Places are offsets into the frame, -1 where there is none.
type template struct {
	frame   []byte
	body    int // where the body begins
	opaque  int
	binary  bool // the opaque is four bytes, not ten digits
	counter int  // of the body's data version
	written int  // of the time at which the body was made, the last ten digits
	crc     int  // the ext field bodyCrc32, ten digits
}

// newTemplate encodes a request once and for all; c.Opaque is overwritten.
func newTemplate(st codec.SerializeType, c *codec.Command) *template {
	c.Opaque = firstNumber
	frame := codec.AppendRequest(nil, st, c)
	t := &template{frame: frame, body: len(frame) - len(c.Body), binary: st == codec.SerializeRocketMQ, counter: -1, written: -1, crc: -1}
	if t.binary {
		t.opaque = 4 + 4 + 5 // length, header word; code, language, version
	} else {
		t.opaque = after(frame[:t.body], `,"opaque":`)
	}
	return t
}

// after returns the index behind the last occurrence of key in b; it must be
// there.
func after(b []byte, key string) int {
	i := bytes.LastIndex(b, []byte(key))
	if i < 0 {
		panic(fmt.Sprintf("bench: no %s in %.200q", key, b)) // we wrote b ourselves
	}
	return i + len(key)
}

// appendTo appends the request with the given opaque.
func (t *template) appendTo(dst []byte, opaque int32) []byte {
	start := len(dst)
	dst = append(dst, t.frame...)
	putOpaque(dst[start+t.opaque:], opaque, t.binary)
	return dst
}

func putOpaque(b []byte, opaque int32, binaryForm bool) {
	if binaryForm {
		binary.BigEndian.PutUint32(b, uint32(opaque))
		return
	}
	putNumber(b, uint64(opaque))
}

// putNumber writes n in ten digits.
func putNumber(b []byte, n uint64) {
	for i := digits - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
}

// setCounter changes the counter of the data version in the body.
func (t *template) setCounter(n int64) { putNumber(t.frame[t.counter:], uint64(n)) }

// setWritten changes the time at which the body was made, in milliseconds since that of all
// data versions.
func (t *template) setWritten(n int64) { putNumber(t.frame[t.written:], uint64(n)) }

// setCRC makes bodyCrc32 agree with the body again.
func (t *template) setCRC() {
	putNumber(t.frame[t.crc:], uint64(crc32.ChecksumIEEE(t.frame[t.body:])&0x7fffffff))
}

// fields makes ext fields of name, value, name, value, …
func fields(kv ...string) codec.ExtFields {
	ext := make(codec.ExtFields, 0, len(kv)/2)
	for i := 0; i+1 < len(kv); i += 2 {
		ext = append(ext, codec.ExtField{Name: []byte(kv[i]), Value: []byte(kv[i+1])})
	}
	return ext
}

func command(code codec.RequestCode, kv ...string) *codec.Command {
	return &codec.Command{Code: code, Version: codec.Version, Ext: fields(kv...)}
}

// routeRequest asks for the route of a topic.
func routeRequest(st codec.SerializeType, topic string) *template {
	return newTemplate(st, command(codec.ReqGetRouteInfoByTopic, "topic", topic, "acceptStandardJsonOnly", "true"))
}

// heartbeatRequest is BROKER_HEARTBEAT.
func (b *broker) heartbeatRequest(st codec.SerializeType, oneway bool) *template {
	c := command(codec.ReqBrokerHeartbeat, "brokerAddr", b.addr, "brokerName", b.name, "brokerId", "0", "clusterName", b.cluster)
	if oneway {
		c.Flag = codec.FlagOneway
	}
	return newTemplate(st, c)
}

// queryRequest is QUERY_DATA_VERSION with the version registered last.
func (b *broker) queryRequest(st codec.SerializeType, oneway bool) *template {
	c := command(codec.ReqQueryDataVersion, "brokerAddr", b.addr, "brokerId", "0", "brokerName", b.name, "clusterName", b.cluster)
	if oneway {
		c.Flag = codec.FlagOneway
	}
	c.Body = b.dataVersion().AppendJSON(nil)
	return newTemplate(st, c)
}

// unregisterRequest is UNREGISTER_BROKER.
func (b *broker) unregisterRequest(st codec.SerializeType) *template {
	return newTemplate(st, command(codec.ReqUnregisterBroker, "brokerAddr", b.addr, "brokerId", "0", "brokerName", b.name, "clusterName", b.cluster))
}

// registerRequest is REGISTER_BROKER with the given body. Its checksum has
// leading zeros, which every parser of numbers takes.
func (b *broker) registerRequest(st codec.SerializeType, body []byte, compressed bool) *template {
	kv := []string{
		"bodyCrc32", fmt.Sprintf("%0*d", digits, codec.BodyCRC32(body)), "brokerAddr", b.addr, "brokerId", "0",
		"brokerName", b.name, "clusterName", b.cluster, "compressed", strconv.FormatBool(compressed),
		"enableActingMaster", "false", "haServerAddr", b.addr,
	}
	if b.timeoutMillis > 0 {
		kv = append(kv, "heartbeatTimeoutMillis", strconv.FormatInt(b.timeoutMillis, 10))
	}
	c := command(codec.ReqRegisterBroker, kv...)
	c.Body = body
	t := newTemplate(st, c)
	if t.binary {
		t.crc = after(t.frame[:t.body], "bodyCrc32") + 4 // the length of the value
	} else {
		t.crc = after(t.frame[:t.body], `"bodyCrc32":"`)
	}
	if !compressed {
		t.counter = after(t.frame, `"dataVersion":{"counter":`)
		t.written = after(t.frame, `"mappingDataVersion":{"counter":0,"stateVersion":0,"timestamp":`) + len("1700000000000") - digits
	}
	return t
}
