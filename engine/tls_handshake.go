package engine

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
)

// run makes the handshake and lets the reader begin, on a new goroutine because
// a handshake leaves a large stack behind.
func (t *tlsConn) run() {
	c := t.c
	if err := t.shake(); err != nil {
		c.e.tls.failedHandshakes.Add(1)
		t.end(fmt.Errorf("%w: %w", ErrPreamble, err))
		return
	}
	c.e.tls.handshakes.Add(1)
	c.mu.Lock()
	t.up = true
	t.wakeLocked()
	c.mu.Unlock()
	c.e.tls.readers.Go(func() { t.end(t.serve()) })
}

// stateLocked returns what the handshake has come to, nil while it is not over.
func (t *tlsConn) stateLocked() *tls.ConnectionState {
	if t.up && t.state == nil {
		s := t.tls.ConnectionState()
		t.state = &s
	}
	return t.state
}

func (t *tlsConn) shake() (err error) {
	defer func() {
		if p := recover(); p != nil {
			t.c.loop.notePanic(t.c, p)
			err = ErrPanic
		}
	}()
	err = t.tls.Handshake()
	if name, ok := dottedServerName(t.tapped.hello); ok && err != nil {
		err = fmt.Errorf("the client names the server %.256q, with a dot at the end, which crypto/tls refuses: %w", name, err)
	}
	t.tapped.endHandshake()
	dropTLSInput(t.tls, 0)
	return err
}

// dottedServerName finds the server's name in the beginning of a handshake and
// reports whether it ends with a dot. That is against RFC 6066, but a client may
// take it for the end of a full domain name. Java lets it pass; crypto/tls does
// not say what is wrong.
//
// It looks for the extension by its form: type 0, the lengths of extension, list
// and name, which must agree, and between the latter the type of the name, 0.
func dottedServerName(hello []byte) (name string, ok bool) {
	for ; len(hello) > 9; hello = hello[1:] {
		n := int(binary.BigEndian.Uint16(hello[7:]))
		head := [9]byte{2: byte((n + 5) >> 8), 3: byte(n + 5), 4: byte((n + 3) >> 8), 5: byte(n + 3), 7: byte(n >> 8), 8: byte(n)}
		if [9]byte(hello) == head && n > 0 && n <= len(hello)-9 {
			name = string(hello[9 : 9+n])
			return name, name[n-1] == '.'
		}
	}
	return "", false
}
