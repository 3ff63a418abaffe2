//go:build interop

package interop

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// A watcher reads routes at a fixed rate, as clients do, and judges what it is
// told: a lookup that fails leaves a client with the route it has, a route that
// is shrunken makes it drop brokers.
type watcher struct {
	addr string
	dial func(addr string) (net.Conn, error)
	of   []watched
	wg   sync.WaitGroup
	quit chan struct{}

	mu   sync.Mutex
	from time.Time // lookups that left earlier do not count
	seen sight
}

// watched is a topic and the broker sets that its route should name.
type watched struct {
	topic   string
	brokers []string
}

// A sight is what a watcher was told.
type sight struct {
	lookups, unreached, notFound, timedOut, refused, shrunken int

	lost, shrunk, leftOut map[string]bool
	firstLack, lastLack   time.Time // routes that were missing or shrunken
	firstReply            time.Time
	firstWhole            time.Time
}

func (s *sight) failed() int { return s.unreached + s.notFound + s.timedOut + s.refused }

// watcherConns is how many connections share the rate, one lookup at a time each.
const watcherConns = 8

// clientPatience is how long a Java client waits for a route.
const clientPatience = 3 * time.Second

// watch reads the routes of topics at a rate until the test ends.
func watch(t *testing.T, addr string, dial func(string) (net.Conn, error), rate int, of []watched) *watcher {
	t.Helper()
	w := &watcher{addr: addr, dial: dial, of: of, quit: make(chan struct{})}
	w.begin()
	for i := range watcherConns {
		r := &reader{w: w}
		interval := time.Second * watcherConns / time.Duration(rate)
		w.wg.Go(func() { r.run(interval, interval*time.Duration(i)/watcherConns) })
	}
	t.Cleanup(func() {
		close(w.quit)
		w.wg.Wait()
	})
	return w
}

// begin forgets what was seen so far.
func (w *watcher) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.from = time.Now()
	w.seen = sight{lost: map[string]bool{}, shrunk: map[string]bool{}, leftOut: map[string]bool{}}
}

// end returns what was seen since begin.
func (w *watcher) end() sight {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.seen
	s.lost, s.shrunk, s.leftOut = maps.Clone(s.lost), maps.Clone(s.shrunk), maps.Clone(s.leftOut)
	return s
}

// A reader is one connection of a watcher.
type reader struct {
	w    *watcher
	conn net.Conn
}

func (r *reader) run(interval, first time.Duration) {
	defer func() {
		if r.conn != nil {
			r.conn.Close()
		}
	}()
	tick := time.NewTimer(first)
	defer tick.Stop()
	for at := time.Now().Add(first); ; {
		select {
		case <-r.w.quit:
			return
		case <-tick.C:
		}
		of := r.w.of[rand.IntN(len(r.w.of))]
		began := time.Now()
		body, err := r.ask(of.topic)
		r.w.judge(of, began, body, err)
		if at = at.Add(interval); time.Since(at) > time.Second {
			at = time.Now() // what it was kept from asking it does not ask later
		}
		tick.Reset(time.Until(at))
	}
}

// A refusedError is a reply code that is neither success nor TOPIC_NOT_EXIST.
type refusedError int

func (e refusedError) Error() string { return fmt.Sprintf("reply code %d", int(e)) }

func (r *reader) ask(topic string) (body []byte, err error) {
	if r.conn == nil {
		if r.conn, err = r.w.dial(r.w.addr); err != nil {
			r.conn = nil
			return nil, err
		}
	}
	code, body, err := exchangeOver(r.conn, clientPatience, request{
		code: codeRoute, version: versionNew, ext: [][2]string{{"topic", topic}},
	})
	switch {
	case err != nil:
		r.conn.Close()
		r.conn = nil
		return nil, err
	case code == replyTopicNotExist:
		return nil, errNoTopic
	case code != replySuccess:
		return nil, refusedError(code)
	}
	return body, nil
}

// exchangeOver sends a request and returns the code and the body of its reply.
func exchangeOver(conn net.Conn, within time.Duration, q request) (code int, body []byte, err error) {
	frame, err := q.frame(opaqueOfSteps)
	if err != nil {
		return 0, nil, err
	}
	conn.SetDeadline(time.Now().Add(within))
	if _, err := conn.Write(frame); err != nil {
		return 0, nil, err
	}
	if frame, err = readFrame(conn); err != nil {
		return 0, nil, err
	}
	_, head, body, err := cutFrame(frame)
	if err != nil {
		return 0, nil, err
	}
	var reply frameHead
	err = json.Unmarshal(head, &reply)
	return reply.Code, body, err
}

func (w *watcher) judge(of watched, began time.Time, body []byte, err error) {
	var missing []string
	if err == nil {
		for _, b := range of.brokers { // in brokerDatas and in queueDatas
			if bytes.Count(body, fmt.Appendf(nil, `"brokerName":%q`, b)) < 2 {
				missing = append(missing, b)
			}
		}
	}
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if began.Before(w.from) {
		return
	}
	s := &w.seen
	s.lookups++
	lack := func(brokers []string) {
		for _, b := range brokers {
			s.leftOut[b] = true
		}
		if s.firstLack.IsZero() {
			s.firstLack = now
		}
		s.lastLack = now
	}
	if s.firstReply.IsZero() && (err == nil || errors.Is(err, errNoTopic)) {
		s.firstReply = now
	}
	var timeout net.Error
	switch {
	case errors.Is(err, errNoTopic):
		s.notFound++
		s.lost[of.topic] = true
		lack(of.brokers)
	case errors.As(err, new(refusedError)):
		s.refused++
	case errors.As(err, &timeout) && timeout.Timeout():
		s.timedOut++
	case err != nil:
		s.unreached++
	case len(missing) > 0:
		s.shrunken++
		s.shrunk[of.topic] = true
		lack(missing)
	case s.firstWhole.IsZero():
		s.firstWhole = now
	}
}

// whole returns nil once every route names all its brokers.
func (w *watcher) whole() error {
	conn, err := w.dial(w.addr)
	if err != nil {
		return err
	}
	r := &reader{w: w, conn: conn}
	defer func() {
		if r.conn != nil {
			r.conn.Close()
		}
	}()
	for _, of := range w.of {
		body, err := r.ask(of.topic)
		if err != nil {
			return fmt.Errorf("route of %s: %w", of.topic, err)
		}
		for _, b := range of.brokers {
			if bytes.Count(body, fmt.Appendf(nil, `"brokerName":%q`, b)) < 2 {
				return fmt.Errorf("route of %s: no %s in %s", of.topic, b, body)
			}
		}
	}
	return nil
}

// A front is a TCP relay between brokers and a name server that notes who
// registers when, and can reset all its connections at once.
type front struct {
	ln       net.Listener
	upstream string

	mu         sync.Mutex
	conns      map[net.Conn]bool
	registered map[string][]time.Time // by broker name: when registrations went through
}

func startFront(t *testing.T, upstream string) *front {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{ln: ln, upstream: upstream, conns: map[net.Conn]bool{}, registered: map[string][]time.Time{}}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go f.relay(c)
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		f.reset()
	})
	return f
}

func (f *front) addr() string { return f.ln.Addr().String() }

// reset closes all connections with RST.
func (f *front) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		resetConn(c)
	}
}

func resetConn(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.Close()
}

// since returns how many brokers have registered since a moment, and when the
// last of them did so for the first time.
func (f *front) since(moment time.Time) (brokers int, last time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, times := range f.registered {
		i := slices.IndexFunc(times, func(at time.Time) bool { return at.After(moment) })
		if i < 0 {
			continue
		}
		if brokers++; times[i].After(last) {
			last = times[i]
		}
	}
	return brokers, last
}

func (f *front) relay(down net.Conn) {
	up, err := net.DialTimeout("tcp", f.upstream, clientPatience)
	if err != nil {
		resetConn(down)
		return
	}
	f.mu.Lock()
	f.conns[down], f.conns[up] = true, true
	f.mu.Unlock()
	end := func() {
		down.Close()
		up.Close()
		f.mu.Lock()
		delete(f.conns, down)
		delete(f.conns, up)
		f.mu.Unlock()
	}
	var mu sync.Mutex
	asked := map[int]string{} // registrations under way, by opaque
	go func() {
		defer end()
		copyFrames(down, up, func(head frameHead) {
			if head.Code == codeRegisterBroker && head.Flag&1 == 0 {
				mu.Lock()
				asked[head.Opaque] = head.ExtFields["brokerName"]
				mu.Unlock()
			}
		})
	}()
	defer end()
	copyFrames(up, down, func(head frameHead) {
		mu.Lock()
		name, ok := asked[head.Opaque]
		delete(asked, head.Opaque)
		mu.Unlock()
		if ok && head.Code == replySuccess {
			f.mu.Lock()
			f.registered[name] = append(f.registered[name], time.Now())
			f.mu.Unlock()
		}
	})
}

type frameHead struct {
	Code      int               `json:"code"`
	Opaque    int               `json:"opaque"`
	Flag      int               `json:"flag"`
	ExtFields map[string]string `json:"extFields"`
}

// copyFrames copies frames until one side is gone, and tells of each.
func copyFrames(from io.Reader, to io.Writer, tell func(frameHead)) {
	for {
		frame, err := readFrame(from)
		if err != nil {
			return
		}
		if _, head, _, err := cutFrame(frame); err == nil {
			var h frameHead
			if json.Unmarshal(head, &h) == nil {
				tell(h)
			}
		}
		if _, err := to.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...)); err != nil {
			return
		}
	}
}
