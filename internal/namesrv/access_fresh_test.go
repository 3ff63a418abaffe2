package namesrv

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// Second signatures, computed by a program of another language.
const (
	freshWipe   = "v1;1764288000123;000102030405060708090a0b0c0d0e0f;YDbLEtLSm867aQjP8pAM4pgNgL+NPACO0ZKODdwLN7A="
	freshRead   = "v1;1764288000123;000102030405060708090a0b0c0d0e0f;ci0bTvTET5rRxx6aRq+DeYtihmsRjKMxqKJ1C+WzgHs="
	freshConfig = "v1;1764288000123;000102030405060708090a0b0c0d0e0f;DSvOogjEI/lJ/H6vqHv9KcWsT8WlEmmlHZhWrMVAktk="
	freshNull   = "v1;1764288000123;000102030405060708090a0b0c0d0e0f;jvS4KrkQ68bowSUlkfpQ6sDYkzdbXAy01RPP3kw5UZo=" // the brokerName of freshWipe is null
	freshEmpty  = "v1;1764288000123;000102030405060708090a0b0c0d0e0f;6TzCoqm92aeNvym1PJV8Oe1h2WNK9P1DpWPabX+05N0=" // and here it is empty
)

func extended(r *codec.Command, name, value string) *codec.Command {
	r.Ext = append(r.Ext, codec.ExtField{Name: []byte(name), Value: []byte(value)})
	return r
}

// TestFreshVectors verifies second signatures that a program of another language has made,
// in both forms of header, and none of them for another code.
func TestFreshVectors(t *testing.T) {
	const secret = "a long random text"
	wipe := func(code codec.RequestCode) *codec.Command { return nstest.Request(code, "brokerName", "broker-a") }
	config := nstest.Request(318)
	config.Body = []byte("enableTopicList=false\n")
	for _, tc := range []struct {
		r    *codec.Command
		text string
		ok   bool
	}{
		{wipe(205), freshWipe, true},
		{wipe(105), freshRead, true},
		{config, freshConfig, true},
		{wipe(105), freshWipe, false},
		{wipe(205), freshRead, false},
		{wipe(318), freshConfig, false},
	} {
		extended(extended(tc.r, "AccessKey", "ops"), "nsSign", tc.text)
		for _, form := range []codec.SerializeType{codec.SerializeJSON, codec.SerializeRocketMQ} {
			var cmd codec.Command
			if err := cmd.Decode(codec.AppendRequest(nil, form, tc.r)); err != nil {
				t.Fatal(err)
			}
			f, ok := keyOf("ops", secret).verifyFresh(&cmd, []byte(tc.text))
			if ok != tc.ok || f.millis != 1764288000123 || hex.EncodeToString(f.id[:]) != "000102030405060708090a0b0c0d0e0f" {
				t.Errorf("%v, %v: %v, %+v", tc.r.Code, form, ok, f)
			}
			if _, ok := keyOf("ops", secret+"x").verifyFresh(&cmd, []byte(tc.text)); ok {
				t.Errorf("%v, %v: it is good for another secret", tc.r.Code, form)
			}
		}
	}
}

// TestFreshNullVectors: null is not the empty text, nor the text null, and has the length
// that other programs give it.
func TestFreshNullVectors(t *testing.T) {
	k := keyOf("ops", "a long random text")
	for value, good := range map[string]string{`null`: freshNull, `""`: freshEmpty, `"null"`: ""} {
		header := `{"code":205,"extFields":{"AccessKey":"ops","brokerName":` + value + `}}`
		frame := binary.BigEndian.AppendUint32(nil, uint32(4+len(header)))
		frame = append(binary.BigEndian.AppendUint32(frame, uint32(len(header))), header...)
		var cmd codec.Command
		if err := cmd.Decode(frame); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{freshNull, freshEmpty} {
			if _, ok := k.verifyFresh(&cmd, []byte(text)); ok != (text == good) {
				t.Errorf("%s: %s is good: %v", header, text, ok)
			}
		}
	}
}

// TestFreshNaive signs requests in another way and verifies them, and finds the signature
// wrong after any change of the request: of the code, a name, a value, where one ends and
// the next begins, the body, a field more or less, or one sent twice.
func TestFreshNaive(t *testing.T) {
	name := rapid.SampledFrom([]string{"a", "b", "ab", "", "\uffff", "\U00010000", "é", "__ZONE_NAME", "Signatur", "nsSign2"})
	rapid.Check(t, func(t *rapid.T) {
		r := &codec.Command{Code: codec.RequestCode(rapid.Int32().Draw(t, "code")), Body: []byte(rapid.String().Draw(t, "body"))}
		for _, n := range rapid.SliceOfNDistinct(name, 1, 6, rapid.ID).Draw(t, "names") {
			extended(r, n, rapid.String().Draw(t, "value"))
		}
		secret := rapid.String().Draw(t, "secret")
		at := time.UnixMilli(rapid.Int64Range(0, 1e15-1).Draw(t, "at"))
		nonce := hex.EncodeToString(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "nonce"))
		nstest.SignFresh(r, "ops", secret, at, nonce)
		text, _ := r.Ext.Get(fieldNsSign)
		k := keyOf("ops", secret)
		if f, ok := k.verifyFresh(r, text); !ok || f.millis != at.UnixMilli() {
			t.Fatalf("%q is wrong", text)
		}
		i := rapid.IntRange(0, len(r.Ext)-4).Draw(t, "which") // one that is signed
		changed := *r
		changed.Ext = slices.Clone(r.Ext)
		f := &changed.Ext[i]
		what := rapid.SampledFrom([]string{"code", "name", "value", "moved", "body", "less", "more", "twice", "null", "null too", "time"}).Draw(t, "what")
		switch what {
		case "code":
			changed.Code++
		case "name":
			f.Name = append(slices.Clone(f.Name), 'x')
		case "value":
			f.Value = append(slices.Clone(f.Value), 'x')
		case "moved":
			if len(f.Value) == 0 {
				return
			}
			f.Name, f.Value = append(slices.Clone(f.Name), f.Value[0]), f.Value[1:]
		case "body":
			changed.Body = append(slices.Clone(r.Body), ' ')
		case "less":
			changed.Ext = slices.Delete(changed.Ext, i, i+1)
		case "more":
			extended(&changed, "z", "")
		case "twice":
			changed.Ext = slices.Insert(changed.Ext, i, *f)
		case "null":
			changed.Nulls = append(changed.Nulls, f.Name)
			changed.Ext = slices.Delete(changed.Ext, i, i+1)
		case "null too":
			changed.Nulls = append(changed.Nulls, []byte("z"))
		case "time":
			text = []byte(strings.Replace(string(text), "v1;", "v1;0", 1))
		}
		if _, ok := k.verifyFresh(&changed, text); ok {
			t.Fatalf("%s: it is still right", what)
		}
	})
}

// TestMalformedFresh are wrong, whatever is right in them.
func TestMalformedFresh(t *testing.T) {
	r := nstest.Request(205, "brokerName", "b")
	good := nstest.FreshSignature(r, "ops", "s", time.UnixMilli(1764288000123), strings.Repeat("0a", 16))
	extended(r, "AccessKey", "ops")
	k := keyOf("ops", "s")
	if _, ok := k.verifyFresh(r, []byte(good)); !ok {
		t.Fatal("the right one is not")
	}
	parts := strings.Split(good, ";")
	with := func(i int, text string) string {
		p := slices.Clone(parts)
		p[i] = text
		return strings.Join(p, ";")
	}
	for _, text := range []string{
		"", ";", "v1", "v1;", "v1;;;", good[1:], good[:len(good)-1], good + "=", good + "\n", good + ";", " " + good, "v2" + good[2:],
		with(0, "V1"), with(1, ""), with(1, "-1"), with(1, "+1764288000123"), with(1, "1764288000123.0"), with(1, "0001764288000123"), with(1, strings.Repeat("9", 40)),
		with(2, ""), with(2, parts[2][:30]), with(2, parts[2]+"0a"), with(2, strings.ToUpper(parts[2])), with(2, strings.Repeat("xx", 16)),
		with(3, ""), with(3, strings.ToLower(parts[3])), with(3, parts[3][:40]+"\r\n\r\n"), with(3, strings.Repeat("A", 43)+"="),
	} {
		if f, ok := k.verifyFresh(r, []byte(text)); ok {
			t.Errorf("%q is good: %+v", text, f)
		}
	}
}

// TestFreshAllocatesNothing for usual requests.
func TestFreshAllocatesNothing(t *testing.T) {
	m := newFreshMAC([]byte("s"))
	r := nstest.SignFresh(nstest.Request(105, "topic", "T", "__ZONE_NAME", "z"), "ops", "s", time.UnixMilli(1), strings.Repeat("0a", 16))
	text, _ := r.Ext.Get(fieldNsSign)
	if n := testing.AllocsPerRun(1000, func() {
		var f freshSign
		if !f.parse(text) || !m.verify(r, &f) {
			t.Fatal("it is wrong")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzFresh verifies any text with any frame: it must not panic, and what is good is what
// is made anew of its parts.
func FuzzFresh(f *testing.F) {
	r := nstest.SignFresh(nstest.Request(205, "brokerName", "b"), "k", "s", time.UnixMilli(1764288000123), strings.Repeat("0a", 16))
	f.Add(codec.AppendRequest(nil, codec.SerializeRocketMQ, r), "s")
	f.Add(codec.AppendRequest(nil, codec.SerializeJSON, r), "s")
	f.Fuzz(func(t *testing.T, frame []byte, secret string) {
		var cmd codec.Command
		if cmd.Decode(frame) != nil {
			return
		}
		text, _ := cmd.Ext.Get(fieldNsSign)
		got, ok := keyOf("k", secret).verifyFresh(&cmd, text)
		if !ok {
			return
		}
		m := newFreshMAC([]byte(secret))
		m.sign(&cmd, got.time, got.nonce)
		again := freshVersion + string(got.time) + ";" + string(got.nonce) + ";" + base64.StdEncoding.EncodeToString(m.sum[:])
		if again != string(text) {
			t.Fatalf("%q is good, made anew it is %q", text, again)
		}
	})
}
