package nstest

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"time"
	"unicode/utf16"

	"gonamesrv/codec"
)

// Sign signs a request as Java's clients do, which must not be signed yet: with a map, and
// names in the order of their UTF-16 units. It is written otherwise than what the server
// verifies with. Java: AclClientRPCHook#doBeforeRequest.
func Sign(r *codec.Command, key, secret string) *codec.Command {
	r.Ext = append(r.Ext, codec.ExtField{Name: []byte("AccessKey"), Value: []byte(key)})
	r.Ext = append(r.Ext, codec.ExtField{Name: []byte("Signature"), Value: []byte(Signature(r, secret))})
	return r
}

// Signature returns the signature of a request with all of its fields.
func Signature(r *codec.Command, secret string) string {
	fields := map[string]string{}
	for _, f := range r.Ext {
		fields[string(f.Name)] = string(f.Value)
	}
	for _, name := range r.Nulls {
		fields[string(name)] = "null"
	}
	var names []string
	for name := range fields {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
	})
	content := ""
	for _, name := range names {
		if name != "Signature" {
			content += fields[name]
		}
	}
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(content))
	mac.Write(r.Body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// SignFresh is Sign with the second signature too, nsSign. nonce is 32 hexadecimal digits.
func SignFresh(r *codec.Command, key, secret string, at time.Time, nonce string) *codec.Command {
	fresh := FreshSignature(r, key, secret, at, nonce)
	r.Ext = append(r.Ext, codec.ExtField{Name: []byte("nsSign"), Value: []byte(fresh)})
	return Sign(r, key, secret)
}

// FreshSignature returns the second signature of a request that has no null fields, and no
// two of one name. It too is written otherwise than what the server verifies with.
func FreshSignature(r *codec.Command, key, secret string, at time.Time, nonce string) string {
	fields := map[string]string{"AccessKey": key}
	for _, f := range r.Ext {
		fields[string(f.Name)] = string(f.Value)
	}
	var names []string
	for name := range fields {
		if name != "Signature" && name != "nsSign" {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
	})
	millis := fmt.Sprint(at.UnixMilli())
	pieces := []string{"gonamesrv-v1", fmt.Sprint(int32(r.Code)), millis, nonce}
	for _, name := range names {
		pieces = append(pieces, name, fields[name])
	}
	body := sha256.Sum256(r.Body)
	pieces = append(pieces, string(body[:]))
	content := ""
	for _, p := range pieces {
		n := len(p)
		content += string([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) + p
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(content))
	return "v1;" + millis + ";" + nonce + ";" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
