package client

import (
	"testing"
	"time"

	"gonamesrv/codec"
)

// TestKeys signs as is published, with fields in any order.
func TestKeys(t *testing.T) {
	k := Keys{Access: "rocketmq2", Secret: "12345678"}
	field := func(name, value string) codec.ExtField {
		return codec.ExtField{Name: []byte(name), Value: []byte(value)}
	}
	for want, tc := range map[string]struct {
		ext  codec.ExtFields
		body string
	}{
		"/u5P/wZUbhjanu4LM/UzEdo2u2I=": {codec.ExtFields{field("topic", "TBW102")}, ""},
		"Ou1T58RIcyZWaTIwzkhJZWn/Zvs=": {nil, ""},
		"RKa/QQoqF9WJTAXLD17Cqe1lo18=": {nil, "enableTopicList=false\n"},
	} {
		signed := k.sign(&codec.Command{Ext: tc.ext, Body: []byte(tc.body)}, time.Time{})
		key, _ := signed.Get("AccessKey")
		if got, _ := signed.Get("Signature"); string(got) != want || string(key) != "rocketmq2" || len(signed) != len(tc.ext)+2 {
			t.Errorf("%v, %q: %s", signed, tc.body, got)
		}
	}
	a, b := codec.ExtFields{field("topic", "T"), field("brokerName", "b")}, codec.ExtFields{field("brokerName", "b"), field("topic", "T")}
	one, _ := k.sign(&codec.Command{Ext: a}, time.Time{}).Get("Signature")
	if other, _ := k.sign(&codec.Command{Ext: b}, time.Time{}).Get("Signature"); string(one) != string(other) || string(a[0].Name) != "topic" {
		t.Error("the order counts, or the caller's fields have changed")
	}
	if got := (&Keys{Fresh: true}).sign(&codec.Command{Ext: a}, time.Time{}); len(got) != 2 {
		t.Errorf("without a key: %v", got)
	}
}

// TestFreshKeys signs code, names and time with the second signature, as the vectors of
// the server's TestFreshVectors have it; RocketMQ's own signature covers it. No two are
// alike.
func TestFreshKeys(t *testing.T) {
	k := Keys{Access: "ops", Secret: "a long random text", Fresh: true}
	nonce := [16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	at := time.UnixMilli(1764288000123)
	ext := codec.ExtFields{{Name: []byte("AccessKey"), Value: []byte("ops")}, {Name: []byte("brokerName"), Value: []byte("broker-a")}}
	for _, tc := range []struct {
		code codec.RequestCode
		ext  codec.ExtFields
		body string
		want string
	}{
		{205, ext, "", freshWipe},
		{105, ext, "", freshRead},
		{318, ext[:1], "enableTopicList=false\n", freshConfig},
	} {
		if got := string(k.fresh(tc.code, tc.ext, []byte(tc.body), at, nonce)); got != tc.want {
			t.Errorf("%v: %s, want %s", tc.code, got, tc.want)
		}
	}
	ask := &codec.Command{Code: 205, Ext: ext[1:]}
	seen := map[string]bool{}
	for range 100 {
		signed := k.sign(ask, at)
		fresh, _ := signed.Get("nsSign")
		seen[string(fresh)] = true
		without := Keys{Access: k.Access, Secret: k.Secret}
		again := without.sign(&codec.Command{Ext: append(codec.ExtFields{{Name: []byte("nsSign"), Value: fresh}}, ask.Ext...)}, at)
		one, _ := signed.Get("Signature")
		if other, _ := again.Get("Signature"); string(one) != string(other) || len(signed) != 4 {
			t.Fatalf("nsSign is not signed: %v, %v", signed, again)
		}
	}
	if len(seen) != 100 {
		t.Errorf("%d of 100 are unlike all others", len(seen))
	}
}

// Second signatures, computed by a program of another language.
const (
	freshWipe   = "v1;1764288000123;000102030405060708090a0b0c0d0e0f;YDbLEtLSm867aQjP8pAM4pgNgL+NPACO0ZKODdwLN7A="
	freshRead   = "v1;1764288000123;000102030405060708090a0b0c0d0e0f;ci0bTvTET5rRxx6aRq+DeYtihmsRjKMxqKJ1C+WzgHs="
	freshConfig = "v1;1764288000123;000102030405060708090a0b0c0d0e0f;DSvOogjEI/lJ/H6vqHv9KcWsT8WlEmmlHZhWrMVAktk="
)
