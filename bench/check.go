package bench

import (
	"bytes"
	"fmt"

	"gonamesrv/codec"
)

// A want knows what a right reply to one request is. It is shared by all who
// send that request, and safe from any goroutine.
type want interface {
	// check judges a reply. since is when the request was to be sent, in the
	// run's nanoseconds; arg is what the sender noted with it. It returns ""
	// for a right reply; a reason for a wrong one; or, with a kind of error,
	// that the reply is neither right nor wrong.
	check(c *codec.Command, since, arg int64) (errorKind, wrong string)
	// asked names the request in a sample.
	asked() string
}

// code returns the verdict on a reply that must have one code.
func wantCode(c *codec.Command, code codec.ResponseCode) (errorKind, wrong string) {
	got := codec.ResponseCode(c.Code)
	switch got {
	case code:
		return "", ""
	case codec.RespSystemBusy:
		return ErrorBusy, ""
	}
	return "", fmt.Sprintf("code is %v (%.100q), want %v", got, c.Remark, code)
}

// wantSuccess takes every reply with code 0.
type wantSuccess struct{ request string }

func (w *wantSuccess) asked() string { return w.request }
func (w *wantSuccess) check(c *codec.Command, _, _ int64) (string, string) {
	return wantCode(c, codec.RespSuccess)
}

// wantMiss takes TOPIC_NOT_EXIST.
type wantMiss struct{ topic string }

func (w *wantMiss) asked() string { return "route " + w.topic }
func (w *wantMiss) check(c *codec.Command, _, _ int64) (string, string) {
	return wantCode(c, codec.RespTopicNotExist)
}

// wantUnchanged takes the answer to a data version that the server must know;
// arg is its counter.
type wantUnchanged struct{ b *broker }

func (w *wantUnchanged) asked() string { return "data version of " + w.b.name }
func (w *wantUnchanged) check(c *codec.Command, _, arg int64) (string, string) {
	if kind, wrong := wantCode(c, codec.RespSuccess); kind+wrong != "" {
		return kind, wrong
	}
	if changed, _ := c.Ext.Get("changed"); string(changed) != "false" {
		return "", fmt.Sprintf("changed is %q, want false", changed)
	}
	dv, null, err := codec.DecodeDataVersion(c.Body, 0)
	want := codec.DataVersion{Timestamp: dataVersionTime, Counter: arg}
	if err != nil || null || !dv.Equal(want) {
		return "", fmt.Sprintf("data version is %.200q (%v), want %+v", c.Body, err, want)
	}
	return "", ""
}

// A knownBody is a reply that was checked in full. As long as nothing happens
// to the brokers the same bytes are right again.
type knownBody struct {
	generation uint64
	body       []byte
}

func (t *topic) asked() string { return "route " + t.name }

// check takes a route that names the brokers which must be in it, and no other.
func (t *topic) check(c *codec.Command, since, _ int64) (errorKind, wrong string) {
	generation := t.fleet.generation.Load()
	if c.Code == codec.RequestCode(codec.RespSuccess) {
		if known := t.known.Load(); known != nil && known.generation == generation && bytes.Equal(known.body, c.Body) {
			return "", ""
		}
	}
	there, moving := t.expect(since)
	if codec.ResponseCode(c.Code) == codec.RespTopicNotExist && there == 0 {
		if moving == 0 {
			return "", ""
		}
		t.surveyMissing(since)
		return ErrorNotReady, ""
	}
	if kind, wrong := wantCode(c, codec.RespSuccess); kind+wrong != "" {
		return kind, wrong
	}
	var route codec.TopicRouteData
	if err := route.Decode(c.Body); err != nil {
		return "", err.Error()
	}
	if wrong := t.checkRoute(&route, since); wrong != "" {
		return "", wrong
	}
	if kind := t.survey(&route, since); kind != "" {
		return kind, ""
	}
	if moving == 0 && generation == t.fleet.generation.Load() {
		t.known.Store(&knownBody{generation, bytes.Clone(c.Body)})
	}
	return "", ""
}

// A presence says whether a route may name a broker.
type presence int8

const (
	mayBe presence = iota
	mustBe
	mustNotBe
)

// presence returns what a reply may say of b if the request left at since. It is
// certain only of a state that began before since and still lasts.
func (b *broker) presence(since int64) presence {
	at := b.since.Load()
	switch state := b.state.Load(); {
	case state == brokerMoving || at > since || b.since.Load() != at:
		return mayBe
	case state == brokerThere:
		return mustBe
	}
	return mustNotBe
}

// expect counts the brokers that must be in the route, and those that may.
func (t *topic) expect(since int64) (there, moving int) {
	for _, b := range t.brokers {
		switch b.presence(since) {
		case mustBe:
			there++
		case mayBe:
			moving++
		}
	}
	return there, moving
}

// checkRoute returns what is wrong with a route, "" when nothing is.
func (t *topic) checkRoute(route *codec.TopicRouteData, since int64) string {
	named := 0
	for i := range route.BrokerDatas {
		d := &route.BrokerDatas[i]
		b := t.broker(d.BrokerName)
		if b == nil {
			return fmt.Sprintf("names the broker %q, which does not have the topic", d.BrokerName)
		}
		if b.presence(since) == mustNotBe {
			return fmt.Sprintf("names the broker %q, which is gone", d.BrokerName)
		}
		if d.Cluster != b.cluster || len(d.BrokerAddrs) != 1 || d.BrokerAddrs[0] != (codec.BrokerAddr{ID: 0, Addr: b.addr}) {
			return fmt.Sprintf("says of %s %s %v, want %s [{0 %s}]", b.name, d.Cluster, d.BrokerAddrs, b.cluster, b.addr)
		}
		if i > 0 && d.BrokerName == route.BrokerDatas[i-1].BrokerName {
			return fmt.Sprintf("names the broker %q twice", d.BrokerName)
		}
		named++
	}
	queues := 0
	for i := range route.QueueDatas {
		q := &route.QueueDatas[i]
		if t.broker(q.BrokerName) == nil {
			return fmt.Sprintf("has queues on the broker %q, which does not have the topic", q.BrokerName)
		}
		if (q.ReadQueueNums != queueNums && q.ReadQueueNums != changedNums) || q.WriteQueueNums != queueNums || q.Perm != topicPerm {
			return fmt.Sprintf("has wrong queues: %+v", *q)
		}
		queues++
	}
	for _, b := range t.brokers {
		if b.presence(since) == mustBe && !names(route, b.name) {
			return fmt.Sprintf("does not name %s", b.name)
		}
	}
	if named != queues {
		return fmt.Sprintf("has queues on %d brokers and addresses of %d", queues, named)
	}
	return ""
}

func (t *topic) broker(name string) *broker {
	for _, b := range t.brokers {
		if b.name == name {
			return b
		}
	}
	return nil
}

// names reports whether a route has both queues on a broker and its address.
func names(route *codec.TopicRouteData, broker string) bool {
	addr, queue := false, false
	for i := range route.BrokerDatas {
		addr = addr || route.BrokerDatas[i].BrokerName == broker
	}
	for i := range route.QueueDatas {
		queue = queue || route.QueueDatas[i].BrokerName == broker
	}
	return addr && queue
}

// isNamed asks whether the route of t names b.
func (t *topic) isNamed(c *caller, b *broker) (named bool, err error) {
	_, err = c.do(t.request.appendTo, func(cmd *codec.Command) string {
		var route codec.TopicRouteData
		named = cmd.Code == codec.RequestCode(codec.RespSuccess) && route.Decode(cmd.Body) == nil && names(&route, b.name)
		return ""
	})
	return named, err
}
