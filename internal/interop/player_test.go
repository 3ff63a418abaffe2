//go:build interop

package interop

import (
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"time"
)

// A side is one of the two servers that are compared, with the connections to
// it by their numbers.
type side struct {
	name  string
	addr  string
	conns map[int]net.Conn
}

func newSide(name string, n *namesrv) *side {
	return &side{name: name, addr: n.addr(), conns: make(map[int]net.Conn)}
}

const opaqueOfSteps = 77

// send sends a request and returns its reply, nil after a oneway request.
func (s *side) send(conn int, r request) (*wireReply, error) {
	c := s.conns[conn]
	if c == nil {
		var err error
		if c, err = net.DialTimeout("tcp", s.addr, 10*time.Second); err != nil {
			return nil, err
		}
		s.conns[conn] = c
	}
	frame, err := r.frame(opaqueOfSteps)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(soon))
	if _, err := c.Write(frame); err != nil {
		return nil, err
	}
	if r.oneway {
		return nil, nil
	}
	if frame, err = readFrame(c); err != nil {
		return nil, fmt.Errorf("read the reply of %s to request %d: %w", s.name, r.code, err)
	}
	typ, head, body, err := cutFrame(frame)
	if err != nil {
		return nil, err
	}
	if typ != 0 {
		return nil, fmt.Errorf("%s replies to request %d with header type %d, want JSON", s.name, r.code, typ)
	}
	return &wireReply{string(head), string(body)}, nil
}

// close closes a connection and waits until the server has closed it as well.
func (s *side) close(conn int) error {
	c := s.conns[conn]
	if c == nil {
		return nil
	}
	delete(s.conns, conn)
	defer c.Close()
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	c.SetReadDeadline(time.Now().Add(soon))
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s after the end of a connection: %d bytes, %v; want EOF", s.name, n, err)
	}
	return nil
}

// A wireReply is a reply as it came.
type wireReply struct{ head, body string }

// What is the same in every reply is not shown; what is not the same stays.
var usualFields = regexp.MustCompile(fmt.Sprintf(`"flag":1,|"language":"JAVA",|"opaque":%d,|"serializeTypeCurrentRPC":"JSON",|"version":\d+`, opaqueOfSteps))

var remarkText = regexp.MustCompile(`"remark":"(?:[^"\\]|\\.)*"`)

// text shows a reply for comparison: the header on one line, the body on the
// next, less the prefix of the history.
func (r *wireReply) text(s command, p namer, release *release) string {
	if r == nil {
		return "no reply"
	}
	head := strings.Replace(usualFields.ReplaceAllString(r.head, ""), ",}", "}", 1)
	if s.has("shape") {
		head = remarkText.ReplaceAllString(head, `"remark":"..."`)
	}
	out := head
	if r.body != "" {
		out += "\n" + bodyText(r.body, s, p, release)
	}
	out = strings.ReplaceAll(out, string(p), "")
	return release.text(out)
}

func bodyText(body string, s command, p namer, release *release) string {
	n, err := parseJSON(body)
	if err != nil {
		return body // plain text, or broken: shown as it is
	}
	n.keep(string(p))
	if !s.has("exact") {
		n.sort()
		if s.has("any-broker") {
			n.drop(`"brokerAddr"`)
		}
	}
	release.body(n)
	return n.String()
}

// A player tells steps to both servers.
type player struct {
	ours, java *side
	release    *release
	prefix     namer
	shadow     *shadow
	wild       bool // the story runs into a difference: what the shadow expects may never come
	patience   time.Duration
	compared   int // replies
}

// answers are what the two servers say to one step.
type answers struct{ ours, java string }

func (a answers) agree() bool { return a.ours == a.java }

// play tells one step to both servers and returns when both have done it.
func (p *player) play(s command) (answers, error) {
	lost := p.shadow.apply(s)
	if s.cmd == "close" {
		for _, side := range []*side{p.ours, p.java} {
			if err := side.close(s.number("conn")); err != nil {
				return answers{}, err
			}
		}
		if p.wild {
			lost = nil
		}
		return answers{"ok", "ok"}, p.waitGone(lost)
	}
	r, err := s.request(p.prefix)
	if err != nil {
		return answers{}, err
	}
	var a answers
	for side, text := range map[*side]*string{p.ours: &a.ours, p.java: &a.java} {
		reply, err := side.send(s.number("conn"), r)
		if err != nil {
			return answers{}, err
		}
		*text = reply.text(s, p.prefix, p.release)
	}
	p.compared++
	if s.cmd == "unregister" || s.cmd == "raw" && r.code == codeUnregisterBroker {
		err = p.settle()
	}
	return a, err
}

// waitUntil polls a condition, more often than the waitFor of tests does.
func (p *player) waitUntil(cond func() (bool, error)) error {
	for deadline := time.Now().Add(p.patience); ; time.Sleep(time.Millisecond) {
		done, err := cond()
		if done || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %v in vain", p.patience)
		}
	}
}

// waitGone waits until a member has left its set on both servers: Java notices
// the end of a connection in a thread of its own and acts on it in another.
func (p *player) waitGone(lost []member) error {
	for _, m := range lost {
		for _, side := range []*side{p.ours, p.java} {
			err := p.waitUntil(func() (bool, error) {
				left, err := p.members(side, m.cluster, m.broker)
				return left != unsaid && !strings.Contains(left, quote(p.prefix.name(m.addr))), err
			})
			if err != nil {
				return fmt.Errorf("%s: %+v is still there after its connection ended: %w", side.name, m, err)
			}
		}
	}
	return nil
}

// unsaid is what members returns when Java 4.x has stumbled over a table that
// changes while it is encoded.
const unsaid = "?"

// members asks for the members of a broker set.
func (p *player) members(side *side, cluster, broker string) (string, error) {
	s := command{cmd: "members"}
	s.with("cluster", cluster).with("broker", broker)
	if !p.release.knows("members") {
		s = command{cmd: "clusters"}
	}
	r, err := s.request(p.prefix)
	if err != nil {
		return "", err
	}
	reply, err := side.send(0, r)
	if err != nil {
		return "", err
	}
	switch {
	case p.release.knows("members"):
		return reply.body, nil
	case reply.body == "":
		return unsaid, nil
	}
	n, err := parseJSON(reply.body)
	if err != nil {
		return "", err
	}
	for i, key := range n.items[0].keys { // brokerAddrTable
		if key == quote(p.prefix.name(broker)) {
			return n.items[0].items[i].String(), nil
		}
	}
	return "", nil
}

// settle returns when Java has carried out what it has queued: it removes
// brokers in the order of their unregistrations, so a broker that comes and
// goes after them is gone after them.
func (p *player) settle() error {
	if !p.release.queues {
		return nil
	}
	last := &player{ours: p.ours, java: p.java, release: p.release, prefix: "settle-"}
	steps := []command{{cmd: "register"}, {cmd: "unregister"}}
	for i := range steps {
		steps[i].with("cluster", "c").with("broker", "b").with("addr", "a")
		r, err := steps[i].request(last.prefix)
		if err != nil {
			return err
		}
		if _, err := p.java.send(0, r); err != nil {
			return err
		}
	}
	err := p.waitUntil(func() (bool, error) {
		left, err := last.members(p.java, "c", "b")
		return strings.Contains(left, `"brokerAddrs":{}`), err
	})
	if err != nil {
		return fmt.Errorf("java has not carried out its unregistrations: %w", err)
	}
	return nil
}

// cleanUp removes what the history has left on either server and reports what
// cannot be removed.
func (p *player) cleanUp() error {
	defer p.hangUp()
	for _, phase := range p.shadow.cleanup() {
		for _, s := range phase {
			r, err := s.request(p.prefix)
			if err != nil {
				return err
			}
			for _, side := range []*side{p.ours, p.java} {
				if _, err := side.send(0, r); err != nil {
					return err
				}
			}
		}
		if err := p.settle(); err != nil {
			return err
		}
	}
	for _, s := range []command{{cmd: "clusters"}, {cmd: "topics"}} {
		a, err := p.play(s)
		if err != nil {
			return err
		}
		for name, text := range map[string]string{p.ours.name: a.ours, p.java.name: a.java} {
			_, body, _ := strings.Cut(text, "\n")
			if body != `{"brokerAddrTable":{},"clusterAddrTable":{}}` && body != `{"topicList":[]}` && !p.wild {
				return fmt.Errorf("after everything has been unregistered, %s of %s: %s", s.cmd, name, body)
			}
		}
	}
	return nil
}

// hangUp closes all connections.
func (p *player) hangUp() {
	for _, side := range []*side{p.ours, p.java} {
		for n, c := range side.conns {
			c.Close()
			delete(side.conns, n)
		}
	}
}
