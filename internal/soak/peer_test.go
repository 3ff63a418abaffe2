//go:build soak

package soak

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"gonamesrv/codec"
)

// timeout is how long an actor waits for an answer. If the server takes longer, it has lost
// the request.
const timeout = 2 * time.Minute

// A peer is one connection of an actor. For one goroutine.
type peer struct {
	net.Conn
	opaque int32
}

func dial(addr string) (*peer, error) {
	c, err := net.DialTimeout("tcp", addr, timeout)
	if err != nil {
		return nil, err
	}
	return &peer{Conn: c}, nil
}

// frame encodes a request with the next opaque.
func (p *peer) frame(r *codec.Command) []byte {
	p.opaque++
	r.Opaque = p.opaque
	return codec.AppendRequest(nil, r.SerializeType, r)
}

// ask sends a request and returns its reply.
func (p *peer) ask(r *codec.Command) (*codec.Command, error) {
	p.SetDeadline(time.Now().Add(timeout))
	if _, err := p.Write(p.frame(r)); err != nil {
		return nil, err
	}
	reply, err := p.reply()
	if err == nil && reply.Opaque != r.Opaque {
		err = fmt.Errorf("opaque of the reply is %d, want %d", reply.Opaque, r.Opaque)
	}
	return reply, err
}

func (p *peer) reply() (*codec.Command, error) {
	var length [4]byte
	if _, err := io.ReadFull(p, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > codec.MaxFrameLength {
		return nil, fmt.Errorf("reply of %d bytes", n)
	}
	frame := make([]byte, 4+n)
	copy(frame, length[:])
	if _, err := io.ReadFull(p, frame[4:]); err != nil {
		return nil, err
	}
	reply := new(codec.Command)
	if err := reply.Decode(frame); err != nil {
		return nil, err
	}
	if !reply.Flag.IsResponse() {
		return nil, errors.New("the server sent a request")
	}
	return reply, nil
}

// succeed sends a request and returns an error unless the reply says SUCCESS.
func (p *peer) succeed(r *codec.Command) (*codec.Command, error) {
	reply, err := p.ask(r)
	if err == nil && codec.ResponseCode(reply.Code) != codec.RespSuccess {
		err = fmt.Errorf("%v: %v %s", r.Code, codec.ResponseCode(reply.Code), reply.Remark)
	}
	return reply, err
}

// reset closes the connection with a RST.
func (p *peer) reset() {
	if tcp, ok := p.Conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	p.Close()
}
