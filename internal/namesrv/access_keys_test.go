package namesrv

import (
	"bufio"
	"encoding/base64"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"pgregory.net/rapid"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

func keyOf(key, secret string) *accessKey {
	return newAccessKey(&accessAccount{key: key, secret: secretText{&secret}}, false)
}

// TestSignatureVectors verifies signatures that are published, and shows what they do not
// cover: one is good for another code.
func TestSignatureVectors(t *testing.T) {
	for _, tc := range []struct {
		name, key, secret, signature string
		requests                     []*codec.Command
	}{
		{"a route", "rocketmq2", "12345678", "/u5P/wZUbhjanu4LM/UzEdo2u2I=", []*codec.Command{nstest.Request(105, "topic", "TBW102")}},
		{
			"nothing", "rocketmq2", "12345678", "Ou1T58RIcyZWaTIwzkhJZWn/Zvs=",
			[]*codec.Command{nstest.Request(106), nstest.Request(206), nstest.Request(319), nstest.Request(304), nstest.Request(311)},
		},
		{
			"a read and a wipe", "rocketmq2", "12345678", "OWag5wTlWGeWX2wVHlu6flz8V30=",
			[]*codec.Command{nstest.Request(105, "topic", "broker-a"), nstest.Request(205, "brokerName", "broker-a")},
		},
		{"a configuration", "rocketmq2", "12345678", "RKa/QQoqF9WJTAXLD17Cqe1lo18=", []*codec.Command{{Code: 318, Body: []byte("enableTopicList=false\n")}}},
		{"C++ without keys", "", "", "YNnBvBklweAp6VG4DK3bGQdOW6U=", []*codec.Command{nstest.Request(105, "topic", "TBW102", "OnsChannel", "ALIYUN")}},
	} {
		for _, r := range tc.requests {
			r.Ext = append(r.Ext, codec.ExtField{Name: []byte("AccessKey"), Value: []byte(tc.key)}, codec.ExtField{Name: []byte("Signature"), Value: []byte(tc.signature)})
			for _, form := range []codec.SerializeType{codec.SerializeJSON, codec.SerializeRocketMQ} {
				var cmd codec.Command
				if err := cmd.Decode(codec.AppendRequest(nil, form, r)); err != nil {
					t.Fatal(err)
				}
				if !keyOf(tc.key, tc.secret).verify(&cmd, []byte(tc.signature), false) {
					t.Errorf("%s, %v, %v: it is wrong", tc.name, r.Code, form)
				}
				if keyOf(tc.key, tc.secret+"x").verify(&cmd, []byte(tc.signature), false) {
					t.Errorf("%s, %v, %v: it is good for another secret", tc.name, r.Code, form)
				}
			}
		}
	}
}

// recordedKeys are the secrets of testdata/signed_frames.txt.
var recordedKeys = map[string]string{"ops-eu": "interop-ops-secret", "brokers": "interop-brokers-secret", "rocketmq2": "12345678"}

type signedFrame struct {
	title string
	frame []byte
}

// signedFrames returns requests recorded from real peers.
func signedFrames(tb testing.TB) (all []signedFrame) {
	tb.Helper()
	f, err := os.Open("testdata/signed_frames.txt")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	title := ""
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "#"), line == "":
		case title == "":
			title = line
		default:
			frame, err := base64.StdEncoding.DecodeString(line)
			if err != nil {
				tb.Fatalf("%s: %v", title, err)
			}
			all = append(all, signedFrame{title, frame})
			title = ""
		}
	}
	return all
}

// TestRecordedSignatures verifies what real peers have signed, and finds each of their
// signatures wrong after a change of what they cover.
func TestRecordedSignatures(t *testing.T) {
	frames := signedFrames(t)
	parties := map[string]int{}
	for _, f := range frames {
		party, _, _ := strings.Cut(f.title, ",")
		parties[party]++
		var cmd codec.Command
		if err := cmd.Decode(f.frame); err != nil {
			t.Fatalf("%s: %v", f.title, err)
		}
		name, _ := cmd.Ext.Get(fieldAccessKey)
		signature, _ := cmd.Ext.Get(fieldSignature)
		k := keyOf(string(name), recordedKeys[string(name)])
		// A broker signs all that it sends. So does nobody else who is asked for a zone.
		zoned := slices.ContainsFunc(cmd.Ext, func(f codec.ExtField) bool { return string(f.Name) == "__ZONE_NAME" })
		strict := k.verify(&cmd, signature, false)
		if !k.verify(&cmd, signature, true) || strict == zoned && party != "broker 5.5.0" {
			t.Errorf("%s: with all fields %v, otherwise not better", f.title, strict)
		}
		if keyOf("", "12345679").verify(&cmd, signature, true) {
			t.Errorf("%s: it is good for another secret", f.title)
		}
		for i := range cmd.Ext {
			if name := string(cmd.Ext[i].Name); name == fieldSignature || contains(mayBeUnsigned, cmd.Ext[i].Name) {
				continue
			}
			was := cmd.Ext[i].Value
			cmd.Ext[i].Value = append(slices.Clone(was), '1')
			if k.verify(&cmd, signature, true) {
				t.Errorf("%s: %s does not count", f.title, cmd.Ext[i].Name)
			}
			cmd.Ext[i].Value = was
		}
		cmd.Body = append(slices.Clone(cmd.Body), ' ')
		if k.verify(&cmd, signature, true) {
			t.Errorf("%s: its body does not count", f.title)
		}
	}
	for _, party := range []string{"mqadmin 5.5.0", "mqadmin 4.9.7", "broker 5.5.0", "rocketmq-client-go", "ali-ons"} {
		if parties[party] == 0 {
			t.Errorf("nothing of %s", party)
		}
	}
}

// TestSignaturesNaive signs requests in another way, as Java does, and verifies them: with
// names and values of any kind, double and null.
func TestSignaturesNaive(t *testing.T) {
	name := rapid.SampledFrom([]string{"a", "b", "ab", "B", "", "\uffff", "\ue000", "\U00010000", "\U0010ffff", "é", "\ud7ff", "a\U00010000", "a\uffff", "AccessKey", "__ZONE_NAME", "Signatur", "Signature2"})
	rapid.Check(t, func(t *rapid.T) {
		r := &codec.Command{Code: 105}
		for range rapid.IntRange(0, 8).Draw(t, "fields") {
			r.Ext = append(r.Ext, codec.ExtField{Name: []byte(name.Draw(t, "name")), Value: []byte(rapid.String().Draw(t, "value"))})
		}
		for range rapid.IntRange(0, 2).Draw(t, "nulls") {
			r.Nulls = append(r.Nulls, []byte(name.Draw(t, "null")))
		}
		r.Body = []byte(rapid.String().Draw(t, "body"))
		secret := rapid.String().Draw(t, "secret")
		signature := nstest.Signature(r, secret)
		at := rapid.IntRange(0, len(r.Ext)).Draw(t, "at")
		r.Ext = slices.Insert(r.Ext, at, codec.ExtField{Name: []byte(fieldSignature), Value: []byte("one that is not looked at")})
		if !keyOf("", secret).verify(r, []byte(signature), false) {
			t.Fatalf("%q is wrong", signature)
		}
		if keyOf("", secret+"!").verify(r, []byte(signature), true) {
			t.Fatal("it is good for another secret")
		}
		bad := []byte(signature)
		bad[rapid.IntRange(0, 27).Draw(t, "changed")] ^= 1
		if keyOf("", secret).verify(r, bad, true) {
			t.Fatalf("%q is good too", bad)
		}
	})
}

func TestCompareUTF16Naive(t *testing.T) {
	text := rapid.StringOf(rapid.SampledFrom([]rune{'a', 'z', 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xeeee, 0xf000, 0xffff, 0x10000, 0x1ffff, 0x10ffff}))
	rapid.Check(t, func(t *rapid.T) {
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		got, want := compareUTF16([]byte(a), []byte(b)), slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
		if min(max(got, -1), 1) != want {
			t.Fatalf("%q and %q: %d, want %d", a, b, got, want)
		}
	})
}

// TestMalformedSignatures are wrong, whatever they begin with.
func TestMalformedSignatures(t *testing.T) {
	r := nstest.Request(105, "topic", "T")
	good := nstest.Signature(r, "s")
	zero := base64.StdEncoding.EncodeToString(make([]byte, 20))
	k := keyOf("", "s")
	last := good[:26] + string(good[26]+1) + "=" // other bits that are not used
	for _, text := range []string{"", "=", good[:27], good + "=", good + "\n", "\n" + good, good[:14] + "\r" + good[14:27], strings.ToLower(good), zero, strings.Repeat("?", 28), good + good, last, strings.ReplaceAll(good, "=", "-")} {
		if k.verify(r, []byte(text), true) {
			t.Errorf("%q is good", text)
		}
	}
	if !k.verify(r, []byte(good), false) {
		t.Error("the right one is not")
	}
}

// TestNullsAreSigned: of a JSON header, in each of its readers; and of the binary one, where
// what is empty is null to Java, but was signed as it was.
func TestNullsAreSigned(t *testing.T) {
	const secret = "s"
	sum := nstest.Signature(nstest.Request(105, "a", "1", "b", "null", "c", "2"), secret)
	for _, header := range []string{
		`{"code":105,"extFields":{"a":"1","b":null,"c":"2"}}`,
		`{"code":105,"extFields":{"a":"0","c":"2","b":"x","a":"1","b":null}}`,
		`{code:105,'extFields':{'a':1,'b':null,c:'2'}}`,
	} {
		frame := []byte{0, 0, 0, byte(len(header) + 4), 0, 0, 0, byte(len(header))}
		var cmd codec.Command
		if err := cmd.Decode(append(frame, header...)); err != nil {
			t.Fatal(err)
		}
		if !keyOf("", secret).verify(&cmd, []byte(sum), false) {
			t.Errorf("%s: %s is wrong", header, sum)
		}
	}
	r := nstest.Request(105, "a", "1", "b", "")
	var cmd codec.Command
	if err := cmd.Decode(codec.AppendRequest(nil, codec.SerializeRocketMQ, r)); err != nil || !keyOf("", secret).verify(&cmd, []byte(nstest.Signature(r, secret)), false) {
		t.Error("an empty value of a binary header is not signed as such")
	}
}

// TestRequireFreshWarning: an account that only brokers or clients could use is of no use to
// them if it wants a signature that they do not make.
func TestRequireFreshWarning(t *testing.T) {
	source := accessSource{getenv: func(string) string { return "" }}
	for _, tc := range []struct {
		rights, fresh string
		warns         bool
	}{{"broker-control", "true", true}, {"broker-control", "false", false}, {"all", "true", false}, {"admin-read", "true", false}} {
		f, err := parseAccessFile([]byte("accounts: [{accessKey: a, secretKey: b, rights: "+tc.rights+", requireFresh: "+tc.fresh+"}]"), source)
		if err != nil || f.accounts[0].requireFresh != (tc.fresh == "true") || (len(f.warnings) == 1 && strings.Contains(f.warnings[0], "line 1: account a: requireFresh")) != tc.warns {
			t.Errorf("%+v: %+v, %v", tc, f, err)
		}
	}
}

// TestVerifyAllocatesNothing of usual requests.
func TestVerifyAllocatesNothing(t *testing.T) {
	m := keyOf("ops", "secret").macs.New().(*requestMAC) // by itself, for under the race detector pools lose what is in them
	r := nstest.Sign(nstest.Request(105, "topic", "T", "__ZONE_NAME", "z"), "ops", "secret")
	signature, _ := r.Ext.Get(fieldSignature)
	for _, text := range [][]byte{signature, []byte("wrong"), []byte("AAAAAAAAAAAAAAAAAAAAAAAAAAA=")} {
		if n := testing.AllocsPerRun(1000, func() { m.verify(r, text, true) }); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

// FuzzVerify verifies any frame with any signature: it must not panic, and nothing is good
// but what Sign gives.
func FuzzVerify(f *testing.F) {
	for _, s := range signedFrames(f) {
		f.Add(s.frame, "secret")
	}
	f.Add(codec.AppendRequest(nil, codec.SerializeRocketMQ, nstest.Sign(nstest.Request(205, "brokerName", "b"), "k", "s")), "s")
	f.Fuzz(func(t *testing.T, frame []byte, secret string) {
		var cmd codec.Command
		if cmd.Decode(frame) != nil {
			return
		}
		k := keyOf("", secret)
		signature, _ := cmd.Ext.Get(fieldSignature)
		good := k.verify(&cmd, signature, false)
		if want := string(signature) == nstest.Signature(&cmd, secret); good != want {
			t.Fatalf("%q is good: %v, want %v", signature, good, want)
		}
		if !k.verify(&cmd, signature, true) && good {
			t.Fatal("lenient, it is not good")
		}
		m := k.macs.Get().(*requestMAC)
		if kept := cap(m.order); kept > 2*maxKeptOrder || kept > 2*(len(cmd.Ext)+len(cmd.Nulls))+16 {
			t.Errorf("%d fields are kept room for, of %d", kept, len(cmd.Ext))
		}
	})
}
