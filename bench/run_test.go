package bench_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/bench"
	"gonamesrv/bench/launch"
	"gonamesrv/codec"
)

// TestScenarios runs every scenario, small, against our own server.
func TestScenarios(t *testing.T) {
	tests := []struct {
		kind   string
		params []string
		ops    []string // phase/operation: something of each must be answered, or sent oneway
	}{
		{"route", nil, []string{"measured/route"}},
		{"route", []string{"rate", "0", "depth", "16"}, []string{"measured/route"}},
		{"route", []string{"header", "ROCKETMQ"}, []string{"measured/route"}},
		{"miss", nil, []string{"measured/miss"}},
		{"heartbeat", []string{"hz", "20"}, []string{"measured/heartbeat", "measured/heartbeat (answered)"}},
		{"heartbeat", []string{"hz", "20", "code", "both"}, []string{"measured/heartbeat", "measured/queryDataVersion"}},
		{"heartbeat", []string{"hz", "20", "code", "322", "oneway", "false"}, []string{"measured/queryDataVersion"}},
		{"register", []string{"rate", "20"}, []string{"measured/register"}},
		{"register", []string{"rate", "0", "bump", "true"}, []string{"measured/register"}},
		{"register", []string{"rate", "0", "changed", "50"}, []string{"measured/register"}},
		{"register", []string{"rate", "0", "changed", "100", "form", "compressed"}, []string{"measured/register"}},
		{"register", []string{"rate", "0", "form", "split", "bump", "true", "topics", "2000", "brokers", "2", "registrars", "1"}, []string{"measured/register"}},
		{"register", []string{"rate", "0", "header", "ROCKETMQ", "changed", "1"}, []string{"measured/register"}},
		{"storm", nil, []string{"undisturbed/route", "storm/route", "storm/register"}},
		{"churn", []string{"death", "close"}, []string{"measured/route", "measured/gone after close", "measured/back in routes"}},
		{"churn", []string{"death", "kill", "topics", "1"}, []string{"measured/route", "measured/gone after kill"}},
		{"connections", []string{"connections", "40", "duration", "1ms"}, []string{"steps/route"}},
		{"slowreader", nil, []string{"undisturbed/route", "slow readers/route", "slow readers/asked and not read"}},
		{"mixed", []string{"pause-up-to", "20ms", "hz", "20"}, []string{"measured/route", "measured/miss", "measured/heartbeat", "measured/register"}},
		{"massclose", nil, []string{"before/route", "after/route"}},
		{"partition", nil, []string{"before/route", "partition/route", "after/route"}},
		{"returning", []string{"away", "20ms"}, []string{"before/route", "returning/register (returned)", "after/route"}},
		{"misses", nil, []string{"quiet/route", "misses/route", "misses/miss", "misses/miss TBW102"}},
		{"registrations", nil, []string{"first/register first", "returning/register returning", "unchanged/register unchanged", "bumped/register bumped", "1 % changed/register 1 % changed", "all changed/register all changed"}},
		{"beside", []string{"rate", "0", "pause-up-to", "1ms"}, []string{"measured/route", "measured/register"}},
		{"register", []string{"long-names", "true"}, []string{"measured/register"}},
	}
	for _, tt := range tests {
		t.Run(strings.Join(append([]string{tt.kind}, tt.params...), " "), func(t *testing.T) {
			res := run(t, scenario(t, tt.kind, tt.params...), at(startOwn(t)))
			for _, name := range tt.ops {
				phase, name, _ := strings.Cut(name, "/")
				o := op(t, res, phase, name)
				if o.Answered == 0 && (!o.Oneway || o.Sent == 0) {
					t.Errorf("%s: nothing answered: %+v", name, o)
				}
				if o.Wrong > 0 || o.Answered+o.Wrong > o.Sent {
					t.Errorf("%s: counts do not fit: %+v", name, o)
				}
			}
		})
	}
}

// TestAllKindsAreTested makes sure that no scenario is left out above; restart
// and the silent deaths have tests of their own.
func TestAllKindsAreTested(t *testing.T) {
	var text []byte
	for _, file := range []string{"run_test.go", "survive_test.go"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, b...)
	}
	for _, k := range bench.Kinds() {
		if !strings.Contains(string(text), `{"`+k.Name+`"`) && !strings.Contains(string(text), `scenario(t, "`+k.Name+`"`) {
			t.Errorf("no test runs the scenario %s", k.Name)
		}
	}
}

// TestSilence waits until the server has noticed that brokers are silent.
func TestSilence(t *testing.T) {
	if testing.Short() {
		t.Skip("servers look for silent brokers every five seconds")
	}
	res := run(t, scenario(t, "churn", "death", "silence", "brokers", "2", "duration", "9s", "rate", "50"), at(startOwn(t)))
	if o := op(t, res, "measured", "gone after silence"); o.Answered == 0 || o.Latency.Max < 0.9e6 {
		t.Errorf("silence was noticed %d times, after at most %.0f µs; want it once, after a second", o.Answered, o.Latency.Max)
	}
}

// serve is a server in a process of its own.
func serve(addr string) {
	host, port, err := net.SplitHostPort(addr)
	if err == nil {
		var n int
		n, err = strconv.Atoi(port)
		if err == nil {
			s, e := newOwn(host, n)
			if err = e; err == nil {
				err = s.Run(context.Background())
			}
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// freeAddress returns an address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startProcess starts our own server in a process of its own.
func startProcess(t *testing.T) (*launch.Server, bench.Options) {
	t.Helper()
	addr := freeAddress(t)
	spec, err := launch.Given("own", []string{"env", "BENCH_TEST_SERVER=" + addr, os.Args[0]}, addr, "")
	if err != nil {
		t.Fatal(err)
	}
	server, err := launch.New(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	opt := at(addr)
	opt.Server, opt.Target = server, server.Target()
	return server, opt
}

// wantMilestones looks whether these came, with times that do not fall.
func wantMilestones(t *testing.T, res *bench.Result, want ...string) {
	t.Helper()
	var names []string
	for i, m := range res.Milestones {
		names = append(names, m.Name)
		if !m.Reached || (i > 0 && m.Seconds < res.Milestones[i-1].Seconds) {
			t.Errorf("milestone %+v", m)
		}
	}
	slices.Sort(names)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("milestones are %q, want %q", names, want)
	}
}

// TestRestart kills a server under load and waits until all routes are back.
func TestRestart(t *testing.T) {
	for _, period := range []string{"0s", "500ms"} {
		t.Run("period "+period, func(t *testing.T) { testRestart(t, period) })
	}
}

func testRestart(t *testing.T, period string) {
	server, opt := startProcess(t)
	first := server.Target().PID
	res := run(t, scenario(t, "restart", "period", period), opt)
	if server.Target().PID == first || res.Target.PID != server.Target().PID {
		t.Errorf("process is %d, was %d, the result says %d", server.Target().PID, first, res.Target.PID)
	}
	wantMilestones(t, res, "server accepts connections", "first whole route", "every broker registered", "every route back")
	if v := res.Survival; v == nil || v.Event != "restart" || v.Lookups == 0 || v.Failed != v.Unreached+v.NotFound+v.Refused+v.Unanswered {
		t.Errorf("survival is %+v", v)
	}
	if res.Server.RSS == 0 || res.Server.Threads == 0 || res.Server.FDs == 0 {
		t.Errorf("nothing is known of the process: %+v", res.Server)
	}
	if o := op(t, res, "after", "route"); o.Answered == 0 {
		t.Error("nothing was answered after the restart")
	}
}

// TestRestartNeedsServer refuses to kill or stop what it cannot start.
func TestRestartNeedsServer(t *testing.T) {
	for _, kind := range []string{"restart", "pause"} {
		_, err := bench.Run(t.Context(), scenario(t, kind), at("127.0.0.1:1"), nil)
		if err == nil || !strings.Contains(err.Error(), "kill and start, or stop") {
			t.Errorf("%s: error is %v", kind, err)
		}
	}
}

// TestLoopbackOnly refuses to load a stranger's machine.
func TestLoopbackOnly(t *testing.T) {
	for _, addr := range []string{"192.0.2.1:9876", "[2001:db8::1]:9876"} {
		_, err := bench.Run(t.Context(), scenario(t, "route"), at(addr), nil)
		if err == nil || !strings.Contains(err.Error(), "loopback") {
			t.Errorf("%s: error is %v", addr, err)
		}
	}
}

// TestWrongReplies spoils one thing at a time; each must fail the run.
func TestWrongReplies(t *testing.T) {
	// every spoils some of the replies to requests of the load.
	every := func(n int64, spoil func(*codec.Command, *codec.Reply)) func(*codec.Command, *codec.Reply) bool {
		var count atomic.Int64
		return func(req *codec.Command, reply *codec.Reply) bool {
			if isLoad(req) && count.Add(1)%n == 0 {
				spoil(req, reply)
			}
			return true
		}
	}
	route := func(change func(*codec.TopicRouteData)) func(*codec.Command, *codec.Reply) {
		return func(_ *codec.Command, reply *codec.Reply) {
			var r codec.TopicRouteData
			if r.Decode(reply.Body) == nil {
				change(&r)
				reply.Body = r.AppendJSON(nil, codec.DialectStrict)
			}
		}
	}
	tests := []struct {
		name  string
		spoil func(*codec.Command, *codec.Reply)
		want  string
	}{
		{"opaque", func(_ *codec.Command, r *codec.Reply) { r.Opaque += 1000 }, "was not asked for"},
		{"opaque of the one before", func(_ *codec.Command, r *codec.Reply) { r.Opaque-- }, "was not asked for"},
		{"system error", func(_ *codec.Command, r *codec.Reply) {
			*r = codec.Reply{Code: codec.RespSystemError, Opaque: r.Opaque}
		}, "SYSTEM_ERROR"},
		{"no such topic", func(_ *codec.Command, r *codec.Reply) { r.Code, r.Body = codec.RespTopicNotExist, nil }, "TOPIC_NOT_EXIST"},
		{"no body", func(_ *codec.Command, r *codec.Reply) { r.Body = nil }, "RegisterBrokerBody"},
		{"broker missing", route(func(r *codec.TopicRouteData) { r.BrokerDatas, r.QueueDatas = r.BrokerDatas[1:], r.QueueDatas[1:] }), "does not name"},
		{"address missing", route(func(r *codec.TopicRouteData) { r.BrokerDatas = r.BrokerDatas[1:] }), "does not name"},
		{"queues missing", route(func(r *codec.TopicRouteData) { r.QueueDatas = r.QueueDatas[1:] }), "does not name"},
		{"stranger", route(func(r *codec.TopicRouteData) { r.BrokerDatas[0].BrokerName = "stranger" }), "does not have the topic"},
		{"broker of another topic", route(func(r *codec.TopicRouteData) {
			b := r.BrokerDatas[0]
			b.BrokerName = "nsbench-broker-00005"
			r.BrokerDatas = append(r.BrokerDatas, b)
		}), "does not have the topic"},
		{"wrong address", route(func(r *codec.TopicRouteData) { r.BrokerDatas[0].BrokerAddrs[0].Addr = "10.0.0.1:1" }), "want nsbench-cluster"},
		{"wrong cluster", route(func(r *codec.TopicRouteData) { r.BrokerDatas[0].Cluster = "other" }), "want nsbench-cluster"},
		{"wrong queues", route(func(r *codec.TopicRouteData) { r.QueueDatas[0].WriteQueueNums = 7 }), "wrong queues"},
		{"wrong permission", route(func(r *codec.TopicRouteData) { r.QueueDatas[0].Perm = 4 }), "wrong queues"},
		{"twice", route(func(r *codec.TopicRouteData) {
			r.BrokerDatas = append([]codec.BrokerData{r.BrokerDatas[0]}, r.BrokerDatas...)
			r.QueueDatas = append([]codec.QueueData{r.QueueDatas[0]}, r.QueueDatas...)
		}), "twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "no body" {
				tt.want = ""
			}
			f := startFake(t, every(20, tt.spoil))
			res := mustFail(t, scenario(t, "route", "topics", "3", "timeout", "5s"), at(f.addr), tt.want)
			if len(res.Samples) == 0 || len(res.Samples) > 10 {
				t.Errorf("%d samples", len(res.Samples))
			}
		})
	}
}

// TestWrongEnd spoils what is asked outside the load.
func TestWrongEnd(t *testing.T) {
	spoil := func(code codec.RequestCode, change func(*codec.Reply)) func(*codec.Command, *codec.Reply) bool {
		return func(req *codec.Command, reply *codec.Reply) bool {
			if req.Code == code {
				change(reply)
			}
			return true
		}
	}
	f := startFake(t, spoil(codec.ReqQueryDataVersion, func(r *codec.Reply) { r.Ext[0].Value = "true" }))
	mustFail(t, scenario(t, "route"), at(f.addr), "changed is")
	f = startFake(t, spoil(codec.ReqQueryDataVersion, func(r *codec.Reply) {
		r.Body = codec.DataVersion{Timestamp: 1_700_000_000_000, Counter: 3}.AppendJSON(nil)
	}))
	mustFail(t, scenario(t, "route"), at(f.addr), "data version is")
	f = startFake(t, spoil(codec.ReqUnregisterBroker, func(r *codec.Reply) { r.Code = codec.RespSystemError }))
	mustFail(t, scenario(t, "route"), at(f.addr), "SYSTEM_ERROR")
	f = startFake(t, spoil(codec.ReqRegisterBroker, func(r *codec.Reply) { r.Code = codec.RespSystemError }))
	if res, err := bench.Run(t.Context(), scenario(t, "route"), at(f.addr), nil); err == nil || res != nil {
		t.Errorf("a preload that fails gives %v, %v", res, err)
	}
}

// TestBusyIsNoWrongReply: a server that refuses under load is not wrong as long as
// so much may be refused, and it is seen.
func TestBusyIsNoWrongReply(t *testing.T) {
	var n atomic.Int64
	f := startFake(t, func(req *codec.Command, reply *codec.Reply) bool {
		if isLoad(req) && n.Add(1)%10 == 1 && n.Load() < 50 {
			*reply = codec.Reply{Code: codec.RespSystemBusy, Opaque: reply.Opaque}
		}
		return true
	})
	opt := at(f.addr)
	opt.MaxErrors = &bench.ErrorLimits{Refused: 2.5}
	res := run(t, scenario(t, "route", "requests", "200", "duration", "10m"), opt)
	if got, want := res.ErrorCounts(), (bench.ErrorCounts{Requests: 200, Refused: 5}); got != want {
		t.Errorf("errors %+v, want %+v", got, want)
	}
	o := op(t, res, "measured", "route")
	if o.Errors[bench.ErrorBusy] != 5 || o.Answered != 195 || o.Sent != 200 {
		t.Errorf("%d busy, %d answered of %d, want 5, 195, 200", o.Errors[bench.ErrorBusy], o.Answered, o.Sent)
	}
}

// TestUnanswered: a reply that never comes fails the run, and so does a
// connection that breaks.
func TestUnanswered(t *testing.T) {
	var o bench.Operation
	// On a busy machine others may be late; then all have more time.
	for timeout := time.Second; timeout < 2*time.Minute; timeout *= 4 {
		var n atomic.Int64
		f := startFake(t, func(req *codec.Command, _ *codec.Reply) bool { return !isLoad(req) || n.Add(1) != 50 })
		res := mustFail(t, scenario(t, "route", "timeout", timeout.String()), at(f.addr), "not answered")
		o = op(t, res, "measured", "route")
		if o.Errors[bench.ErrorUnanswered] == 1 && o.Answered+1 == o.Sent {
			return
		}
	}
	t.Errorf("%+v, want one unanswered", o)
}

// TestStall: the server stands still for 300 ms. An open loop shows it for
// every request that was to be sent meanwhile; a closed loop hides it behind
// the few that were under way.
func TestStall(t *testing.T) {
	const stall, rate = 300 * time.Millisecond, 1000
	drive := func(params ...string) (o bench.Operation) {
		f := startFake(t, nil)
		var asked atomic.Int64
		stalled := make(chan struct{})
		f.change = func(req *codec.Command, _ *codec.Reply) bool {
			if isLoad(req) && asked.Add(1) == 300 { // within the measured time, and long before its end
				go func() {
					defer close(stalled)
					f.stallFor(stall)
				}()
			}
			return true
		}
		res := run(t, scenario(t, "route", append(params, "warmup", "0s", "duration", "2s", "connections", "2")...), at(f.addr))
		<-stalled
		return op(t, res, "measured", "route")
	}
	slower := func(o bench.Operation, than time.Duration) (n int64) {
		h, err := bench.DecodeHistogram(o.Histogram)
		if err != nil {
			t.Fatal(err)
		}
		for _, bar := range h.Distribution() {
			if bar.From >= int64(than) {
				n += bar.Count
			}
		}
		return n
	}
	open := drive("rate", strconv.Itoa(rate))
	// All that was to be sent in the first 200 ms of the stall waited 100 ms or more.
	if n, want := slower(open, stall/3), int64(rate*0.2*0.9); n < want {
		t.Errorf("open loop: %d requests took %v or more, want at least %d", n, stall/3, want)
	}
	if open.Latency.P99 < 150e3 || open.Latency.Max < 290e3 {
		t.Errorf("open loop: p99 %.0f µs, max %.0f µs do not show a stall of %v", open.Latency.P99, open.Latency.Max, stall)
	}
	if open.Sent < 2*rate*9/10 {
		t.Errorf("open loop: sent %d, want %d, stall or not", open.Sent, 2*rate)
	}
	closed := drive("rate", "0")
	if n := slower(closed, stall-10*time.Millisecond); n > 20 {
		t.Errorf("closed loop: %d requests show the stall; this test does not show what it should", n)
	}
	if closed.Latency.Max < 290e3 {
		t.Errorf("closed loop: max is %.0f µs, the stall did not happen", closed.Latency.Max)
	}
}

// TestSeed: the same seed sends the same bytes, another one others.
func TestSeed(t *testing.T) {
	bytesOf := func(seed uint64, kind string, params ...string) []string {
		f := startFake(t, nil)
		opt := at(f.addr)
		opt.Seed = seed
		run(t, scenario(t, kind, append(params, "requests", "300", "duration", "10m")...), opt)
		return f.sent()
	}
	for _, tt := range [][]string{
		{"route", "rate", "0", "depth", "3"},
		{"route", "rate", "2000"},
		{"miss", "rate", "0"},
		{"register", "rate", "0", "changed", "10", "form", "compressed"},
		{"register", "rate", "0", "changed", "10"},
		{"heartbeat", "hz", "100", "code", "both", "oneway", "false"},
		{"beside", "rate", "0", "pause-up-to", "1ms", "long-names", "true"},
	} {
		t.Run(strings.Join(tt, " "), func(t *testing.T) {
			first := bytesOf(1, tt[0], tt[1:]...)
			second := bytesOf(1, tt[0], tt[1:]...)
			if !slices.Equal(first, second) {
				t.Error("two runs with one seed send different bytes")
			}
			if len(strings.Join(first, "")) < 300*50 {
				t.Errorf("only %d bytes were sent", len(strings.Join(first, "")))
			}
			if tt[0] != "heartbeat" && tt[0] != "register" && slices.Equal(first, bytesOf(2, tt[0], tt[1:]...)) {
				t.Error("another seed sends the same bytes")
			}
		})
	}
}

// TestRequests counts: what is asked for is sent, not one more.
func TestRequests(t *testing.T) {
	for _, rate := range []string{"0", "3000"} {
		opt := at(startFake(t, nil).addr)
		opt.Workers = 2
		res := run(t, scenario(t, "route", "requests", "501", "rate", rate, "depth", "2", "connections", "5", "duration", "10m"), opt)
		if o := op(t, res, "measured", "route"); o.Sent != 501 || o.Answered != 501 {
			t.Errorf("rate %s: sent %d, answered %d, want 501", rate, o.Sent, o.Answered)
		}
	}
}

// TestCeiling measures the generator against the server that only echoes.
func TestCeiling(t *testing.T) {
	opt := at(startOwn(t))
	opt.CeilingFor = 100 * time.Millisecond
	for _, header := range []string{"JSON", "ROCKETMQ"} {
		res := run(t, scenario(t, "route", "header", header), opt)
		c := res.Ceiling
		if c == nil || c.PerSecond <= 0 || c.ReplyBytes < 200 || !c.SameProcess || c.Connections != 4 {
			t.Fatalf("%s: ceiling is %+v", header, c)
		}
	}
}

// TestStop: a run that is stopped takes its brokers away all the same.
func TestStop(t *testing.T) {
	f := startFake(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	f.change = func(req *codec.Command, _ *codec.Reply) bool {
		if isLoad(req) {
			cancel()
		}
		return true
	}
	if _, err := bench.Run(ctx, scenario(t, "route", "duration", "1h"), at(f.addr), nil); err == nil {
		t.Error("no error")
	}
}

// TestNobodyListens fails at once.
func TestNobodyListens(t *testing.T) {
	f := startFake(t, nil)
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() // until then its port is nobody's to listen on
	res, err := bench.Run(t.Context(), scenario(t, "route"), at(c.LocalAddr().String()), nil)
	if res != nil || err == nil || !strings.Contains(err.Error(), "connect") {
		t.Errorf("got %v, %v", res, err)
	}
}

// TestFence: oneway requests are not done when they are sent, but when the
// server has read them; one that never says so fails the run.
func TestFence(t *testing.T) {
	beats := func(params ...string) bench.Scenario {
		return scenario(t, "heartbeat", append(params, "hz", "50", "duration", "100ms", "warmup", "0s")...)
	}
	res := run(t, beats(), at(startFake(t, nil).addr))
	if m := res.Milestones; len(m) != 1 || m[0].Name != "every oneway request read" || !m[0].Reached {
		t.Errorf("milestones are %+v", m)
	}
	mute := func(first, req *codec.Command) bool { // where oneway requests came, none is answered
		return first.Code == codec.ReqBrokerHeartbeat && first.Flag.IsOneway() && !req.Flag.IsOneway()
	}
	f := startFakeWith(t, func(f *fakeServer) { f.mute = mute })
	res = mustFail(t, beats("timeout", "3s"), at(f.addr), "every oneway request read: not within")
	if m := res.Milestones; len(m) != 1 || m[0].Reached {
		t.Errorf("milestones are %+v", m)
	}
}

// TestDeadButNamed: a server that goes on naming the dead fails the run.
func TestDeadButNamed(t *testing.T) {
	res, err := bench.Run(t.Context(), scenario(t, "churn", "death", "close", "timeout", "4s"), at(startFake(t, nil).addr), nil)
	if res != nil || err == nil || !strings.Contains(err.Error(), "still in routes") {
		t.Errorf("got %v, %v", res, err)
	}
}

// TestLateAnswers: answers that come after the time to wait for them fail the
// run, as good as they may be.
func TestLateAnswers(t *testing.T) {
	f := startFake(t, nil)
	ended := make(chan struct{}) // what is asked in the end has been asked
	var hold, end sync.Once
	f.before = func(req *codec.Command) {
		switch {
		case req.Code == codec.ReqQueryDataVersion:
			end.Do(func() { close(ended) })
		case isLoad(req):
			hold.Do(func() { <-ended })
		}
	}
	mustFail(t, scenario(t, "route", "connections", "1", "duration", "50ms", "warmup", "0s", "timeout", "3s"), at(f.addr), "not answered within")
}
