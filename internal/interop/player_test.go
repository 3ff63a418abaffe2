//go:build interop

package interop

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A side is one of the two servers that are compared, with the connections to
// it by their numbers.
type side struct {
	name   string
	server *namesrv
	conns  map[int]net.Conn
}

func newSide(name string, n *namesrv) *side {
	return &side{name: name, server: n, conns: make(map[int]net.Conn)}
}

const (
	opaqueOfSteps  = 77
	opaqueOfProbes = 78
)

// send sends a request and returns its reply, nil after a oneway request.
func (s *side) send(conn int, r request) (*wireReply, error) {
	if err := s.write(conn, r); err != nil {
		return nil, err
	}
	return s.read(conn, r)
}

func (s *side) write(conn int, r request) error {
	c := s.conns[conn]
	if c == nil {
		var err error
		if c, err = net.DialTimeout("tcp", s.server.addr(), soon); err != nil {
			return err
		}
		s.conns[conn] = c
	}
	frame, err := r.frame(opaqueOfSteps)
	if err != nil {
		return err
	}
	if r.probed {
		probe, err := request{code: codeClusterInfo}.frame(opaqueOfProbes)
		if err != nil {
			return err
		}
		frame = append(frame, probe...)
	}
	c.SetDeadline(time.Now().Add(soon))
	_, err = c.Write(frame)
	return err
}

// read reads the reply to a request: nil when it is oneway, or when it may
// break its connection and has done so.
func (s *side) read(conn int, r request) (*wireReply, error) {
	if r.oneway {
		return nil, nil
	}
	frame, err := readFrame(s.conns[conn])
	if err == nil && r.probed {
		if bytes.Contains(frame, fmt.Appendf(nil, `"opaque":%d`, opaqueOfProbes)) {
			return &wireReply{head: "no reply"}, nil
		}
		if _, err := readFrame(s.conns[conn]); err != nil {
			return nil, fmt.Errorf("read the reply of %s to a probe: %w", s.name, err)
		}
	}
	if r.breaks && isClosed(err) {
		s.forget(conn)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the reply of %s to request %d: %w", s.name, r.code, err)
	}
	typ, head, body, err := cutFrame(frame)
	if err != nil {
		return nil, err
	}
	switch {
	case (typ == 1) != s.server.binary:
		return nil, fmt.Errorf("%s replies to request %d with header type %d", s.name, r.code, typ)
	case typ == 0:
		return &wireReply{string(head), string(body)}, nil
	}
	text, err := headerText(head)
	return &wireReply{text, string(body)}, err
}

func isClosed(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) }

func (s *side) forget(conn int) {
	s.conns[conn].Close()
	delete(s.conns, conn)
}

// close closes a connection and waits until the server has closed it as well.
func (s *side) close(conn int) error {
	c := s.conns[conn]
	if c == nil {
		return nil
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	return s.awaitEnd(conn)
}

// awaitEnd waits until the server has closed a connection.
func (s *side) awaitEnd(conn int) error {
	c := s.conns[conn]
	defer s.forget(conn)
	c.SetReadDeadline(time.Now().Add(soon))
	if n, err := c.Read(make([]byte, 1)); n != 0 || !isClosed(err) {
		return fmt.Errorf("%s at the end of a connection: %d bytes, %v; want EOF", s.name, n, err)
	}
	return nil
}

// A wireReply is a reply as it came, its header as JSON.
type wireReply struct{ head, body string }

// headerText writes a binary header as the JSON header of the same reply, its
// ext fields in the order in which they came.
func headerText(head []byte) (string, error) {
	if len(head) < 21 {
		return "", fmt.Errorf("a binary header of %d bytes", len(head))
	}
	number := func(n int) int {
		value := 0
		for _, b := range head[:n] {
			value = value<<8 | int(b)
		}
		head = head[n:]
		return value
	}
	text := func(size int) (string, error) {
		n := number(size)
		if n > len(head) {
			return "", fmt.Errorf("a text of %d bytes in %d", n, len(head))
		}
		s := string(head[:n])
		head = head[n:]
		return s, nil
	}
	code, language, version := number(2), number(1), number(2)
	opaque, flag := number(4), number(4)
	out := fmt.Sprintf(`{"code":%d,`, code)
	remark, err := text(4)
	if err != nil || len(head) < 4 {
		return "", fmt.Errorf("the remark of a binary header: %w", err)
	}
	if size := number(4); size != len(head) {
		return "", fmt.Errorf("%d bytes of ext fields, want %d", len(head), size)
	}
	var fields []string
	for len(head) > 0 {
		key, err := text(2)
		if err != nil {
			return "", err
		}
		value, err := text(4)
		if err != nil {
			return "", err
		}
		fields = append(fields, quote(key)+":"+quote(value))
	}
	if len(fields) > 0 {
		out += `"extFields":{` + strings.Join(fields, ",") + `},`
	}
	out += fmt.Sprintf(`"flag":%d,`, flag)
	if language == 0 {
		out += `"language":"JAVA",`
	} else {
		out += fmt.Sprintf(`"language":%d,`, language)
	}
	out += fmt.Sprintf(`"opaque":%d,`, opaque)
	if remark != "" {
		out += `"remark":` + quote(remark) + ","
	}
	return out + fmt.Sprintf(`"serializeTypeCurrentRPC":"JSON","version":%d}`, version), nil
}

// What is the same in every reply is not shown; what is not the same stays.
var usualFields = regexp.MustCompile(fmt.Sprintf(`"flag":1,|"language":"JAVA",|"opaque":%d,|"serializeTypeCurrentRPC":"JSON",|"version":\d+`, opaqueOfSteps))

var remarkText = regexp.MustCompile(`"remark":"(?:[^"\\]|\\.)*"`)

// text shows a reply for comparison: the header on one line, the body on the
// next, less the prefix of the history.
func (s *side) text(r *wireReply, c command, p namer, release *release) string {
	if r == nil && c.cmd == "header" {
		return "closed"
	}
	if r == nil {
		return "no reply"
	}
	head := strings.Replace(usualFields.ReplaceAllString(r.head, ""), ",}", "}", 1)
	if c.has("shape") {
		head = remarkText.ReplaceAllString(head, `"remark":"..."`)
	}
	out := head
	switch {
	case c.cmd == "config":
		out += "\n" + s.configText(r.body, c.vals("keys"))
	case r.body != "":
		out += "\n" + bodyText(r.body, c, p, release)
	}
	out = strings.ReplaceAll(out, string(p), "")
	return release.text(out)
}

// configText shows a configuration, or some of its keys, less our own keys and
// what the two servers are told differently.
func (s *side) configText(text string, keys []string) string {
	var lines []string
	for line := range strings.Lines(text) {
		key, _, _ := strings.Cut(line, "=")
		if isOwnKey(key) && s.server.java == "" || len(keys) > 0 && !slices.Contains(keys, key) {
			continue
		}
		lines = append(lines, line)
	}
	text = strings.ReplaceAll(strings.Join(lines, ""), s.server.dir, "HOME")
	return strings.TrimSuffix(strings.ReplaceAll(text, "listenPort="+strconv.Itoa(s.server.port)+"\n", "listenPort=PORT\n"), "\n")
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
	alone := p.shadow.alone(s)
	lost := p.shadow.apply(s)
	if p.wild {
		lost = nil
	}
	switch s.cmd {
	case "close":
		for _, side := range p.sides() {
			if err := side.close(s.number("conn")); err != nil {
				return answers{}, err
			}
		}
		return answers{"ok", "ok"}, p.waitGone(lost)
	case "expire":
		return answers{"ok", "ok"}, p.expire(s, alone, lost)
	case "stored-config":
		return p.storedConfig(s)
	}
	r, err := s.request(p.prefix)
	if err != nil {
		return answers{}, err
	}
	var texts [2]string
	for _, side := range p.sides() {
		if err := side.write(s.number("conn"), r); err != nil {
			return answers{}, err
		}
	}
	for i, side := range p.sides() {
		reply, err := side.read(s.number("conn"), r)
		if err != nil {
			return answers{}, err
		}
		texts[i] = side.text(reply, s, p.prefix, p.release)
	}
	p.compared++
	if s.cmd == "unregister" || s.cmd == "raw" && r.code == codeUnregisterBroker {
		err = p.settle()
	}
	return answers{texts[0], texts[1]}, err
}

func (p *player) sides() [2]*side { return [2]*side{p.ours, p.java} }

// expire registers a broker for a millisecond, without waiting for a reply, and
// waits until it is gone and its connection closed. Ours stays open when other
// brokers are on it, difference 6.
func (p *player) expire(s command, alone bool, lost []member) error {
	r, err := s.request(p.prefix)
	if err != nil {
		return err
	}
	for _, side := range p.sides() {
		if err := side.write(s.number("conn"), r); err != nil {
			return err
		}
	}
	for _, side := range p.sides() {
		if side == p.ours && !alone {
			continue
		}
		if err := side.awaitEnd(s.number("conn")); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	if err := p.waitGone(lost); err != nil {
		return err
	}
	return p.settle()
}

// storedConfig shows what each server has written to its file of -c, which is
// its configStorePath, whatever that key says.
func (p *player) storedConfig(s command) (answers, error) {
	var texts [2]string
	for i, side := range p.sides() {
		text, err := os.ReadFile(side.server.conf)
		if err != nil {
			return answers{}, err
		}
		texts[i] = side.configText(string(text), s.vals("keys"))
	}
	return answers{texts[0], texts[1]}, nil
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
		for _, side := range p.sides() {
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
			for _, side := range p.sides() {
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
			head, body, _ := strings.Cut(text, "\n")
			if strings.HasPrefix(head, `{"code":0`) && body != `{"brokerAddrTable":{},"clusterAddrTable":{}}` && body != `{"topicList":[]}` && !p.wild {
				return fmt.Errorf("after everything has been unregistered, %s of %s: %s", s.cmd, name, body)
			}
		}
	}
	return nil
}

// hangUp closes all connections.
func (p *player) hangUp() {
	for _, side := range p.sides() {
		for n, c := range side.conns {
			c.Close()
			delete(side.conns, n)
		}
	}
}
