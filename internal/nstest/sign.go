package nstest

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"slices"
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
