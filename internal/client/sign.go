package client

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"slices"

	"gonamesrv/codec"
)

// Keys sign requests as RocketMQ's clients do. The zero value signs nothing.
type Keys struct{ Access, Secret string }

// sign returns the fields of a request with the two that sign them and the body. The code
// of the request is not signed, nor is the time: send it to nobody who must not have it.
// Java: AclClientRPCHook#doBeforeRequest.
func (k *Keys) sign(ext codec.ExtFields, body []byte) codec.ExtFields {
	if k.Access == "" {
		return ext
	}
	ext = append(slices.Clone(ext), codec.ExtField{Name: []byte("AccessKey"), Value: []byte(k.Access)})
	slices.SortFunc(ext, func(a, b codec.ExtField) int { return bytes.Compare(a.Name, b.Name) })
	mac := hmac.New(sha1.New, []byte(k.Secret))
	for _, f := range ext {
		mac.Write(f.Value)
	}
	mac.Write(body)
	signature := base64.StdEncoding.AppendEncode(nil, mac.Sum(nil))
	return append(ext, codec.ExtField{Name: []byte("Signature"), Value: signature})
}
