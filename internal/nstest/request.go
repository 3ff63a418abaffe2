package nstest

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"

	"gonamesrv/codec"
)

// Request builds a request as the newest release sends it. fields are names, each with
// its value behind it.
func Request(code codec.RequestCode, fields ...string) *codec.Command {
	c := &codec.Command{Code: code, Version: codec.Version}
	for i := 0; i+1 < len(fields); i += 2 {
		c.Ext = append(c.Ext, codec.ExtField{Name: []byte(fields[i]), Value: []byte(fields[i+1])})
	}
	return c
}

// Route asks for the route of a topic.
func Route(topic string) *codec.Command {
	return Request(codec.ReqGetRouteInfoByTopic, "topic", topic)
}

// A Broker is what a test broker registers.
type Broker struct {
	Cluster, Name, Addr string
	ID                  int64
	Counter             int64 // of its data version
	Topics              []string
	Fields              []string // further ext fields: names, each with its value behind it
}

// Register is the broker's registration, as a 5.x broker sends it.
func (b Broker) Register() *codec.Command {
	return b.RegisterBody(b.Body())
}

// RegisterBody is a registration with the given body.
func (b Broker) RegisterBody(body []byte) *codec.Command {
	return b.withBody(codec.ReqRegisterBroker, body)
}

// RegisterPadded is a registration with a body of size bytes, most of them blanks.
func (b Broker) RegisterPadded(size int) *codec.Command {
	body := b.Body()
	last := len(body) - 1 // the closing brace
	body = slices.Concat(body[:last], bytes.Repeat([]byte{' '}, max(0, size-len(body))), body[last:])
	return b.withBody(codec.ReqRegisterBroker, body)
}

// bodies counts what Body has made.
var bodies atomic.Int64

// Body is the plain body of the registration. As with a real broker, no two have the same
// bytes: each has another time in it, which nobody reads (codec.TimelessBody).
func (b Broker) Body() []byte {
	body := codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Timestamp: 1_700_000_000_000, Counter: b.Counter}, Written: 1_795_903_396_624 + bodies.Add(1)}
	for _, name := range b.Topics {
		body.Topics = append(body.Topics, codec.TopicConfig{Name: []byte(name), Key: []byte(name), ReadQueueNums: 4, WriteQueueNums: 4, Perm: 6})
	}
	return body.AppendJSON(nil)
}

func (b Broker) withBody(code codec.RequestCode, body []byte) *codec.Command {
	fields := []string{
		"brokerName", b.Name, "brokerAddr", b.Addr, "clusterName", b.Cluster,
		"brokerId", strconv.FormatInt(b.ID, 10), "haServerAddr", b.Addr + "1",
		"enableActingMaster", "false", "compressed", "false",
		"bodyCrc32", fmt.Sprint(codec.BodyCRC32(body)),
	}
	c := Request(code, slices.Concat(fields, b.Fields)...)
	c.Body = body
	return c
}

// Unregister is the request by which the broker unregisters.
func (b Broker) Unregister() *codec.Command {
	return Request(codec.ReqUnregisterBroker, "brokerName", b.Name, "brokerAddr", b.Addr, "clusterName", b.Cluster,
		"brokerId", strconv.FormatInt(b.ID, 10))
}
