package namesrv_test

import (
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

const freshRules = `
accounts:
  - { accessKey: ops,   secretKey: canary-ops,   rights: all }
  - { accessKey: fresh, secretKey: canary-fresh, rights: all, requireFresh: true }
  - { accessKey: white, secretKey: canary-white, rights: all, requireFresh: true, whiteRemoteAddress: 10.5.5.* }
javaWhiteAddresses: true
`

// A freshServer is a server whose wall clock stands still.
type freshServer struct {
	*testServer
	now time.Time
}

func startFresh(t *testing.T, change func(*namesrv.Config)) *freshServer {
	t.Helper()
	_, rules := withAccess(t, "strict", freshRules)
	f := &freshServer{now: time.Now().Add(10 * time.Minute)} // some time after the start
	f.testServer = start(t, func(c *namesrv.Config) {
		rules(c)
		if change != nil {
			change(c)
		}
	}, func(s *namesrv.Server) { s.SetWall(func() time.Time { return f.now }) })
	return f
}

func nonceText(i int) string { return fmt.Sprintf("%032x", i) }

// TestFreshRequests asks with the second signature, and finds out what is wrong with it.
func TestFreshRequests(t *testing.T) {
	refusal := func(text string) string { return "No permission: admin-write from 203.0.113.7 (strict)" + text }
	s := startFresh(t, nil)
	wantCode(t, s.dial(t).Do(brokerA.Register()), codec.RespSuccess, "")
	clock := refusal("; the time of its nsSign must be within 60 s of "+s.now.UTC().Format("2006-01-02T15:04:05.000Z")) + ", and not before "
	const again = "; its nsSign has been used before"
	n := 0
	sign := func(key string, at time.Duration) *codec.Command {
		n++
		return nstest.SignFresh(wipe(), key, "canary-"+key, s.now.Add(at), nonceText(n))
	}
	other := func(change func(r *codec.Command)) *codec.Command { // what a stranger makes of a request that he has seen
		r := sign("fresh", 0)
		change(r)
		return r
	}
	used := sign("fresh", time.Second)
	for _, tc := range []struct {
		name    string
		request *codec.Command
		remark  string
		outcome string
	}{
		{"an account that wants it", used, "", "fresh"},
		{"the same again", used, refusal(again), "replayed"},
		{"an account that does not", sign("ops", 0), "", "fresh"},
		{"without", nstest.Sign(wipe(), "fresh", "canary-fresh"), refusal("; the account counts with the signature nsSign only, as nsctl makes it"), "notFresh"},
		{"without, where it need not be", nstest.Sign(wipe(), "ops", "canary-ops"), "", "good"},
		{"early", sign("fresh", -time.Minute), "", "fresh"},
		{"late", sign("fresh", time.Minute), "", "fresh"},
		{"too early", sign("fresh", -time.Minute-time.Millisecond), clock, "stale"},
		{"too late", sign("ops", time.Minute+time.Millisecond), clock, "stale"},
		{"empty", nstest.Sign(withExt(wipe(), "nsSign", ""), "ops", "canary-ops"), refusal(gives), "wrong"},
		{"no signature", nstest.Sign(withExt(wipe(), "nsSign", "v1;1;2;3"), "ops", "canary-ops"), refusal(gives), "wrong"},
		{"of another secret", nstest.Sign(withExt(wipe(), "nsSign", nstest.FreshSignature(wipe(), "fresh", "canary", s.now, nonceText(999))), "fresh", "canary-fresh"), refusal(gives), "wrong"},
		{"taken away", other(func(r *codec.Command) { r.Ext = without(r.Ext, "nsSign") }), refusal(gives), "wrong"},
		{"for another code", other(func(r *codec.Command) { r.Code = codec.ReqAddWritePermOfBroker }), refusal(gives), "wrong"},
		{"with a zone", other(func(r *codec.Command) { withExt(r, "__ZONE_NAME", "z") }), refusal(gives), "wrong"},
		{"from a white address", withExt(wipe(), "AccessKey", "white"), refusal("; see accessFile / accessPreset of the name server"), ""},
	} {
		before := signatures(s.testServer)
		from := "203.0.113.7"
		if tc.name == "from a white address" {
			from, tc.remark = "10.5.5.5", strings.Replace(tc.remark, "203.0.113.7", "10.5.5.5", 1)
		}
		reply := s.dialFrom(t, from).Do(tc.request)
		if remark := string(reply.Remark); !strings.HasPrefix(remark, tc.remark) || (remark == "") != (tc.remark == "") || (codec.ResponseCode(reply.Code) == codec.RespNoPermission) != (tc.remark != "") {
			t.Errorf("%s: answered %v %s, want %s", tc.name, codec.ResponseCode(reply.Code), reply.Remark, tc.remark)
		}
		if tc.outcome != "" {
			before[tc.outcome]++
		}
		if after := signatures(s.testServer); !maps.Equal(after, before) {
			t.Errorf("%s: counted are %v, want %v", tc.name, after, before)
		}
	}
	if st := s.Snapshot().Access; st.Nonces != 4 {
		t.Errorf("%d are remembered", st.Nonces)
	}
}

func withExt(r *codec.Command, name, value string) *codec.Command {
	r.Ext = append(r.Ext, nstest.Request(0, name, value).Ext...)
	return r
}

func without(ext codec.ExtFields, name string) (rest codec.ExtFields) {
	for _, f := range ext {
		if string(f.Name) != name {
			rest = append(rest, f)
		}
	}
	return rest
}

// TestFreshOfAnEarlierProcess: what is older than the server it takes from nobody, for the
// one before may have taken it.
func TestFreshOfAnEarlierProcess(t *testing.T) {
	_, rules := withAccess(t, "strict", freshRules)
	var wall atomic.Int64 // milliseconds
	wall.Store(time.Now().UnixMilli())
	s := start(t, rules, func(s *namesrv.Server) { s.SetWall(func() time.Time { return time.UnixMilli(wall.Load()) }) })
	c := s.dialFrom(t, "203.0.113.7")
	before := wall.Load() - 1
	wantNot := func(r *codec.Command) {
		t.Helper()
		reply := c.Do(r)
		if remark := string(reply.Remark); codec.ResponseCode(reply.Code) != codec.RespNoPermission || !strings.Contains(remark, ", and not before ") {
			t.Errorf("what is older than the server is answered %v %s", codec.ResponseCode(reply.Code), remark)
		}
	}
	wantNot(nstest.SignFresh(wipe(), "fresh", "canary-fresh", time.UnixMilli(before), nonceText(1)))
	wall.Store(time.Now().UnixMilli())
	wantCode(t, c.Do(nstest.SignFresh(wipe(), "fresh", "canary-fresh", time.UnixMilli(wall.Load()), nonceText(2))), codec.RespSuccess, "")
	if got := signatures(s); got["stale"] != 1 || got["fresh"] != 1 {
		t.Errorf("signatures %v", got)
	}
}

// TestFreshLockOut: wrong second signatures lock an address out as wrong first ones do.
// That the first one is right proves little: whoever has seen the request on the wire may
// try it as many others.
func TestFreshLockOut(t *testing.T) {
	_, rules := withAccess(t, "strict", freshRules)
	s := start(t, rules, func(s *namesrv.Server) { s.SlowLockOuts(time.Hour) })
	const from = "203.0.113.7"
	c := s.dialFrom(t, from)
	refused := "No permission: admin-write from " + from + " (strict)" + gives
	for i := range 10 {
		text := "no signature"
		if i%2 == 0 {
			text = nstest.FreshSignature(wipe(), "ops", "another secret", time.Now(), nonceText(i))
		}
		wantCode(t, c.Do(nstest.Sign(withExt(wipe(), "nsSign", text), "ops", "canary-ops")), codec.RespNoPermission, refused)
	}
	wantCode(t, c.Do(nstest.SignFresh(wipe(), "ops", "canary-ops", time.Now(), nonceText(99))), codec.RespNoPermission, refused)
	if got, st := signatures(s), s.Snapshot().Access; got["wrong"] != 10 || got["lockedOut"] != 1 || len(got) != 2 || st.LockedOut != 1 {
		t.Errorf("signatures %v, %d locked out", got, st.LockedOut)
	}
}

// TestFreshInWorkers: a request that a worker verifies is taken once too; one whose
// signature is looked at on the loop is not looked at again by its handler.
func TestFreshInWorkers(t *testing.T) {
	s := startFresh(t, nil)
	c := s.dialFrom(t, "203.0.113.7")
	long := func() *codec.Command {
		return nstest.SignFresh(brokerA.RegisterPadded(64<<10), "fresh", "canary-fresh", s.now, nonceText(1))
	}
	wantCode(t, c.Do(long()), codec.RespSuccess, "")
	wantCode(t, c.Do(long()), codec.RespNoPermission, "No permission: broker-control from 203.0.113.7 (strict); its nsSign has been used before")
	bye := nstest.SignFresh(brokerA.Unregister(), "fresh", "canary-fresh", s.now, nonceText(2))
	wantCode(t, s.dialFrom(t, "203.0.113.99").Do(bye), codec.RespSuccess, "")
	if got := signatures(s.testServer); got["fresh"] != 2 || got["replayed"] != 1 {
		t.Errorf("signatures %v", got)
	}
}

// TestFreshMonitor: where all is served, a signature that was used is looked at once too,
// and counted.
func TestFreshMonitor(t *testing.T) {
	s := startFresh(t, func(c *namesrv.Config) { c.AccessMode = "monitor" })
	wantCode(t, s.dial(t).Do(brokerA.Register()), codec.RespSuccess, "")
	r := nstest.SignFresh(brokerA.Unregister(), "fresh", "canary-fresh", s.now.Add(time.Hour), nonceText(1))
	wantCode(t, s.dialFrom(t, "203.0.113.7").Do(r), codec.RespSuccess, "")
	if got := signatures(s.testServer); got["stale"] != 1 || len(got) != 1 {
		t.Errorf("signatures %v", got)
	}
}

// TestFreshAfterReload: other rules do not make a signature new.
func TestFreshAfterReload(t *testing.T) {
	t.Parallel()
	file, change := withAccess(t, "strict", freshRules)
	s := start(t, change)
	wantCode(t, s.dial(t).Do(brokerA.Register()), codec.RespSuccess, "")
	c := s.dialFrom(t, "203.0.113.7")
	r := nstest.SignFresh(wipe(), "fresh", "canary-fresh", time.Now(), nonceText(1))
	wantCode(t, c.Do(r), codec.RespSuccess, "")
	writeFile(t, file, freshRules+"mode: enforce\n")
	s.Reload()
	nstest.Eventually(t, "it is in force", func() bool { return s.Snapshot().Access.Generation == 2 })
	wantCode(t, c.Do(r), codec.RespNoPermission, "No permission: admin-write from 203.0.113.7 (strict); its nsSign has been used before")
}

// TestAttackReplay: what a stranger has seen on the wire he can send again as another
// request, and as often as he likes, if it has RocketMQ's signature only. With nsSign he
// can do neither, of no request that an operator sends.
func TestAttackReplay(t *testing.T) {
	s := startFresh(t, nil)
	wantCode(t, s.dial(t).Do(brokerA.Register()), codec.RespSuccess, "")
	stranger := s.dialFrom(t, "203.0.113.66")
	seen := nstest.Sign(nstest.Route(brokerA.Name), "ops", "canary-ops")
	asWipe := *seen
	asWipe.Code, asWipe.Ext = codec.ReqWipeWritePermOfBroker, append(nstest.Request(0, "brokerName", brokerA.Name).Ext, without(seen.Ext, "topic")...)
	for range 3 {
		if got := codec.ResponseCode(stranger.Do(&asWipe).Code); got != codec.RespSuccess {
			t.Errorf("without nsSign the attack is no attack: %v", got)
		}
	}
	i := 0
	for code, request := range operatorRequests {
		i++
		real := nstest.SignFresh(request(), "ops", "canary-ops", s.now, nonceText(i))
		wantNot := codec.RespNoPermission
		for other := range operatorRequests {
			if other != code {
				r := *real
				r.Code = other
				if got := codec.ResponseCode(s.dialFrom(t, fmt.Sprintf("203.0.%d.%d", i, other%250)).Do(&r).Code); got != codec.RespNoPermission {
					t.Errorf("%v sent as %v is answered %v", code, other, got)
				}
			}
		}
		if got := codec.ResponseCode(s.dialFrom(t, "203.0.113.7").Do(real).Code); got == wantNot {
			t.Errorf("%v of the operator is answered %v", code, got)
		}
		if got := codec.ResponseCode(stranger.Do(real).Code); got != codec.RespNoPermission {
			t.Errorf("%v, sent again, is answered %v", code, got)
		}
	}
}

// TestAttackReplayFromElsewhere: what was served without its signature, because of where it
// came from, cannot be sent again from where that is needed, be it short or long.
func TestAttackReplayFromElsewhere(t *testing.T) {
	_, rules := withAccess(t, "standard", freshRules)
	s := start(t, rules)
	for i, size := range []int{1, 8 << 10} {
		put := nstest.Request(codec.ReqPutKVConfig, "namespace", "n", "key", "k", "value", strings.Repeat("v", size))
		nstest.SignFresh(put, "ops", "canary-ops", time.Now(), nonceText(i))
		wantCode(t, s.dialFrom(t, "10.0.0.1").Do(put), codec.RespSuccess, "")
		wantCode(t, s.dialFrom(t, "203.0.113.66").Do(put), codec.RespNoPermission, "No permission: admin-write from 203.0.113.66 (standard); its nsSign has been used before")
		wantCode(t, s.dialFrom(t, "10.0.0.1").Do(put), codec.RespSuccess, "") // where it is not needed, as without
	}
	if st := s.Snapshot().Access; st.Nonces != 2 {
		t.Errorf("%d are remembered", st.Nonces)
	}
}
