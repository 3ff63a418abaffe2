package namesrv_test

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// registering is a registration that is signed by an account of keyRules.
func registering(size int, key string) *codec.Command {
	return nstest.Sign(brokerA.RegisterPadded(size), key, "canary-"+key)
}

// wantSignatures compares what was counted of signatures: outcomes, each with how many
// behind it.
func wantSignatures(t *testing.T, s *testServer, what string, want map[string]uint64) {
	t.Helper()
	if got := signatures(s); !maps.Equal(got, want) {
		t.Errorf("%s: signatures %v, want %v", what, got, want)
	}
}

// TestUnchangedIsNotVerified: a registration that says nothing new is verified once over
// each connection, be it short or long; one that says something else is.
func TestUnchangedIsNotVerified(t *testing.T) {
	for _, size := range []int{1000, 5 << 10, 2 << 20} {
		_, change := withAccess(t, "strict", keyRules)
		s := start(t, change)
		c := s.dialFrom(t, "198.51.100.7")
		for range 4 {
			wantCode(t, c.Do(registering(size, "brokers")), codec.RespSuccess, "")
		}
		wantSignatures(t, s, "one connection", map[string]uint64{"good": 1, "unchanged": 3})
		if st := s.Table().Stats(); st.Registrations.Unchanged != 3 {
			t.Errorf("%+v are unchanged", st.Registrations)
		}
		other := s.dialFrom(t, "198.51.100.7")
		for range 2 {
			wantCode(t, other.Do(registering(size, "brokers")), codec.RespSuccess, "")
		}
		wantSignatures(t, s, "another connection", map[string]uint64{"good": 2, "unchanged": 4})
		for range 2 { // it says both in turn
			wantCode(t, c.Do(registering(size+1, "brokers")), codec.RespSuccess, "")
			wantCode(t, c.Do(registering(size, "brokers")), codec.RespSuccess, "")
		}
		wantSignatures(t, s, "other texts", map[string]uint64{"good": 6, "unchanged": 4})
		for range 2 {
			wantCode(t, c.Do(registering(size, "ops")), codec.RespSuccess, "")
		}
		wantSignatures(t, s, "another key", map[string]uint64{"good": 7, "unchanged": 5})
		before := s.Table().Stats().Registrations
		r := registering(size, "ops")
		r.Version-- // that is not signed, but says how the body is to be read
		wantCode(t, c.Do(r), codec.RespSuccess, "")
		wantSignatures(t, s, "another version", map[string]uint64{"good": 7, "unchanged": 6})
		if after := s.Table().Stats().Registrations; after.Unchanged != before.Unchanged || after.Applied != before.Applied+1 {
			t.Errorf("of another version: %+v, before %+v", after, before)
		}
		wantCode(t, c.Do(nstest.Sign(brokerA.Unregister(), "brokers", "canary-brokers")), codec.RespSuccess, "")
		wantCode(t, c.Do(registering(size, "ops")), codec.RespSuccess, "") // what it says is new again, its signature is not
		wantSignatures(t, s, "after a goodbye", map[string]uint64{"good": 8, "unchanged": 7})
	}
}

// fromHere demands the key brokers for registrations from this machine, whose address is
// never locked out.
const fromHere = "accounts: [{ accessKey: brokers, secretKey: canary-brokers, rights: broker-control }]\nbrokerJoin: { require: [account:brokers], mode: enforce }\n"

// TestChangedIsVerified changes each byte of a registration that was verified, and that has
// none of the time of TestUnchangedButForATime: all are refused, over the connection that
// it came by too.
func TestChangedIsVerified(t *testing.T) {
	const remark = "No permission: broker-control from 127.0.0.1 (standard)"
	for _, size := range []int{200, 5 << 10} {
		_, change := withAccess(t, "standard", fromHere)
		s := start(t, change)
		c := s.dial(t)
		body := bytes.Replace(brokerA.RegisterPadded(size).Body, []byte(`"mappingDataVersion":{"counter":0`), []byte(`"mappingDataVersion":{"counter":1`), 1)
		registering := func() *codec.Command {
			return nstest.Sign(brokerA.RegisterBody(slices.Clone(body)), "brokers", "canary-brokers")
		}
		wantCode(t, c.Do(registering()), codec.RespSuccess, "")
		wrong := uint64(0)
		refused := func(r *codec.Command, with string) {
			t.Helper()
			reply := c.Do(r)
			if codec.ResponseCode(reply.Code) != codec.RespNoPermission || !strings.HasPrefix(string(reply.Remark), remark+with) {
				t.Errorf("%d bytes: answered %v %s", size, codec.ResponseCode(reply.Code), reply.Remark)
			}
		}
		for i := range registering().Ext {
			for j := range registering().Ext[i].Value {
				r := registering()
				r.Ext[i].Value[j] ^= 1
				refused(r, "; ")
				if string(r.Ext[i].Name) != "AccessKey" { // that is of an unknown key
					wrong++
				}
			}
		}
		n := len(body)
		for _, j := range []int{0, 1, 15, 16, 17, n / 2, n - 17, n - 2, n - 1} {
			r := registering()
			r.Body[j] ^= 1
			refused(r, gives)
			wrong++
		}
		for _, change := range []func([]byte) []byte{
			func(b []byte) []byte { return append(slices.Clone(b), ' ') },
			func(b []byte) []byte { return b[:len(b)-1] },
			func([]byte) []byte { return nil },
		} {
			r := registering()
			r.Body = change(r.Body)
			refused(r, gives)
			wrong++
		}
		for _, ext := range []func(codec.ExtFields) codec.ExtFields{
			func(e codec.ExtFields) codec.ExtFields { return append(nstest.Request(0, "a", "b").Ext, e...) },
			func(e codec.ExtFields) codec.ExtFields {
				return append(e, nstest.Request(0, "__ZONE_NAME", "z").Ext...)
			},
			func(e codec.ExtFields) codec.ExtFields { return without(e, "enableActingMaster") },
			func(e codec.ExtFields) codec.ExtFields { return append(e, nstest.Request(0, "Signature", "x").Ext...) },
		} {
			r := registering()
			r.Ext = ext(r.Ext)
			refused(r, gives)
			wrong++
		}
		refused(brokerA.RegisterPadded(size), "; see brokerJoin")
		wantCode(t, c.Do(registering()), codec.RespSuccess, "")
		got := signatures(s)
		delete(got, "unknownKey") // a bounded number is computed, see TestLockOut
		if want := map[string]uint64{"good": 1, "wrong": wrong, "unchanged": 1}; !maps.Equal(got, want) {
			t.Errorf("%d bytes: signatures %v, want %v", size, got, want)
		}
	}
}

// TestUnchangedAfterReload: whatever other rules say of the account counts at once for what
// it has registered before, over its open connection.
func TestUnchangedAfterReload(t *testing.T) {
	const from = "203.0.113.7"
	const rules = `
networks:
  - { name: here,  cidr: 203.0.113.0/24, rights: route-read }
  - { name: there, cidr: 10.1.2.0/24, rights: route-read }
accounts:
  - { accessKey: brokers, secretKey: canary-brokers, rights: broker-control, networks: [here] }
  - { accessKey: others, secretKey: canary-others, rights: broker-control }
brokerJoin: { require: [account:brokers, account:others], mode: enforce }
`
	see := "; see accessFile / accessPreset of the name server"
	for name, tc := range map[string]struct {
		edit    []string // texts, each with what takes its place
		remark  string   // "" if it is served
		outcome string   // of the signature
	}{
		"the same account":      {[]string{"mode: enforce }", "mode: enforce, pin: off }"}, "", "good"},
		"another secret":        {[]string{"canary-brokers", "canary-new"}, gives, "wrong"},
		"another account":       {[]string{"accessKey: brokers", "accessKey: brothers", "account:brokers", "account:brothers"}, gives, "unknownKey"},
		"no account":            {[]string{rules, "networks: []"}, see, ""},
		"other networks":        {[]string{"networks: [here]", "networks: [there]"}, "; the account counts from other networks only", "elsewhere"},
		"requireTLS":            {[]string{"networks: [here]", "requireTLS: true"}, "; the account counts over TLS only", "plain"},
		"requireFresh":          {[]string{"networks: [here]", "requireFresh: true"}, "; the account counts with the signature nsSign only, as nsctl makes it", "notFresh"},
		"another right":         {[]string{"rights: broker-control, networks: [here]", "rights: admin-read"}, see, "good"},
		"brokerJoin without it": {[]string{"[account:brokers, account:others]", "[account:others]"}, "; see brokerJoin in the accessFile of the name server", "good"},
		"denied":                {[]string{"203.0.113.0/24, rights: route-read", "203.0.113.0/24, deny: true"}, see, ""},
	} {
		for _, size := range []int{100, 64 << 10} {
			file, change := withAccess(t, "strict", rules)
			s := start(t, change)
			c := s.dialFrom(t, from)
			for range 2 {
				wantCode(t, c.Do(registering(size, "brokers")), codec.RespSuccess, "")
			}
			writeFile(t, file, strings.NewReplacer(tc.edit...).Replace(rules))
			s.Reload()
			nstest.Eventually(t, "it is in force", func() bool { return s.Snapshot().Access.Generation == 2 })
			want := map[string]uint64{"good": 1, "unchanged": 1}
			for range 2 {
				reply := c.Do(registering(size, "brokers"))
				if tc.remark == "" {
					wantCode(t, reply, codec.RespSuccess, "")
				} else {
					wantCode(t, reply, codec.RespNoPermission, "No permission: broker-control from "+from+" (strict)"+tc.remark)
				}
				if tc.outcome != "" {
					want[tc.outcome]++
				}
			}
			if tc.remark == "" { // the second time
				want = map[string]uint64{"good": 2, "unchanged": 2}
			}
			wantSignatures(t, s, fmt.Sprint(name, ", ", size, " bytes"), want)
		}
	}
}

// TestUnchangedLockOut: an address that is locked out is so for what it has registered
// before too.
func TestUnchangedLockOut(t *testing.T) {
	for _, size := range []int{100, 64 << 10} {
		_, change := withAccess(t, "strict", keyRules)
		s := start(t, change, func(s *namesrv.Server) { s.SlowLockOuts(time.Hour) })
		const from = "203.0.113.7"
		c := s.dialFrom(t, from)
		for range 2 {
			wantCode(t, c.Do(registering(size, "brokers")), codec.RespSuccess, "")
		}
		for range 10 {
			s.dialFrom(t, from).Do(nstest.Sign(wipe(), "ops", "wrong"))
		}
		wantCode(t, c.Do(registering(size, "brokers")), codec.RespNoPermission, "No permission: broker-control from "+from+" (strict)"+gives)
		wantSignatures(t, s, fmt.Sprint(size), map[string]uint64{"good": 1, "unchanged": 1, "wrong": 10, "lockedOut": 1})
	}
}

// TestUnchangedMonitor: where all is served, nothing is remembered but what was verified;
// an unsigned registration in between is the last one.
func TestUnchangedMonitor(t *testing.T) {
	for _, size := range []int{100, 64 << 10} {
		_, change := withAccess(t, "strict", keyRules)
		s := start(t, func(c *namesrv.Config) { change(c); c.AccessMode = "monitor" })
		c := s.dialFrom(t, "203.0.113.7")
		do := func(r *codec.Command) { wantCode(t, c.Do(r), codec.RespSuccess, "") }
		for _, key := range []string{"brokers", "brokers", "nobody", "nobody"} {
			do(nstest.Sign(brokerA.RegisterPadded(size), key, "wrong"))
		}
		want := map[string]uint64{"wrong": 2, "unknownKey": 2}
		wantSignatures(t, s, "wrong", want)
		for range 2 { // it lacks the right, and would be refused
			do(registering(size, "reader"))
		}
		if st := s.Snapshot().Access; sumOf(st.WouldRefuse) != 6 {
			t.Errorf("%d bytes: it shows %+v", size, st)
		}
		want["good"]++
		want["unchanged"]++
		wantSignatures(t, s, "without the right", want)
		for range 2 {
			do(registering(size, "brokers"))
			do(brokerA.RegisterPadded(size))
		}
		want["good"] += 2
		wantSignatures(t, s, "unsigned ones in between", want)
	}
}

// stamped is a registration as brokers since 5.0 send it, with a time that says nothing: so
// many milliseconds after the first one.
func stamped(t *testing.T, b nstest.Broker, millis, size int) *codec.Command {
	t.Helper()
	body := string(b.RegisterPadded(size).Body)
	is := regexp.MustCompile(`"mappingDataVersion":\{[^}]*\}`)
	if !is.MatchString(body) {
		t.Fatalf("%.500s has none", body)
	}
	body = is.ReplaceAllString(body, fmt.Sprintf(`"mappingDataVersion":{"counter":0,"stateVersion":0,"timestamp":%d}`, 1795903396624+millis))
	return b.RegisterBody([]byte(body))
}

// TestUnchangedButForATime: a broker that says nothing new but such a time is not verified
// again, nor is its body decoded; one that says more is.
func TestUnchangedButForATime(t *testing.T) {
	for _, size := range []int{1000, 64 << 10} {
		_, change := withAccess(t, "standard", fromHere)
		s := start(t, change)
		c := s.dial(t)
		sign := func(r *codec.Command) *codec.Command { return nstest.Sign(r, "brokers", "canary-brokers") }
		for millis := range 4 {
			wantCode(t, c.Do(sign(stamped(t, brokerA, millis, size))), codec.RespSuccess, "")
		}
		wantSignatures(t, s, "other times", map[string]uint64{"good": 1, "unchanged": 3})
		if st := s.Table().Stats().Registrations; st.Unchanged != 3 {
			t.Errorf("%d bytes: %+v", size, st)
		}
		// Who has seen the first one could send it again, so this gives him nothing.
		wantCode(t, c.Do(nstest.Sign(stamped(t, brokerA, 7, size), "brokers", "wrong")), codec.RespSuccess, "")
		wantSignatures(t, s, "a wrong signature", map[string]uint64{"good": 1, "unchanged": 4})
		more := brokerA
		more.Topics = append(slices.Clone(more.Topics), "More")
		for _, r := range []*codec.Command{stamped(t, more, 8, size), stamped(t, moved(brokerA.Addr, 7), 8, size), stamped(t, brokerA, 8, size+1)} {
			wantCode(t, c.Do(nstest.Sign(r, "brokers", "wrong")), codec.RespNoPermission, "No permission: broker-control from 127.0.0.1 (standard)"+gives)
		}
		other := s.dial(t)
		wantCode(t, other.Do(nstest.Sign(stamped(t, brokerA, 8, size), "brokers", "wrong")), codec.RespNoPermission, "No permission: broker-control from 127.0.0.1 (standard)"+gives)
		wantSignatures(t, s, "wrong ones", map[string]uint64{"good": 1, "unchanged": 4, "wrong": 4})
		bad := stamped(t, brokerA, 9, size)
		for i := range bad.Ext {
			if string(bad.Ext[i].Name) == "bodyCrc32" {
				bad.Ext[i].Value = []byte("1")
			}
		}
		wantCode(t, c.Do(sign(bad)), codec.RespSystemError, "crc32 not match")
		wantCode(t, c.Do(sign(stamped(t, more, 10, size))), codec.RespSuccess, "")
		wantSignatures(t, s, "other texts", map[string]uint64{"good": 3, "unchanged": 4, "wrong": 4})
	}
}
