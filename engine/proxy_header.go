package engine

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/pires/go-proxyproto"
)

// The PROXY protocol, versions 1 and 2, as HAProxy specifies it. A load balancer
// says first for whom it speaks.
//
// This file finds out whether there is a header and where it ends. A library reads
// what is in it. Java: HAProxyMessageDecoder.

const (
	proxyV1 = "PROXY"
	proxyV2 = "\r\n\r\n\x00\r\nQUIT\n"

	maxProxyV1   = 107 // the CR LF included; version 2 says its length in two bytes
	proxyV2Fixed = 16  // signature, version and command, family, length

	// maxProxyTLVs is how many bytes of fields are kept with a connection; the IDs of
	// endpoints that balancers of clouds send have some twenty.
	maxProxyTLVs = 256
)

// A proxyClaim is what a PROXY header says of the client. It never changes.
type proxyClaim struct {
	source netip.AddrPort // not valid where the header names nobody
	tlvs   []byte         // see Conn.ProxyTLVs
}

// noClaim is what a header says that names nobody: a balancer that speaks for itself,
// or does not know for whom.
var noClaim = &proxyClaim{}

// proxyHeaderSize returns the size of the PROXY header that b begins with, 0
// if there is none, or no more than len(b)+1 while that cannot be told yet.
func proxyHeaderSize(b []byte) (int, error) {
	switch {
	case begins(b, proxyV1):
		line := b[:min(len(b), maxProxyV1)]
		if end := bytes.IndexByte(line, '\n'); end >= 0 {
			return end + 1, nil
		}
		if len(b) >= maxProxyV1 {
			return 0, fmt.Errorf("no end of line within %d bytes", maxProxyV1)
		}
		return len(b) + 1, nil
	case begins(b, proxyV2):
		if len(b) < proxyV2Fixed {
			return len(b) + 1, nil
		}
		return proxyV2Fixed + int(binary.BigEndian.Uint16(b[proxyV2Fixed-2:])), nil
	}
	return 0, nil
}

// begins reports whether one of b and sign begins with the other.
func begins(b []byte, sign string) bool {
	n := min(len(b), len(sign))
	return string(b[:n]) == sign[:n]
}

// parseProxyHeader returns what header says of the client: noClaim if it has no source
// address that could be a peer of ours.
func parseProxyHeader(header []byte) (*proxyClaim, error) {
	if header[0] == proxyV2[0] && header[13] == 0 && header[12] == 0x21 {
		// PROXY without an address family, which the library refuses. Netty
		// and the specification allow it.
		return noClaim, nil
	}
	h, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(header), len(header)))
	if err != nil {
		return nil, err
	}
	if tcp, ok := h.SourceAddr.(*net.TCPAddr); ok && h.Command.IsProxy() && tcp.AddrPort().IsValid() {
		source := tcp.AddrPort()
		return &proxyClaim{netip.AddrPortFrom(source.Addr().Unmap(), source.Port()), keptTLVs(h)}, nil
	}
	return noClaim, nil
}

// keptTLVs returns the fields of a header that Conn.ProxyTLVs shows. If the fields cannot
// be read, it returns none: the addresses are right all the same.
func keptTLVs(h *proxyproto.Header) (kept []byte) {
	tlvs, err := h.TLVs()
	if err != nil {
		return nil
	}
	for _, t := range tlvs {
		if (t.Type.App() || t.Type == proxyproto.PP2_TYPE_AUTHORITY) && len(kept)+3+len(t.Value) <= maxProxyTLVs {
			kept = append(kept, byte(t.Type), byte(len(t.Value)>>8), byte(len(t.Value)))
			kept = append(kept, t.Value...)
		}
	}
	return kept
}

// proxied reads the PROXY header of a trusted peer, if the peer sends one. The address
// in it becomes the claimed one of c. When the header is whole, or it is clear that
// there is none, proxied returns what is behind it, which may lie in c's inbox.
func (l *loop) proxied(c *conn, data []byte) (rest []byte, whole bool, err error) {
	waited := c.backlog != nil
	if waited {
		if data, err = c.backlog.in.collect((*inputMemory)(c), data); err != nil {
			return nil, false, err
		}
	}
	size, err := proxyHeaderSize(data)
	if err != nil {
		return nil, false, fmt.Errorf("%w: PROXY header: %w", ErrPreamble, err)
	}
	if size == 0 {
		return data, true, nil
	}
	if size > len(data) {
		if !waited {
			l.await(c)
			_, err = c.warm().in.collect((*inputMemory)(c), data)
		}
		return nil, false, err
	}
	if c.claimed, err = parseProxyHeader(data[:size]); err != nil {
		return nil, false, fmt.Errorf("%w: PROXY header: %w", ErrPreamble, err)
	}
	return data[size:], true, nil
}
