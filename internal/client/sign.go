package client

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"time"

	"gonamesrv/codec"
)

// Keys sign requests as RocketMQ's clients do. The zero value signs nothing.
type Keys struct {
	Access, Secret string

	// Fresh signs the code of each request and the time too, in the field nsSign. Our
	// servers take such a request once, and only if their clock differs from ours by a
	// minute at most. Java's pass the field over.
	Fresh bool
}

// sign returns the fields of a request with those that sign them and the body. Without
// Fresh neither the code of the request is signed, nor the time: send it to nobody who
// must not have it.
// Java: AclClientRPCHook#doBeforeRequest.
func (k *Keys) sign(ask *codec.Command, now time.Time) codec.ExtFields {
	if k.Access == "" {
		return ask.Ext
	}
	ext := append(slices.Clone(ask.Ext), codec.ExtField{Name: []byte("AccessKey"), Value: []byte(k.Access)})
	slices.SortFunc(ext, byName)
	if k.Fresh {
		var nonce [16]byte
		_, _ = rand.Read(nonce[:]) // never fails
		ext = append(ext, codec.ExtField{Name: []byte("nsSign"), Value: k.fresh(ask.Code, ext, ask.Body, now, nonce)})
		slices.SortFunc(ext, byName)
	}
	mac := hmac.New(sha1.New, []byte(k.Secret))
	for _, f := range ext {
		mac.Write(f.Value)
	}
	mac.Write(ask.Body)
	signature := base64.StdEncoding.AppendEncode(nil, mac.Sum(nil))
	return append(ext, codec.ExtField{Name: []byte("Signature"), Value: signature})
}

func byName(a, b codec.ExtField) int { return bytes.Compare(a.Name, b.Name) }

// fresh returns the value of nsSign: version, time, nonce, and the HMAC-SHA256 of these, of
// the code, of the names and values of the fields, which are in the order of their names,
// and of the hash of the body. Each is behind its length, so that nothing can be moved from
// one to the next. docs/SECURING.md describes it.
func (k *Keys) fresh(code codec.RequestCode, ext codec.ExtFields, body []byte, now time.Time, nonce [16]byte) []byte {
	millis, once := strconv.FormatInt(now.UnixMilli(), 10), hex.EncodeToString(nonce[:])
	mac := hmac.New(sha256.New, []byte(k.Secret))
	for _, text := range []string{"gonamesrv-v1", strconv.Itoa(int(code)), millis, once} {
		addPiece(mac, []byte(text))
	}
	for _, f := range ext {
		addPiece(mac, f.Name)
		addPiece(mac, f.Value)
	}
	sum := sha256.Sum256(body)
	addPiece(mac, sum[:])
	return fmt.Appendf(nil, "v1;%s;%s;%s", millis, once, base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

func addPiece(to hash.Hash, piece []byte) {
	_ = binary.Write(to, binary.BigEndian, uint32(len(piece))) // a hash takes all
	to.Write(piece)
}
