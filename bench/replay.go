package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"gonamesrv/bench/capture"
	"gonamesrv/codec"
	"gonamesrv/internal/client"
)

// replayKind sends again what a capture has. It is none of the scenarios to choose
// from by name.
var replayKind = &Kind{
	Name: "replay", About: "what a capture has, at the times at which it was recorded",
	only:     []string{"speed", "timeout", "header", "brokers", "topics", "brokers-per-topic"},
	Defaults: Params{Speed: 1, Brokers: 1, Topics: 1, BrokersPerTopic: 1},
}

func init() { replayKind.plan = planReplay } // it is looked up by what it calls

// readReplay makes a scenario of a capture. Brokers and topics are as many as it
// has.
func readReplay(path string) (Scenario, error) {
	c, err := capture.Read(path)
	if err != nil {
		return Scenario{}, err
	}
	sc := replayKind.Scenario()
	sc.Name, sc.capture = filepath.Base(path), c
	s := surveyCapture(c)
	if s.requests == 0 {
		return Scenario{}, fmt.Errorf("%s: no request of it can be sent again", path)
	}
	sc.Params.Brokers = min(max(1, len(s.brokers)), maxBrokers)
	sc.Params.Topics = min(max(1, len(s.topics)), maxTopics)
	return sc, sc.Validate()
}

// A captured is what a capture is about.
type captured struct {
	brokers, topics map[string]int // by their hashes, numbered as they appear
	requests, other int            // that can be sent again, and that cannot
}

// again are the requests that are sent again. What changes a server's configuration
// is not.
var again = []codec.RequestCode{
	codec.ReqRegisterBroker, codec.ReqUnregisterBroker, codec.ReqGetRouteInfoByTopic, codec.ReqGetBrokerClusterInfo,
	codec.ReqGetAllTopicListFromNameserver, codec.ReqQueryDataVersion, codec.ReqBrokerHeartbeat,
}

// surveyCapture counts. Topics are those that some reply knew.
func surveyCapture(c *capture.File) captured {
	s := captured{brokers: map[string]int{}, topics: map[string]int{}}
	type key struct {
		conn   int
		opaque int32
	}
	asked := map[key]string{} // topics that a reply is waited for
	number := func(m map[string]int, hash string) {
		if _, ok := m[hash]; !ok && hash != "" {
			m[hash] = len(m)
		}
	}
	for i := range c.Records {
		r := &c.Records[i]
		k := key{r.Conn, r.Opaque}
		switch {
		case r.Event == capture.Request && slices.Contains(again, codec.RequestCode(r.Code)):
			s.requests++
			number(s.brokers, r.Names["brokerName"])
			if r.Code == int(codec.ReqGetRouteInfoByTopic) && !r.Oneway {
				asked[k] = r.Names["topic"]
			}
		case r.Event == capture.Request:
			s.other++
		case r.Event == capture.Reply:
			if r.Code == int(codec.RespSuccess) {
				number(s.topics, asked[k])
			}
			delete(asked, k)
		}
	}
	return s
}

// A replayed is one connection of a capture, ready to be sent again.
type replayed struct {
	from, to time.Duration // since the capture began; to is 0 when it was still open
	sends    []send
}

// A send is one request.
type send struct {
	at     time.Duration // since the capture began
	op     int
	oneway bool
	code   codec.ResponseCode // of the reply that was recorded; -1 for none
	frame  *template
	next   func() // makes the frame what it must be now; nil leaves it
}

// A replay is a capture on its way to a server.
type replay struct {
	r     *run
	conns []*replayed
	other int
	speed float64

	mu    sync.Mutex // guards the following fields
	sec   *second
	secNo int
}

func planReplay(r *run) error {
	c := r.sc.capture
	if c == nil {
		return errors.New("replay: give a capture with -f, as `nsbench record` writes it")
	}
	p := &replay{r: r, speed: r.p.Speed, sec: newSecond(), secNo: -1}
	p.prepare(c)
	r.res.Streams = append(r.res.Streams, p.stream(c))
	r.parts = []part{{name: "replay", do: p.run}}
	return nil
}

// prepare makes requests of records.
func (p *replay) prepare(c *capture.File) {
	r := p.r
	s := surveyCapture(c)
	p.other = s.other
	ops := map[int]int{}
	byConn := map[int]*replayed{}
	type key struct {
		conn   int
		opaque int32
	}
	waiting := map[key]int{} // place of the request in its connection
	makers := &makers{r: r, captured: s, frames: map[frameKind]*template{}, bodies: map[string]*template{}, changed: map[int]string{}}
	for i := range c.Records {
		rec := &c.Records[i]
		at := time.Duration(rec.Micros) * time.Microsecond
		conn := byConn[rec.Conn]
		if conn == nil {
			conn = &replayed{from: at}
			byConn[rec.Conn] = conn
			p.conns = append(p.conns, conn)
		}
		switch rec.Event {
		case capture.Closed:
			conn.to = at
		case capture.Reply:
			if j, ok := waiting[key{rec.Conn, rec.Opaque}]; ok {
				conn.sends[j].code = codec.ResponseCode(rec.Code)
				delete(waiting, key{rec.Conn, rec.Opaque})
			}
		case capture.Request:
			code := codec.RequestCode(rec.Code)
			if !slices.Contains(again, code) {
				continue
			}
			op, ok := ops[rec.Code]
			if !ok {
				op = r.addOp(strings.ToLower(strings.ReplaceAll(code.String(), "_", " ")), false)
				ops[rec.Code] = op
			}
			frame, next := makers.request(rec)
			if !rec.Oneway {
				waiting[key{rec.Conn, rec.Opaque}] = len(conn.sends)
			}
			conn.sends = append(conn.sends, send{at: at, op: op, oneway: rec.Oneway, code: -1, frame: frame, next: next})
		}
	}
}

// stream says how the load was driven.
func (p *replay) stream(c *capture.File) StreamResult {
	s := StreamResult{Name: fmt.Sprintf("replay at %g×", p.speed), Connections: len(p.conns), OpenLoop: true}
	n := 0
	for _, conn := range p.conns {
		n += len(conn.sends)
	}
	if took := float64(c.Records[len(c.Records)-1].Micros) / 1e6; took > 0 {
		s.Rate = float64(n) / took * p.speed
	}
	return s
}

// run sends everything, and waits for the last answers.
func (p *replay) run(ctx context.Context) error {
	begun := time.Now()
	var wg sync.WaitGroup
	for _, c := range p.conns {
		if len(c.sends) == 0 && c.to == 0 {
			continue
		}
		wg.Go(func() {
			p.connection(ctx, c, begun)
		})
	}
	wg.Wait()
	p.endSecond()
	if p.other > 0 {
		p.r.observe(fmt.Sprintf("%d requests of other kinds left out", p.other), "replay", 0, true)
	}
	return ctx.Err()
}

// due is when a moment of the capture comes again.
func (p *replay) due(begun time.Time, at time.Duration) time.Time {
	return begun.Add(time.Duration(float64(at) / p.speed))
}

// connection lives the life of one connection again.
func (p *replay) connection(ctx context.Context, c *replayed, begun time.Time) {
	if sleep(ctx, time.Until(p.due(begun, c.from))) != nil {
		return // interrupted
	}
	timeout := time.Duration(p.r.p.Timeout)
	nc, err := p.r.d.dial(ctx)
	if err != nil {
		for i := range c.sends {
			p.failed(c.sends[i].op, ErrorConnect)
		}
		return
	}
	conn := client.New(nc, client.Options{Opaque: firstNumber})
	defer conn.Close()
	stop := context.AfterFunc(ctx, conn.Close)
	defer stop()
	w := &waiters{p: p, of: map[int32]waiter{}}
	received := make(chan struct{})
	go func() {
		defer close(received)
		w.receive(conn)
	}()
	for i := range c.sends {
		s := &c.sends[i]
		due := p.due(begun, s.at)
		if sleep(ctx, time.Until(due)) != nil {
			break
		}
		p.send(conn, w, s, due)
	}
	if c.to > 0 {
		_ = sleep(ctx, time.Until(p.due(begun, c.to)))
	}
	await(ctx, timeout, func() bool {
		select {
		case <-received: // nothing more comes
			return true
		default:
			return w.empty()
		}
	})
	conn.Close()
	<-received
	w.giveUp()
}

// send sends one request. It waits until the kernel takes it, so that a server which does not
// read makes the next ones late: then they seem to be the generator's.
func (p *replay) send(conn *client.Conn, w *waiters, s *send, due time.Time) {
	opaque := conn.NextOpaque()
	var out []byte
	p.mu.Lock() // frames are shared, and some change
	if s.next != nil {
		s.next()
	}
	out = s.frame.appendTo(out, opaque)
	p.mu.Unlock()
	leaves := time.Now()
	p.sent(s, len(out), leaves.Sub(due))
	if !s.oneway {
		w.put(opaque, waiter{s, due, leaves})
	}
	err := conn.Send(out)
	switch {
	case err != nil && (s.oneway || w.take(opaque) != nil):
		p.failed(s.op, ErrorClosed)
	case err == nil && s.oneway:
		p.over(s.op) // nothing more is to be known of it
	}
}
