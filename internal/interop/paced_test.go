//go:build interop

package interop

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// A paced is a broker of a few lines that registers once a period with each
// name server, as real ones do, and does nothing in between.
type paced struct {
	name, addr string
	topics     []string
	dial       func(addr string) (net.Conn, error)
	links      []*link
	quit       chan struct{}
	once       sync.Once
	wg         sync.WaitGroup
}

// A link is a paced broker's way to one name server.
type link struct {
	server string

	mu   sync.Mutex
	conn net.Conn  // nil while there is none
	last time.Time // of the last registration that was accepted
}

// pacedTimeout is how long a paced broker waits for an answer. Java:
// BrokerConfig#registerBrokerTimeoutMills, 24 s since 5.0.
const pacedTimeout = 24 * time.Second

// startPaced lets n brokers have the same topics, register now, and then every
// period, spread over it. dial may be another one for each.
func startPaced(t *testing.T, n int, period time.Duration, topics, servers []string, dial func(i int) func(string) (net.Conn, error)) []*paced {
	t.Helper()
	var all []*paced
	for i := range n {
		name := fmt.Sprintf("paced-%d", i)
		p := &paced{
			name: name, addr: fmt.Sprintf("127.0.1.%d:10911", i+1), topics: append([]string{name}, topics...),
			dial: dial(i), quit: make(chan struct{}),
		}
		for _, s := range servers {
			p.links = append(p.links, &link{server: s})
		}
		all = append(all, p)
		t.Cleanup(p.kill)
	}
	for i, p := range all {
		for _, l := range p.links {
			if err := p.register(l); err != nil {
				t.Fatalf("register %s with %s: %v", p.name, l.server, err)
			}
			p.wg.Go(func() { p.pace(l, period, period*time.Duration(i+1)/time.Duration(n)) })
		}
	}
	return all
}

func (p *paced) pace(l *link, period, first time.Duration) {
	tick := time.NewTimer(first)
	defer tick.Stop()
	for at := time.Now().Add(first); ; {
		select {
		case <-p.quit:
			return
		case <-tick.C:
		}
		p.register(l) // it tries again a period later
		for at = at.Add(period); time.Until(at) < 0; {
			at = at.Add(period)
		}
		tick.Reset(time.Until(at))
	}
}

// register registers over the connection that is there, or a new one.
func (p *paced) register(l *link) error {
	for {
		l.mu.Lock()
		conn := l.conn
		l.mu.Unlock()
		fresh := conn == nil
		if fresh {
			var err error
			if conn, err = p.dial(l.server); err != nil {
				return err
			}
			l.mu.Lock()
			l.conn = conn
			l.mu.Unlock()
		}
		code, _, err := exchangeOver(conn, pacedTimeout, p.registration())
		if err == nil && code == replySuccess {
			l.mu.Lock()
			l.last = time.Now()
			l.mu.Unlock()
			return nil
		}
		l.close(false)
		var timeout net.Error
		if err == nil {
			return fmt.Errorf("reply code %d", code)
		}
		select {
		case <-p.quit:
			return err
		default:
		}
		if fresh || errors.As(err, &timeout) && timeout.Timeout() {
			return err
		}
	}
}

func (p *paced) registration() request {
	const dv = `{"counter":1,"stateVersion":0,"timestamp":1700000000000}`
	var table []string
	for _, topic := range p.topics {
		table = append(table, fmt.Sprintf(
			`%q:{"attributes":{},"order":false,"perm":6,"readQueueNums":8,"topicFilterType":"SINGLE_TAG","topicName":%q,"topicSysFlag":0,"writeQueueNums":8}`, topic, topic))
	}
	return request{
		code: codeRegisterBroker, version: versionNew,
		ext: [][2]string{
			{"brokerAddr", p.addr},
			{"brokerId", "0"},
			{"brokerName", p.name},
			{"clusterName", cluster},
			{"haServerAddr", p.addr},
			{"compressed", "false"},
			{"bodyCrc32", "0"},
		},
		body: fmt.Appendf(nil, `{"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":%s,"topicConfigTable":{%s}}}`, dv, strings.Join(table, ",")),
	}
}

// close closes the connection of a link: with FIN, or with RST.
func (l *link) close(reset bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil {
		return
	}
	if reset {
		resetConn(l.conn)
	} else {
		l.conn.Close()
	}
	l.conn = nil
}

// kill ends the broker as kill -9 does.
func (p *paced) kill() {
	p.once.Do(func() { close(p.quit) })
	for _, l := range p.links {
		l.close(false)
	}
	p.wg.Wait()
	for _, l := range p.links {
		l.close(false) // one that was made meanwhile
	}
}

// since reports whether the broker has registered with the i-th server since a
// moment.
func (p *paced) since(i int, moment time.Time) bool {
	l := p.links[i]
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last.After(moment)
}
