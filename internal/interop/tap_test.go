//go:build interop

package interop

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
)

// A tap is a TCP relay in front of a server, mostly the name server. It notes every exchange,
// and after hold it keeps connections to the name server open even when the
// peer has closed its side.
type tap struct {
	ln       net.Listener
	upstream string

	mu        sync.Mutex
	holding   bool
	exchanges []exchange
	conns     []net.Conn
}

// An exchange is one request seen by a tap, and its reply if it came.
type exchange struct {
	conn     int // which connection, counted from 0
	opaque   int
	code     int
	version  int // of the asker's release
	oneway   bool
	sent     map[string]string // extFields, unless the header is binary
	body     []byte
	frame    []byte // all of it, without the length in front
	answered bool
	reply    int // reply code
	ext      map[string]string
}

func startTap(t *testing.T, upstream string) *tap {
	t.Helper()
	return startTapAt(t, "127.0.0.1:0", upstream)
}

// startTapAt starts a tap that listens at a given address.
func startTapAt(t *testing.T, addr, upstream string) *tap {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{ln: ln, upstream: upstream}
	t.Cleanup(func() {
		ln.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, c := range p.conns {
			c.Close()
		}
	})
	go p.accept()
	return p
}

func (p *tap) addr() string { return p.ln.Addr().String() }

// hold keeps the connections to the name server open from now on.
func (p *tap) hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holding = true
}

// answered returns the latest request with this code that was answered with
// success. It is hopeless if one was answered otherwise.
func (p *tap) answered(code int) (exchange, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found exchange
	err := fmt.Errorf("the peer has not sent request %d", code)
	for _, x := range p.exchanges {
		switch {
		case x.code != code || x.oneway:
		case x.answered && x.reply == replySuccess:
			found, err = x, nil
		case x.answered:
			return x, hopeless{fmt.Errorf("request %d was answered with code %d, want %d", code, x.reply, replySuccess)}
		case found.code == 0:
			err = fmt.Errorf("request %d was sent and is not answered", code)
		}
	}
	return found, err
}

// count returns how many requests with this code had a reply with that code.
func (p *tap) count(code, reply int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, x := range p.exchanges {
		if x.code == code && x.answered && x.reply == reply {
			n++
		}
	}
	return n
}

// asked returns the requests with this code, the oldest first.
func (p *tap) asked(code int) []exchange {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []exchange
	for _, x := range p.exchanges {
		if x.code == code {
			found = append(found, x)
		}
	}
	return found
}

// connsWith returns how many connections have carried this request.
func (p *tap) connsWith(code int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	conns := make(map[int]bool)
	for _, x := range p.exchanges {
		if x.code == code {
			conns[x.conn] = true
		}
	}
	return len(conns)
}

func (p *tap) accept() {
	for {
		down, err := p.ln.Accept()
		if err != nil {
			return
		}
		up, err := net.Dial("tcp", p.upstream)
		if err != nil {
			down.Close() // as if nobody listened
			continue
		}
		p.mu.Lock()
		id := len(p.conns)
		p.conns = append(p.conns, down, up)
		p.mu.Unlock()
		go func() {
			p.relay(id, down, up, p.noteRequest)
			p.mu.Lock()
			holding := p.holding
			p.mu.Unlock()
			down.Close()
			if !holding {
				up.Close()
			}
		}()
		go func() {
			p.relay(id, up, down, p.noteReply)
			up.Close()
			down.Close()
		}()
	}
}

// relay copies frames until the source ends. It notes a frame before it passes
// it on. While holding, a sink that is gone does not end it.
func (p *tap) relay(id int, from, to net.Conn, note func(id int, h header, body, frame []byte)) {
	for {
		frame, err := readFrame(from)
		if err != nil {
			return
		}
		if h, body, err := readHeader(frame); err == nil {
			note(id, h, body, frame)
		}
		out := binary.BigEndian.AppendUint32(nil, uint32(len(frame)))
		if _, err := to.Write(append(out, frame...)); err != nil {
			p.mu.Lock()
			holding := p.holding
			p.mu.Unlock()
			if !holding {
				return
			}
		}
	}
}

func (p *tap) noteRequest(id int, h header, body, frame []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.Flag&1 != 0 {
		return // the peer answers something
	}
	p.exchanges = append(p.exchanges, exchange{
		conn: id, opaque: h.Opaque, code: h.Code, version: h.Version, oneway: h.Flag&2 != 0, sent: h.ExtFields, body: body, frame: frame,
	})
}

func (p *tap) noteReply(id int, h header, _, _ []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.exchanges {
		if x := &p.exchanges[i]; x.conn == id && x.opaque == h.Opaque && !x.answered {
			x.answered, x.reply, x.ext = true, h.Code, h.ExtFields
			return
		}
	}
}

// A header is what a tap reads of a command.
type header struct {
	Code      int               `json:"code"`
	Opaque    int               `json:"opaque"`
	Flag      int               `json:"flag"`
	Version   int               `json:"version"`
	ExtFields map[string]string `json:"extFields"`
}

// readHeader reads a header of either form; of the binary one without its
// extFields. It returns the body too.
func readHeader(frame []byte) (h header, body []byte, err error) {
	typ, b, body, err := cutFrame(frame)
	if err != nil {
		return header{}, nil, err
	}
	switch typ {
	case 0:
		err := json.Unmarshal(b, &h)
		return h, body, err
	case 1:
		// code int16, language byte, version int16, opaque int32, flag int32
		if len(b) < 13 {
			return header{}, nil, errors.New("binary header too short")
		}
		return header{
			Code:    int(int16(binary.BigEndian.Uint16(b))),
			Version: int(int16(binary.BigEndian.Uint16(b[3:]))),
			Opaque:  int(int32(binary.BigEndian.Uint32(b[5:]))),
			Flag:    int(int32(binary.BigEndian.Uint32(b[9:]))),
		}, body, nil
	}
	return header{}, nil, fmt.Errorf("header type %d", typ)
}
