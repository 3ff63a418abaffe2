package namesrv_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/audit"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

// An auditLine is a line of the audit log, as far as tests read it.
type auditLine struct {
	Seq, Lost, LeftOut, Conn                           uint64
	Event, Peer, Via, Who, How, Name, Class, Lang, Ver string
	Outcome, Why                                       string
	Code                                               codec.RequestCode
	Reply                                              codec.ResponseCode
	Oneway, Changed                                    bool
	Args                                               map[string]any
	Before, After                                      any
	Us                                                 int64
}

// An auditLog is the audit log of a test.
type auditLog struct {
	path string
	seen int
}

// withAudit lets a server keep an audit log, beside another change.
func withAudit(t testing.TB, change func(*namesrv.Config)) (*auditLog, func(*namesrv.Config)) {
	l := &auditLog{path: filepath.Join(t.TempDir(), "audit.log")}
	return l, func(c *namesrv.Config) {
		c.AuditLogPath, c.AuditChain = l.path, true
		if change != nil {
			change(c)
		}
	}
}

// lines returns all lines about peers, and verifies the log. It waits until all that was
// put so far is written.
func (l *auditLog) lines(t testing.TB, s *testServer) (all []auditLine) {
	t.Helper()
	nstest.Eventually(t, "the audit log is written", func() bool { return s.Snapshot().Audit.Queued == 0 })
	nstest.Eventually(t, "the audit log is whole", func() bool {
		r, err := audit.Verify(l.path)
		if err != nil {
			t.Fatal(err)
		}
		return uint64(r.Lines) == s.Snapshot().Audit.Written && len(r.Notes) == 0
	})
	for line := range strings.Lines(readFile(t, l.path)) {
		var a auditLine
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if a.Event == "" {
			all = append(all, a)
		}
	}
	return all
}

// next waits for a line and returns it; there must not be two.
func (l *auditLog) next(t testing.TB, s *testServer) auditLine {
	t.Helper()
	var all []auditLine
	nstest.Eventually(t, "another line", func() bool {
		all = l.lines(t, s)
		return len(all) > l.seen
	})
	if len(all) != l.seen+1 {
		t.Fatalf("%d lines, want one: %+v", len(all)-l.seen, all[l.seen:])
	}
	l.seen++
	return all[l.seen-1]
}

// operatorRequests has for each code of operators a request that changes something, if
// they are sent in the order of the codes.
var operatorRequests = map[codec.RequestCode]func() *codec.Command{
	codec.ReqPutKVConfig: func() *codec.Command {
		return nstest.Request(codec.ReqPutKVConfig, "namespace", "n", "key", "k", "value", "v")
	},
	codec.ReqDeleteKVConfig: func() *codec.Command {
		return nstest.Request(codec.ReqDeleteKVConfig, "namespace", "n", "key", "k")
	},
	codec.ReqWipeWritePermOfBroker: func() *codec.Command {
		return nstest.Request(codec.ReqWipeWritePermOfBroker, "brokerName", "a")
	},
	codec.ReqDeleteTopicInNamesrv: func() *codec.Command { return nstest.Request(codec.ReqDeleteTopicInNamesrv, "topic", "U") },
	codec.ReqRegisterTopicInNamesrv: func() *codec.Command {
		r := nstest.Request(codec.ReqRegisterTopicInNamesrv, "topic", "U")
		r.Body = []byte(`{"queueDatas":[{"brokerName":"a","perm":4,"readQueueNums":2,"writeQueueNums":2}]}`)
		return r
	},
	codec.ReqUpdateNamesrvConfig:  func() *codec.Command { return updateConfig("enableTopicList=false") },
	codec.ReqAddWritePermOfBroker: func() *codec.Command { return nstest.Request(codec.ReqAddWritePermOfBroker, "brokerName", "a") },
}

// TestAuditOfEachOperator walks the codes of operators: each request gives one line and
// one event, of the same connection and code, served and refused, also where nobody waits
// for an answer. Lines say what was before and after.
func TestAuditOfEachOperator(t *testing.T) {
	for _, oneway := range []bool{false, true} {
		for _, peer := range []string{"", "203.0.113.66"} {
			t.Run(fmt.Sprintf("oneway=%v %s", oneway, peer), func(t *testing.T) {
				_, rules := withAccess(t, "standard", "networks: [{name: evil, cidr: 203.0.113.66, deny: true}]\n")
				log, change := withAudit(t, rules)
				s := start(t, change)
				broker := s.dial(t)
				wantCode(t, broker.Do(brokerA.Register()), codec.RespSuccess, "")
				refused := peer != ""
				codes := s.OperatorCodes()
				if len(codes) != len(operatorRequests) {
					t.Fatalf("codes %v", codes)
				}
				for _, code := range codes {
					since := s.Journal().Stats().Newest
					c := s.dial(t)
					if refused {
						c.Write([]byte("PROXY TCP4 " + peer + " 10.0.0.1 4711 9876\r\n"))
					}
					r := operatorRequests[code]()
					r.Opaque, r.Version, r.Language = 77, codec.V5_3_1, codec.LanguageJava
					if oneway {
						r.Flag |= codec.FlagOneway
						c.Write(c.Frame(r))
					} else if reply := c.Do(r); (codec.ResponseCode(reply.Code) == codec.RespNoPermission) != refused {
						t.Errorf("%v is answered %v", code, codec.ResponseCode(reply.Code))
					}
					l := log.next(t, s)
					events, _, err := s.Journal().Read(since, nil, 0)
					if err != nil {
						t.Fatal(err)
					}
					events = slices.DeleteFunc(events, func(e route.JournalEvent) bool { return e.Cause.Kind == route.CauseSelf })
					if len(events) != 1 || events[0].Origin.Code != code || events[0].Origin.Conn != l.Conn || (events[0].Type == route.JournalAdminRefused) != refused {
						t.Errorf("%v: events %+v", code, events)
					}
					if l.Code != code || l.Conn == 0 || l.Name != code.String() || l.Oneway != oneway || l.How != "address" || l.Ver != "V5_3_1" || l.Lang != "JAVA" {
						t.Errorf("%v: line %+v", code, l)
					}
					if refused {
						if l.Outcome != "refused" || l.Reply != codec.RespNoPermission || l.Why == "" || l.Changed || l.Who != "network:evil" ||
							!strings.HasPrefix(l.Peer, peer+":") || !strings.HasPrefix(l.Via, "127.0.0.1:") {
							t.Errorf("%v: line %+v", code, l)
						}
					} else if l.Outcome != "served" || l.Reply != codec.RespSuccess || !l.Changed || l.Who != "loopback" || l.Before == nil || fmt.Sprint(l.Before) == fmt.Sprint(l.After) {
						t.Errorf("%v: line %+v", code, l)
					}
					c.Close()
				}
			})
		}
	}
}

// TestAuditOfFailures: what its sender may ask, and what cannot be done or changes
// nothing, has a line too, and says which.
func TestAuditOfFailures(t *testing.T) {
	log, change := withAudit(t, nil)
	s := start(t, change)
	c := s.dial(t)
	for _, tc := range []struct {
		r       *codec.Command
		outcome string
		reply   codec.ResponseCode
	}{
		{nstest.Request(codec.ReqPutKVConfig, "namespace", "n"), "failed", codec.RespSystemError},
		{updateConfig("listenPort=98x"), "failed", codec.RespSystemError},
		{updateConfig("kvConfigPath=/etc/passwd"), "refused", codec.RespNoPermission},
		{nstest.Request(codec.ReqDeleteTopicInNamesrv, "topic", "nobody's"), "served", codec.RespSuccess},
	} {
		c.Do(tc.r)
		if l := log.next(t, s); l.Outcome != tc.outcome || l.Reply != tc.reply || l.Changed || (l.Why == "") != (tc.reply == codec.RespSuccess) {
			t.Errorf("line %+v, want %+v", l, tc)
		}
	}
	if n := len(log.lines(t, s)); n != 4 {
		t.Errorf("%d lines", n)
	}
	wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
	wantCode(t, c.Do(brokerA.Unregister()), codec.RespSuccess, "")
	if l := log.next(t, s); l.Code != codec.ReqUnregisterBroker || l.Outcome != "served" || l.Args["brokerName"] != "a" || l.Args["brokerAddr"] != brokerA.Addr {
		t.Errorf("a broker has left: %+v", l)
	}
}

// TestAuditOfStrangers: a stranger who is refused without end makes a bounded number of
// lines, and the lines say how many are missing, all of them by the end. What is served
// has none.
func TestAuditOfStrangers(t *testing.T) {
	_, rules := withAccess(t, "strict", "mode: enforce\n")
	log, change := withAudit(t, rules)
	const asked = 2000
	t.Run("server", func(t *testing.T) {
		s := start(t, change)
		wantReplyCode(t, s.dial(t).Do(nstest.Route("T")), codec.RespTopicNotExist)
		c := s.dial(t)
		c.Write([]byte("PROXY TCP4 203.0.113.66 10.0.0.1 4711 9876\r\n"))
		for range asked {
			wantReplyCode(t, c.Do(nstest.Route("T")), codec.RespNoPermission)
		}
	})
	written, left := uint64(0), uint64(0)
	for line := range strings.Lines(readFile(t, log.path)) {
		var l auditLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		left += l.LeftOut
		if l.Event != "" {
			continue
		}
		written++
		if l.Code != codec.ReqGetRouteInfoByTopic || l.Class != "route-read" || l.Outcome != "refused" || l.Why != "noRight" || l.Reply != codec.RespNoPermission || l.Who != "public" {
			t.Fatalf("line %+v", l)
		}
	}
	if written == 0 || left == 0 || written+left != asked {
		t.Errorf("%d lines, which say that %d are missing, of %d", written, left, asked)
	}
}

func wantReplyCode(t testing.TB, reply *codec.Command, want codec.ResponseCode) {
	t.Helper()
	if got := codec.ResponseCode(reply.Code); got != want {
		t.Fatalf("answered %v %q, want %v", got, reply.Remark, want)
	}
}

// TestAuditMonitor: what is served only because accessMode monitors says so, in one line.
func TestAuditMonitor(t *testing.T) {
	_, rules := withAccess(t, "strict", "mode: monitor\n")
	log, change := withAudit(t, rules)
	s := start(t, change)
	c := s.dial(t)
	c.Write([]byte("PROXY TCP4 203.0.113.66 10.0.0.1 4711 9876\r\n"))
	wantCode(t, c.Do(operatorRequests[codec.ReqPutKVConfig]()), codec.RespSuccess, "")
	if l := log.next(t, s); l.Outcome != "would-refuse" || l.Code != codec.ReqPutKVConfig || !l.Changed {
		t.Errorf("line %+v", l)
	}
	c.Do(nstest.Route("T"))
	if l := log.next(t, s); l.Outcome != "would-refuse" || l.Code != codec.ReqGetRouteInfoByTopic {
		t.Errorf("line %+v", l)
	}
}

// TestAuditSigned: who is let in by his account is served, and the line says by which
// signature; who is not is refused, whatever account he names.
func TestAuditSigned(t *testing.T) {
	_, rules := withAccess(t, "strict", freshRules)
	log, change := withAudit(t, rules)
	s := start(t, change)
	c := s.dialFrom(t, "203.0.113.7")
	put := operatorRequests[codec.ReqPutKVConfig]
	for _, tc := range []struct {
		r                 *codec.Command
		who, how, outcome string
	}{
		{nstest.Sign(put(), "ops", "canary-ops"), "account:ops", "signature", "served"},
		{nstest.SignFresh(put(), "fresh", "canary-fresh", time.Now(), nonceText(1)), "account:fresh", "fresh", "served"},
		{nstest.SignFresh(put(), "fresh", "canary-fresh", time.Now(), nonceText(1)), "public", "address", "refused"},
		{nstest.Sign(put(), "fresh", "canary-fresh"), "public", "address", "refused"},
		{put(), "public", "address", "refused"},
	} {
		c.Do(tc.r)
		if l := log.next(t, s); l.Who != tc.who || l.How != tc.how || l.Outcome != tc.outcome {
			t.Errorf("line %+v, want %+v", l, tc)
		}
	}
}

// TestAuditSync: with it a change is answered when its line is in the file, and not before:
// the test says when it is written. Without it nobody waits.
func TestAuditSync(t *testing.T) {
	for _, sync := range []bool{true, false} {
		log, change := withAudit(t, func(c *namesrv.Config) { c.AuditSync = sync })
		write := make(chan struct{})
		var writing atomic.Bool
		let := false
		s := start(t, change, func(s *namesrv.Server) {
			s.SetAuditWait(10 * nstest.Patience)
			s.BeforeAuditWrite(func() {
				writing.Store(true)
				<-write
			})
		})
		release := func() {
			if !let {
				let = true
				close(write)
			}
		}
		t.Cleanup(release) // or the server does not end
		nstest.Eventually(t, "the lines of the start are being written", writing.Load)
		c := s.dial(t)
		answered := make(chan *codec.Command, 1)
		go func() { answered <- c.Do(operatorRequests[codec.ReqPutKVConfig]()) }()
		if sync {
			nstest.Eventually(t, "its answer waits", func() bool { return s.Snapshot().Audit.Waiting == 1 || len(answered) > 0 })
			if len(answered) > 0 {
				t.Error("it is answered before its line is written")
			}
			release()
		}
		select {
		case reply := <-answered:
			wantCode(t, reply, codec.RespSuccess, "")
		case <-time.After(nstest.Patience):
			t.Fatal("it is not answered")
		}
		if written := strings.Contains(readFile(t, log.path), "PUT_KV_CONFIG"); written != sync {
			t.Errorf("auditSync=%v: when it is answered, its line is in the file: %v", sync, written)
		}
		release()
	}
}

// TestAuditRequired: where changes must be audited there are none while the audit log
// cannot be written. Without the key all goes on, and what is lost is counted.
func TestAuditRequired(t *testing.T) {
	t.Parallel()
	for _, required := range []bool{true, false} {
		folder := filepath.Join(t.TempDir(), "audit")
		s := start(t, func(c *namesrv.Config) {
			c.AuditLogPath, c.AuditSync, c.AuditRequired = filepath.Join(folder, "audit.log"), true, required
		})
		c := s.dial(t)
		put := func() *codec.Command { return c.Do(operatorRequests[codec.ReqPutKVConfig]()) }
		wantCode(t, put(), codec.RespSuccess, "")
		if err := os.Rename(folder, folder+".away"); err != nil {
			t.Fatal(err)
		}
		writeFile(t, folder, "in the way")
		nstest.Eventually(t, "it is noticed", func() bool { return s.Snapshot().Audit.Broken })
		if required {
			wantCode(t, put(), codec.RespSystemError, "cannot be audited: auditRequired is true, and the audit log cannot be written")
			if n := refusedOf(s, codec.ReqPutKVConfig)["notAudited"]; n != 1 {
				t.Errorf("%d are counted", n)
			}
		} else {
			wantCode(t, put(), codec.RespSuccess, "")
		}
		wantReplyCode(t, c.Do(nstest.Request(codec.ReqGetNamesrvConfig)), codec.RespSuccess)
		wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
		nstest.Eventually(t, "the loss is counted", func() bool { return s.Snapshot().Audit.Lost > 0 })
		if err := os.Remove(folder); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(folder+".away", folder); err != nil {
			t.Fatal(err)
		}
		nstest.Eventually(t, "it is served again", func() bool {
			return codec.ResponseCode(put().Code) == codec.RespSuccess && !s.Snapshot().Audit.Broken
		})
	}
}

// TestAuditOverRestarts: the next process goes on with the chain, and says by which rules
// it decides. Two processes do not write one file, and one that cannot be written stops
// the start.
func TestAuditOverRestarts(t *testing.T) {
	log, change := withAudit(t, func(c *namesrv.Config) { c.KVConfigPath = "" })
	for range 3 {
		t.Run("", func(t *testing.T) {
			s := start(t, change)
			wantCode(t, s.dial(t).Do(operatorRequests[codec.ReqPutKVConfig]()), codec.RespSuccess, "")
			cfg := namesrv.DefaultConfig()
			change(&cfg)
			if other, err := namesrv.New(cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "auditLogPath") {
				t.Errorf("another one starts: %v, %v", other, err)
			}
		})
	}
	r, err := audit.Verify(log.path)
	text := readFile(t, log.path)
	if err != nil || len(r.Notes) > 0 || r.Lost > 0 || strings.Count(text, `"event":"access.rules"`) != 3 || strings.Count(text, `"event":"server.started"`) != 3 ||
		strings.Count(text, `"name":"PUT_KV_CONFIG"`) != 3 || !strings.Contains(text, `"preset":"standard"`) {
		t.Errorf("%+v, %v:\n%s", r, err, text)
	}
	cfg := namesrv.DefaultConfig()
	cfg.AuditLogPath = t.TempDir()
	if _, err := namesrv.New(cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "auditLogPath") {
		t.Errorf("a folder: %v", err)
	}
}
