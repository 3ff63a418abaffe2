package namesrv

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"hash"
	"slices"
	"sync"

	"gonamesrv/codec"
)

// Which account has signed a request. A signature is the Base64 of the HMAC-SHA1, by the
// account's secret, of the values of the ext fields in the order of their names, and of
// the body as it was sent. It covers neither the code nor the names, and has no time: see
// docs/SECURING.md, and access_fresh.go for the signature that has all three.
// Java: AclClientRPCHook, AclUtils#combineRequestContent, AclSigner.

// The ext fields of a signed request.
const (
	fieldAccessKey = "AccessKey"
	fieldSignature = "Signature"
)

// mayBeUnsigned are fields that some clients send beside what they have signed: Java's add
// the zone afterwards, Go's do not sign the token. Brokers sign all that they send. Of
// those, the zone alone means something here: which brokers of a route are shown.
var mayBeUnsigned = []string{"__ZONE_NAME", "__ZONE_MODE", "SecurityToken"}

// An accessKey is an account, ready to verify what is signed with its key. Safe from any
// goroutine.
type accessKey struct {
	*accessAccount
	mayJoin   bool      // brokerJoin lists it
	macs      sync.Pool // of *requestMAC that have taken the secret in
	freshMACs sync.Pool // of *freshMAC, likewise
}

func newAccessKey(a *accessAccount, mayJoin bool) *accessKey {
	k := &accessKey{accessAccount: a, mayJoin: mayJoin}
	secret := []byte(*a.secret.text)
	k.macs.New = func() any { return &requestMAC{mac: hmac.New(sha1.New, secret)} }
	k.freshMACs.New = func() any { return newFreshMAC(secret) }
	return k
}

// newNobody returns a key that nothing is signed with: what is sent with an unknown key is
// verified by it, so that the time does not tell which keys there are.
func newNobody() *accessKey {
	secret := rand.Text()
	return newAccessKey(&accessAccount{secret: secretText{&secret}}, false)
}

// verify reports whether a signature is that of a request by the key's secret. lenient
// leaves out what may be unsigned, if it is not right with it. It takes as long for what
// is no signature at all.
func (k *accessKey) verify(cmd *codec.Command, signature []byte, lenient bool) bool {
	m := k.macs.Get().(*requestMAC)
	defer k.macs.Put(m)
	return m.verify(cmd, signature, lenient)
}

// A requestMAC signs requests, one after the other. It allocates nothing for usual ones.
type requestMAC struct {
	mac      hash.Hash
	sum      [sha1.Size]byte
	sent     [21]byte // room for what decoding 28 characters may write
	order    []uint16 // of the fields, by their names
	leavable bool     // sign has seen a field of mayBeUnsigned
}

func (m *requestMAC) verify(cmd *codec.Command, signature []byte, lenient bool) bool {
	formed := m.read(signature)
	m.sign(cmd, nil)
	ok := hmac.Equal(m.sum[:], m.sent[:sha1.Size])
	if !ok && lenient && m.leavable {
		m.sign(cmd, mayBeUnsigned)
		ok = hmac.Equal(m.sum[:], m.sent[:sha1.Size])
	}
	return ok && formed
}

// maxKeptOrder bounds what a requestMAC keeps between two requests, in fields.
const maxKeptOrder = 256

// signatureChars is the length of a signature as text.
const signatureChars = 28

// read takes a signature in. It reports false if it is none.
func (m *requestMAC) read(signature []byte) bool {
	m.sent = [len(m.sent)]byte{}
	if len(signature) != signatureChars {
		return false
	}
	n, err := base64.StdEncoding.Strict().Decode(m.sent[:], signature)
	return err == nil && n == sha1.Size
}

// sign computes the signature of a request, without some of its fields.
func (m *requestMAC) sign(cmd *codec.Command, without []string) {
	m.mac.Reset()
	m.leavable = false
	m.order = sortedFields(m.order, cmd)
	for i, at := range m.order {
		name, value := fieldAt(cmd, at)
		if i+1 < len(m.order) {
			if next, _ := fieldAt(cmd, m.order[i+1]); string(next) == string(name) {
				continue // as in a map of Java's, the last of equal names is there
			}
		}
		if string(name) == fieldSignature || contains(without, name) {
			continue
		}
		m.leavable = m.leavable || contains(mayBeUnsigned, name)
		m.mac.Write(value)
	}
	m.mac.Write(cmd.Body)
	m.mac.Sum(m.sum[:0])
	if cap(m.order) > maxKeptOrder {
		m.order = nil
	}
}

// sortedFields returns the fields in the order of their names, those of one name as they
// were sent, in the memory of order.
func sortedFields(order []uint16, cmd *codec.Command) []uint16 {
	order = order[:0]
	for i := range len(cmd.Ext) + len(cmd.Nulls) {
		order = append(order, uint16(i))
	}
	slices.SortStableFunc(order, func(a, b uint16) int {
		x, _ := fieldAt(cmd, a)
		y, _ := fieldAt(cmd, b)
		return compareUTF16(x, y)
	})
	return order
}

var nullText = []byte("null")

// fieldAt returns one of the fields: those that are null come last, and have Java's text.
func fieldAt(cmd *codec.Command, i uint16) (name, value []byte) {
	if int(i) < len(cmd.Ext) {
		return cmd.Ext[i].Name, cmd.Ext[i].Value
	}
	return cmd.Nulls[int(i)-len(cmd.Ext)], nullText
}

func contains(names []string, name []byte) bool {
	for _, n := range names {
		if n == string(name) {
			return true
		}
	}
	return false
}

// compareUTF16 compares two texts by their UTF-16 units, as Java does. Their bytes of
// UTF-8 are in the same order, but for what is beyond U+FFFF: that is two units, both less
// than U+E000. Java: String#compareTo.
func compareUTF16(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if beyond := x >= 0xf0; beyond != (y >= 0xf0) && x >= 0xee && y >= 0xee {
			x, y = y, x // U+E000 to U+FFFF begin with ee and ef
		}
		return int(x) - int(y)
	}
	return len(a) - len(b)
}
