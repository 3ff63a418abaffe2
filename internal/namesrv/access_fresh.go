package namesrv

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"strconv"

	"gonamesrv/codec"
)

// The second signature, for what RocketMQ's own does not cover: the code of the request,
// the names of its fields, where each value ends, and the time. It is an ext field,
//
//	nsSign = v1;<Unix milliseconds>;<nonce, 16 bytes in hex>;<HMAC-SHA256 by the secret, in Base64>
//
// The HMAC is of these texts one after the other, each behind its length in bytes (32
// bits, big-endian): "gonamesrv-v1", the code, the milliseconds and the nonce as they are
// written, the name and the value of each field but Signature and nsSign in the order of
// the names, and the 32 bytes of the SHA-256 of the body. A value that is null has the
// length 2³²-1 and no bytes. RocketMQ's signature is made afterwards and covers nsSign: so
// nobody can take it away.
//
// Java knows nothing like it, and passes the field over.

// fieldNsSign is the ext field of the second signature.
const fieldNsSign = "nsSign"

// freshVersion is how a second signature begins, and freshLabel what it signs first.
const freshVersion = "v1;"

var freshLabel = []byte("gonamesrv-v1")

// maxFreshDigits bounds the milliseconds.
const maxFreshDigits = 15

// A freshSign is the text of a second signature, taken apart. It is borrowed.
type freshSign struct {
	time, nonce, mac []byte // as they are written
	millis           int64
	id               nonce
}

// parse reports whether a text is a second signature.
func (f *freshSign) parse(text []byte) bool {
	rest, ok := bytes.CutPrefix(text, []byte(freshVersion))
	if !ok {
		return false
	}
	var more, further bool
	f.time, rest, more = bytes.Cut(rest, []byte{';'})
	f.nonce, f.mac, further = bytes.Cut(rest, []byte{';'})
	if !more || !further || len(f.time) == 0 || len(f.time) > maxFreshDigits || len(f.nonce) != hex.EncodedLen(len(f.id)) {
		return false
	}
	f.millis = 0
	for _, c := range f.time {
		if c < '0' || c > '9' {
			return false
		}
		f.millis = f.millis*10 + int64(c-'0')
	}
	_, err := hex.Decode(f.id[:], f.nonce)
	return err == nil
}

// verifyFresh reports whether a text is the second signature of a request by the key's
// secret, and takes it apart. When it was made is not looked at.
func (k *accessKey) verifyFresh(cmd *codec.Command, text []byte) (f freshSign, ok bool) {
	if !f.parse(text) {
		return f, false
	}
	m := k.freshMACs.Get().(*freshMAC)
	defer k.freshMACs.Put(m)
	return f, m.verify(cmd, &f)
}

// A freshMAC makes second signatures, one after the other. It allocates nothing for usual
// requests.
type freshMAC struct {
	mac   hash.Hash
	body  hash.Hash
	order []uint16
	text  []byte // room for small things
	sum   [sha256.Size]byte
	sent  [sha256.Size + 1]byte // room for what decoding 44 characters may write
}

func newFreshMAC(secret []byte) *freshMAC {
	return &freshMAC{mac: hmac.New(sha256.New, secret), body: sha256.New(), text: make([]byte, 0, 64)}
}

func (m *freshMAC) verify(cmd *codec.Command, f *freshSign) bool {
	m.sent = [len(m.sent)]byte{}
	formed := false
	if len(f.mac) == base64.StdEncoding.EncodedLen(sha256.Size) {
		n, err := base64.StdEncoding.Strict().Decode(m.sent[:], f.mac)
		formed = err == nil && n == sha256.Size
	}
	m.sign(cmd, f.time, f.nonce)
	return hmac.Equal(m.sum[:], m.sent[:sha256.Size]) && formed
}

// sign computes the second signature of a request. Of fields of one name all are signed,
// in the order in which they were sent.
func (m *freshMAC) sign(cmd *codec.Command, time, nonce []byte) {
	m.mac.Reset()
	m.add(freshLabel)
	m.addCode(cmd.Code)
	m.add(time)
	m.add(nonce)
	m.order = sortedFields(m.order, cmd)
	for _, at := range m.order {
		name, value := fieldAt(cmd, at)
		if string(name) == fieldSignature || string(name) == fieldNsSign {
			continue
		}
		m.add(name)
		if int(at) < len(cmd.Ext) {
			m.add(value)
		} else {
			m.addLength(1<<32 - 1)
		}
	}
	m.body.Reset()
	m.body.Write(cmd.Body)
	m.text = m.body.Sum(m.text[:0])
	m.addText()
	m.mac.Sum(m.sum[:0])
	if cap(m.order) > maxKeptOrder {
		m.order = nil
	}
}

func (m *freshMAC) addCode(code codec.RequestCode) {
	m.text = strconv.AppendInt(m.text[:0], int64(code), 10)
	m.addText()
}

// addText adds what is in m.text, behind its length.
func (m *freshMAC) addText() {
	n := len(m.text)
	m.text = binary.BigEndian.AppendUint32(m.text, uint32(n))
	m.mac.Write(m.text[n:])
	m.mac.Write(m.text[:n])
}

func (m *freshMAC) add(piece []byte) {
	m.addLength(uint32(len(piece)))
	m.mac.Write(piece)
}

func (m *freshMAC) addLength(n uint32) {
	m.text = binary.BigEndian.AppendUint32(m.text[:0], n)
	m.mac.Write(m.text)
}

// fresh looks at the second signature of a request whose first one is right: whether it is
// there, right, of now, and has not been used before. What is there is looked at, wanted
// or not: it is signed, so its sender wants it.
func (s *Server) fresh(p *accessPolicy, key *accessKey, r *request, peer *peerPlace) signed {
	text, there := r.cmd.Ext.Get(fieldNsSign)
	if !there {
		if key.requireFresh {
			return signedNotFresh
		}
		return signedGood
	}
	f, ok := key.verifyFresh(&r.cmd, text)
	if !ok {
		s.rules.lockOuts.failed(peer, true, s.clock.Now())
		return signedWrong
	}
	return s.rules.nonces.take(key.key, f.id, f.millis, s.wallMillis(), len(p.keys))
}

// useUp uses up the second signature of a request that is served without: or whoever has
// seen it could send it from a place where it would be needed. A worker does so for long
// ones.
func (s *Server) useUp(p *accessPolicy, r *request, size int) {
	text, there := r.cmd.Ext.Get(fieldNsSign)
	if !there {
		return
	}
	if size > maxSignedOnLoop {
		r.unverified = true
		return
	}
	name, _ := r.cmd.Ext.Get(fieldAccessKey)
	key := p.keys[string(name)]
	if key == nil {
		return
	}
	if f, ok := key.verifyFresh(&r.cmd, text); ok {
		s.rules.nonces.take(key.key, f.id, f.millis, s.wallMillis(), len(p.keys))
	}
}
