package bench_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gonamesrv/codec"
)

// A fakeServer is the least name server that a run can be made against; what
// it does wrong is the test's to say.
type fakeServer struct {
	addr string
	// change may spoil a reply; false keeps it back.
	change func(req *codec.Command, reply *codec.Reply) bool
	before func(req *codec.Command) // told of each request, nil tells nobody
	closed func()                   // told of each connection that ends, nil tells nobody
	hangUp func(frame []byte) bool  // whether to close the connection instead of an answer; nil never does
	// whether a request gets no answer, by the first one of its connection; nil is never
	mute  func(first, req *codec.Command) bool
	stall sync.RWMutex // locked: nobody is served

	mu      sync.Mutex // guards the following fields
	routes  map[string][]codec.BrokerData
	dv      map[string]codec.DataVersion // by broker address
	streams []*bytes.Buffer              // what each connection has sent
}

func startFake(t testing.TB, change func(req *codec.Command, reply *codec.Reply) bool) *fakeServer {
	t.Helper()
	return startFakeWith(t, func(f *fakeServer) { f.change = change })
}

// startFakeWith starts one that set has told what to do.
func startFakeWith(t testing.TB, set func(f *fakeServer)) *fakeServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeServer{addr: l.Addr().String(), routes: map[string][]codec.BrokerData{}, dv: map[string]codec.DataVersion{}}
	set(f)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			wg.Go(func() { f.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return f
}

func (f *fakeServer) serve(c net.Conn) {
	defer c.Close()
	sent := new(bytes.Buffer)
	f.mu.Lock()
	f.streams = append(f.streams, sent)
	f.mu.Unlock()
	in := bufio.NewReader(c)
	if f.closed != nil {
		defer func() {
			if sent.Len() > 0 { // it was not only a look whether we are there
				f.closed()
			}
		}()
	}
	for {
		var head [4]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return
		}
		frame := append(head[:], make([]byte, binary.BigEndian.Uint32(head[:]))...)
		if _, err := io.ReadFull(in, frame[4:]); err != nil {
			return
		}
		if !keepsAlive(sent.Bytes(), frame) {
			f.mu.Lock()
			sent.Write(frame)
			f.mu.Unlock()
		}
		if f.hangUp != nil && f.hangUp(frame) {
			return
		}
		f.stall.RLock()
		out := f.answer(frame)
		f.stall.RUnlock()
		if f.mute != nil && f.isMute(sent.Bytes(), frame) {
			continue
		}
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

// isMute asks mute of a request over a connection that has sent this before.
func (f *fakeServer) isMute(sent, frame []byte) bool {
	var first, req codec.Command
	n, err := codec.SplitFrame(sent)
	return err == nil && n > 0 && n <= len(sent) && first.Decode(sent[:n]) == nil && req.Decode(frame) == nil && f.mute(&first, &req)
}

// keepsAlive reports whether a connection that registered brokers speaks for
// them, which it does every 20 s: a run that takes longer on a busy machine
// sends more of that.
func keepsAlive(before, frame []byte) bool {
	var first, c codec.Command
	n, err := codec.SplitFrame(before)
	return err == nil && n > 0 && n <= len(before) && first.Decode(before[:n]) == nil && first.Code == codec.ReqRegisterBroker &&
		c.Decode(frame) == nil && c.Code == codec.ReqQueryDataVersion
}

func (f *fakeServer) answer(frame []byte) []byte {
	var req codec.Command
	if req.Decode(frame) != nil {
		return nil
	}
	if f.before != nil {
		f.before(&req)
	}
	reply := codec.Reply{Opaque: req.Opaque}
	f.mu.Lock()
	f.handle(&req, &reply)
	f.mu.Unlock()
	if req.Flag.IsOneway() || (f.change != nil && !f.change(&req, &reply)) {
		return nil
	}
	return codec.AppendReply(nil, codec.SerializeJSON, &reply)
}

func (f *fakeServer) handle(req *codec.Command, reply *codec.Reply) {
	text := func(name string) string {
		v, _ := req.Ext.Get(name)
		return string(v)
	}
	switch req.Code {
	case codec.ReqRegisterBroker:
		var body codec.RegisterBrokerBody
		if err := body.Decode(req.Body, req.Version, text("compressed") == "true", 0); err != nil {
			reply.Code, reply.Remark = codec.RespSystemError, err.Error()
			return
		}
		if crc, _ := req.Ext.Int32("bodyCrc32"); crc != codec.BodyCRC32(req.Body) {
			reply.Code, reply.Remark = codec.RespSystemError, "crc"
			return
		}
		d := codec.BrokerData{Cluster: text("clusterName"), BrokerName: text("brokerName"), BrokerAddrs: []codec.BrokerAddr{{Addr: text("brokerAddr")}}}
		for _, t := range body.Topics {
			name := string(t.Name)
			if !slices.ContainsFunc(f.routes[name], func(o codec.BrokerData) bool { return o.BrokerName == d.BrokerName }) {
				f.routes[name] = append(f.routes[name], d)
			}
		}
		f.dv[text("brokerAddr")] = body.DataVersion
	case codec.ReqUnregisterBroker:
		for topic, brokers := range f.routes {
			f.routes[topic] = slices.DeleteFunc(brokers, func(o codec.BrokerData) bool { return o.BrokerName == text("brokerName") })
		}
		delete(f.dv, text("brokerAddr"))
	case codec.ReqQueryDataVersion:
		dv, _, _ := codec.DecodeDataVersion(req.Body, 0)
		ours, ok := f.dv[text("brokerAddr")]
		reply.Ext = []codec.Field{{Name: "changed", Value: map[bool]string{true: "false", false: "true"}[ok && ours.Equal(dv)]}}
		reply.Body = ours.AppendJSON(nil)
	case codec.ReqGetRouteInfoByTopic:
		brokers := f.routes[text("topic")]
		if len(brokers) == 0 {
			reply.Code = codec.RespTopicNotExist
			return
		}
		route := codec.TopicRouteData{BrokerDatas: brokers}
		for _, b := range brokers {
			route.QueueDatas = append(route.QueueDatas, codec.QueueData{BrokerName: b.BrokerName, ReadQueueNums: 8, WriteQueueNums: 8, Perm: 6})
		}
		reply.Body = route.AppendJSON(nil, codec.DialectStrict)
	}
}

// sent returns what each connection has sent, in an order that does not depend
// on which connected first.
func (f *fakeServer) sent() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, s := range f.streams {
		all = append(all, s.String())
	}
	slices.Sort(all)
	return all
}

// stallFor serves nobody for d.
func (f *fakeServer) stallFor(d time.Duration) {
	f.stall.Lock()
	time.Sleep(d)
	f.stall.Unlock()
}

// isLoad reports whether a request is of the load, not of preload, check or fence.
func isLoad(req *codec.Command) bool {
	topic, ok := req.Ext.Get("topic")
	return ok && strings.HasPrefix(string(topic), "nsbench-topic")
}
