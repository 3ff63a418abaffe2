package client

import (
	"testing"

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
		signed := k.sign(tc.ext, []byte(tc.body))
		key, _ := signed.Get("AccessKey")
		if got, _ := signed.Get("Signature"); string(got) != want || string(key) != "rocketmq2" || len(signed) != len(tc.ext)+2 {
			t.Errorf("%v, %q: %s", signed, tc.body, got)
		}
	}
	a, b := codec.ExtFields{field("topic", "T"), field("brokerName", "b")}, codec.ExtFields{field("brokerName", "b"), field("topic", "T")}
	one, _ := k.sign(a, nil).Get("Signature")
	if other, _ := k.sign(b, nil).Get("Signature"); string(one) != string(other) || string(a[0].Name) != "topic" {
		t.Error("the order counts, or the caller's fields have changed")
	}
	if got := (&Keys{}).sign(a, nil); len(got) != 2 {
		t.Errorf("without a key: %v", got)
	}
}
