package namesrv

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"

	"gonamesrv/codec"
)

// What need not be verified again. A broker registers every 30 s, mostly with what it has
// said before, and signs all of it each time: to verify that takes longer than to serve it.
// So a connection has what was verified last over it, and the same again is not verified.
// It is as if it was, for what a signature says of a text never changes while the rules
// stay. All else is looked at each time: whether the account counts from there, over TLS,
// without nsSign, and whether the address is locked out.

// A verified stands for a registration whose signature was right, whatever its length. It
// never changes.
type verified struct {
	generation uint64 // of the rules that have the account: others may have another secret
	sum        [sumSize]byte
}

const (
	sumSize      = 16
	maxSumFields = 64 << 10 // bytes of ext fields; brokers send some hundred
)

// sums makes the sums of verified: GMACs, with a key that this process has drawn. route.HashBody
// is good enough to tell the bodies of a broker apart that we believe, but not for this: for
// such hashes there are pairs of texts that are alike more often than by chance, whatever the
// seed, and who has seen a signed registration would only have to try some of them. With a
// GMAC, one try with 16 MiB, the longest frame, succeeds once in 10^32 times. It needs
// another nonce for each text where sums are shown. Ours are shown to nobody, only compared.
var (
	sums     = newSums()
	sumNonce = make([]byte, sums.NonceSize())
)

func newSums() cipher.AEAD {
	key := make([]byte, 16)
	_, _ = rand.Read(key) // never fails
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return gcm
}

// hash returns 64 bits of the sum that are not 0, others for each version of the sender,
// which is neither a field nor in the body.
func (v *verified) hash(version int32) uint64 {
	return (binary.BigEndian.Uint64(v.sum[:]) ^ uint64(uint32(version))<<1) | 1
}

// verifiedOf returns what stands for a request once its signature is right by p; nil if
// it is none that is sent again and again: only registrations are, and none with nsSign,
// which is good for one.
func verifiedOf(p *accessPolicy, cmd *codec.Command) *verified {
	if cmd.Code != codec.ReqRegisterBroker {
		return nil
	}
	if _, once := cmd.Ext.Get(fieldNsSign); once {
		return nil
	}
	sum, ok := sumOfSigned(cmd)
	if !ok {
		return nil
	}
	return &verified{p.generation, sum}
}

// sumOfSigned returns the sum of all that a signature may cover, and of the signature: of
// every ext field in the order in which they were sent, and of the body. It reports false
// if the fields are too long.
//
// Brokers since 5.0, and so all that sign, send a time in the body that nobody reads and
// that is never the same (codec.TimelessBody): it is left out, and with it the signature.
// The checksum is the one without that time. So a request may have the sum of one that was
// verified though its own signature is wrong. It does what that one did: whoever can send
// it could as well have sent that one again, for RocketMQ's signature has no time.
func sumOfSigned(cmd *codec.Command) (sum [sumSize]byte, ok bool) {
	text := make([]byte, 0, 1<<10) // no other request has the same, with the same body
	text = binary.BigEndian.AppendUint32(text, uint32(len(cmd.Ext)))
	add := func(piece []byte) {
		if len(text)+len(piece) <= maxSumFields {
			text = append(binary.BigEndian.AppendUint32(text, uint32(len(piece))), piece...)
		} else {
			ok = false
		}
	}
	ok = true
	var h codec.RegisterBrokerRequestHeader
	h.Decode(cmd.Ext)
	body := codec.Timeless(cmd.Body, h.BodyCRC32)
	timeless := body.Digits > 0
	text = binary.BigEndian.AppendUint32(text, uint32(body.Digits)) // so that it is known below where a value is left out
	for i := range cmd.Ext {
		f := &cmd.Ext[i]
		add(f.Name)
		if timeless && (string(f.Name) == fieldSignature || string(f.Name) == fieldCRC) {
			continue // they follow from the rest
		}
		add(f.Value)
	}
	for _, name := range cmd.Nulls {
		add(name)
	}
	if timeless {
		add(body.Before)
		text = binary.BigEndian.AppendUint64(text, uint64(body.Checksum))
	}
	if !ok {
		return sum, false
	}
	sealed := sums.Seal(text[:0], sumNonce, text, body.After)
	return [sumSize]byte(sealed[len(sealed)-sumSize:]), true
}

// fieldCRC is the checksum of a body.
const fieldCRC = "bodyCrc32"

// isVerified reports whether what stands for a request was verified last over its
// connection.
func (s *Server) isVerified(r *request, v *verified) bool {
	if v == nil {
		return false
	}
	last := s.brokerConns.verifiedOn(r.conn.ID())
	return last != nil && *last == *v
}
