package codec

import (
	"errors"
	"testing"
)

func TestDataVersion(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     DataVersion
		null     bool
		out      string // written again
	}{
		{"as brokers send it", `{"counter":1,"stateVersion":2,"timestamp":1700000000000}`, DataVersion{StateVersion: 2, Timestamp: 1700000000000, Counter: 1}, false, `{"counter":1,"stateVersion":2,"timestamp":1700000000000}`},
		{
			"beyond float64", `{"counter":9223372036854775807,"stateVersion":-9223372036854775808,"timestamp":9007199254740993}`,
			DataVersion{StateVersion: -1 << 63, Timestamp: 9007199254740993, Counter: 1<<63 - 1},
			false, `{"counter":9223372036854775807,"stateVersion":-9223372036854775808,"timestamp":9007199254740993}`,
		},
		{"nothing in it", `{}`, DataVersion{Timestamp: nowMillis}, false, `{"counter":0,"stateVersion":0,"timestamp":1700000009999}`},
		{"null counter", `{"counter":null,"timestamp":null}`, DataVersion{Timestamp: nowMillis, NoCounter: true}, false, `{"stateVersion":0,"timestamp":1700000009999}`},
		{"counter after null", `{"counter":null,"counter":"5","timestamp":1.5}`, DataVersion{Timestamp: 1, Counter: 5}, false, `{"counter":5,"stateVersion":0,"timestamp":1}`},
		{"unknown members", `{Counter:1,x:{}}`, DataVersion{Timestamp: nowMillis, Counter: 1}, false, `{"counter":1,"stateVersion":0,"timestamp":1700000009999}`},
		{"no body", ``, DataVersion{}, true, ""},
		{"the word null", ` null `, DataVersion{}, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dv, null, err := DecodeDataVersion([]byte(tt.in), nowMillis)
			if dv != tt.want || null != tt.null || err != nil {
				t.Errorf("%s: got %+v, null %t, %v; want %+v, null %t", tt.in, dv, null, err, tt.want, tt.null)
			}
			if got := string(dv.AppendJSON(nil)); !null && got != tt.out {
				t.Errorf("written again %s; want %s", got, tt.out)
			}
		})
	}
	for _, in := range []string{`[]`, `"s"`, `12`, ` `, `{`, `{}}`, `{"counter":9223372036854775808}`, `{"timestamp":"x"}`, `{"timestamp":{}}`, `nullx`} {
		_, _, err := DecodeDataVersion([]byte(in), nowMillis)
		var bodyErr *BodyError
		if !errors.As(err, &bodyErr) {
			t.Errorf("%s: %v; want a BodyError", in, err)
		}
	}
}

func TestDataVersionEqual(t *testing.T) {
	v := DataVersion{StateVersion: 1, Timestamp: 2, Counter: 3}
	for _, tt := range []struct {
		a, b DataVersion
		want bool
	}{
		{v, v, true},
		{v, DataVersion{StateVersion: 0, Timestamp: 2, Counter: 3}, false},
		{v, DataVersion{StateVersion: 1, Timestamp: 0, Counter: 3}, false},
		{v, DataVersion{StateVersion: 1, Timestamp: 2, Counter: 0}, false},
		{v, DataVersion{StateVersion: 1, Timestamp: 2, Counter: 3, NoCounter: true}, false},
		{DataVersion{NoCounter: true, Counter: 1}, DataVersion{NoCounter: true, Counter: 2}, true},
	} {
		if got := tt.a.Equal(tt.b); got != tt.want {
			t.Errorf("%+v equal %+v: %t", tt.a, tt.b, got)
		}
		if got := tt.b.Equal(tt.a); got != tt.want {
			t.Errorf("%+v equal %+v: %t", tt.b, tt.a, got)
		}
	}
}

func FuzzDataVersion(f *testing.F) {
	f.Add([]byte(`{"counter":1,"stateVersion":0,"timestamp":1700000000000}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		dv, null, err := DecodeDataVersion(body, nowMillis)
		if err != nil || null {
			return
		}
		again, null, err := DecodeDataVersion(dv.AppendJSON(nil), nowMillis)
		if !dv.NoCounter && again.NoCounter {
			t.Errorf("%q: counter lost", body)
		}
		if again.NoCounter = dv.NoCounter; null || err != nil || !again.Equal(dv) { // a missing counter reads as 0
			t.Errorf("%q: %+v, again %+v, %t, %v", body, dv, again, null, err)
		}
	})
}
