package bench_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/bench"
	"gonamesrv/bench/capture"
	"gonamesrv/codec"
)

// captureOf runs a scenario through a tap and returns the file.
func captureOf(t *testing.T, target string, sc bench.Scenario) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "capture.jsonl")
	begun := time.Now()
	w, err := capture.Create(file, capture.Head{Started: begun}, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	tap := capture.NewTap(capture.Options{Target: target, Writer: w}, begun)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- tap.Serve(ctx, l) }()
	run(t, sc, at(l.Addr().String()))
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if left, err := w.Close(tap.Micros()); err != nil || left > 0 {
		t.Errorf("%d left out, %v", left, err)
	}
	return file
}

// TestReplay: what was recorded of a run is sent again: as many requests of each
// kind over as many connections, of the same sizes, and the server answers with the
// codes of before.
func TestReplay(t *testing.T) {
	file := captureOf(t, startOwn(t), scenario(t, "mixed", "rate", "300", "pause-up-to", "20ms", "code", "both", "oneway", "false", "hz", "10"))
	c, err := capture.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[codec.RequestCode]int{}
	sizes := map[codec.RequestCode][]int{}
	conns := map[int]bool{}
	for _, r := range c.Records {
		if r.Event == capture.Request {
			want[codec.RequestCode(r.Code)]++
			sizes[codec.RequestCode(r.Code)] = append(sizes[codec.RequestCode(r.Code)], r.Size)
		}
		conns[r.Conn] = true
	}
	if want[codec.ReqGetRouteInfoByTopic] < 20 || want[codec.ReqRegisterBroker] < 5 || want[codec.ReqBrokerHeartbeat] < 5 {
		t.Fatalf("the capture has only %v", want)
	}
	sc, err := bench.ReadScenario(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := sc.Set("speed", "2"); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	got := map[codec.RequestCode]int{}
	res := run(t, sc, at(startOwn(t)))
	for _, o := range res.Phases[0].Ops {
		mu.Lock()
		for code := range want {
			if strings.ToLower(strings.ReplaceAll(code.String(), "_", " ")) == o.Name {
				got[code] = int(o.Sent)
				if o.Answered+o.Errors[bench.ErrorDiffers] != o.Sent || o.Answered < o.Sent*8/10 {
					t.Errorf("%s: %d sent, %d answered as before, errors %v", o.Name, o.Sent, o.Answered, o.Errors)
				}
				mean, recorded := float64(o.Bytes.Sent)/float64(o.Sent), meanOf(sizes[code])
				if mean < recorded*0.8 || mean > recorded*1.2+60 {
					t.Errorf("%s: %g bytes each, %g were recorded", o.Name, mean, recorded)
				}
			}
		}
		mu.Unlock()
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("sent %v, recorded %v", got, want)
	}
	if n := res.Streams[0].Connections; n != len(conns) {
		t.Errorf("%d connections, recorded %d", n, len(conns))
	}
	if res.Scenario.Kind != "replay" || res.Scenario.Name != "capture.jsonl" || res.Scenario.Params.Speed != 2 {
		t.Errorf("scenario %+v", res.Scenario)
	}
}

func meanOf(values []int) float64 {
	sum := 0
	for _, v := range values {
		sum += v
	}
	return float64(sum) / float64(max(1, len(values)))
}

// handmade is a capture of reads at given moments on connections of their own.
func handmade(t *testing.T, moments ...time.Duration) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hand.jsonl")
	w, err := capture.Create(file, capture.Head{Started: time.Unix(0, 0)}, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range moments {
		us := m.Microseconds()
		w.Write(&capture.Record{Micros: us, Conn: i + 1, Event: capture.Opened})
		w.Write(&capture.Record{Micros: us, Conn: i + 1, Event: capture.Request, Code: 105, Opaque: 9, Size: 400, Names: map[string]string{"topic": "h"}})
		w.Write(&capture.Record{Micros: us, Conn: i + 1, Event: capture.Request, Code: int(codec.ReqUpdateNamesrvConfig), Opaque: 10, Size: 400})
		w.Write(&capture.Record{Micros: us, Conn: i + 1, Event: capture.Reply, Code: 0, Opaque: 9, Size: 300})
		w.Write(&capture.Record{Micros: us, Conn: i + 1, Event: capture.Closed})
	}
	if _, err := w.Close(0); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestReplayKeepsTime: requests leave no earlier than they were recorded, divided by
// the speed, and as long as they were; what changes a server is left out.
func TestReplayKeepsTime(t *testing.T) {
	for _, tt := range []struct {
		last  time.Duration
		speed string
		least float64 // seconds that it takes
	}{{600 * time.Millisecond, "1", 0.6}, {time.Hour, "10000", 0.36}} {
		file := handmade(t, 0, tt.last/2, tt.last)
		var mu sync.Mutex
		var sizes []int
		f := startFakeWith(t, func(f *fakeServer) {
			f.before = func(req *codec.Command) {
				mu.Lock()
				defer mu.Unlock()
				if req.Code == codec.ReqUpdateNamesrvConfig {
					t.Error("a configuration is changed")
				}
				if _, padded := req.Ext.Get("nsbenchPadding"); padded {
					sizes = append(sizes, len(codec.AppendRequest(nil, req.SerializeType, req)))
				}
			}
		})
		sc, err := bench.ReadScenario(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := sc.Set("speed", tt.speed); err != nil {
			t.Fatal(err)
		}
		res := run(t, sc, at(f.addr))
		if !slices.Equal(sizes, []int{400, 400, 400}) {
			t.Fatalf("requests of %v bytes", sizes)
		}
		if res.MeasuredSeconds < tt.least {
			t.Errorf("at %s× it takes %g s, want at least %g", tt.speed, res.MeasuredSeconds, tt.least)
		}
		if len(res.Milestones) != 1 || !strings.Contains(res.Milestones[0].Name, "3 requests of other kinds left out") {
			t.Errorf("milestones %+v", res.Milestones)
		}
	}
}

// ofTheReplay reports whether a request is of a replay that handmade has recorded.
func ofTheReplay(req *codec.Command) bool {
	_, padded := req.Ext.Get("nsbenchPadding")
	return padded
}

// replayAgainst replays a capture of three reads.
func replayAgainst(t *testing.T, f *fakeServer) (*bench.Result, error) {
	t.Helper()
	sc, err := bench.ReadScenario(handmade(t, 0, time.Millisecond, 2*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	return bench.Run(t.Context(), sc, at(f.addr), nil)
}

// TestReplayIsPaced: a replay is an open loop, and how late its own requests leave is measured
// as in any other, at whatever speed.
func TestReplayIsPaced(t *testing.T) {
	res, err := replayAgainst(t, startFake(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	o := res.Phases[0].Ops[0]
	if o.Pace == nil || o.Sent != 3 || o.Answered != 3 {
		t.Fatalf("%+v", o)
	}
	for text, of := range map[string]string{o.Pace.Histogram: "lateness", o.Pace.FromWriteHistogram: "latency from the write"} {
		if h, err := bench.DecodeHistogram(text); err != nil || h.TotalCount() != 3 {
			t.Errorf("%s: %v", of, err)
		}
	}
	if want := o.Pace.Lateness.P99 > o.Latency.P99/3; o.GeneratorBound() != want || res.GeneratorBound != want {
		t.Errorf("late by %g of %g µs, and generator-bound: %v, %v", o.Pace.Lateness.P99, o.Latency.P99, o.GeneratorBound(), res.GeneratorBound)
	}
}

// TestReplayDiffers: a reply with another code than was recorded is none of the errors that
// fail a run, and is not right either.
func TestReplayDiffers(t *testing.T) {
	var n atomic.Int64
	res, err := replayAgainst(t, startFake(t, func(req *codec.Command, reply *codec.Reply) bool {
		if ofTheReplay(req) && n.Add(1) < 3 {
			reply.Code = codec.RespTopicNotExist
		}
		return true
	}))
	if err != nil || !res.OK {
		t.Fatalf("%v, %+v", err, res)
	}
	if e := res.ErrorCounts(); e.Differs != 2 || !e.Any() || e.Requests != 3 || e.Wrong+e.Refused+e.Missing+e.Lacking > 0 {
		t.Errorf("errors %+v", e)
	}
}

// TestReplayBreaks: what a connection that breaks takes with it was sent, and is missing.
func TestReplayBreaks(t *testing.T) {
	f := startFakeWith(t, func(f *fakeServer) {
		f.hangUp = func(frame []byte) bool {
			var req codec.Command
			return req.Decode(frame) == nil && ofTheReplay(&req)
		}
	})
	res, err := replayAgainst(t, f)
	if !errors.Is(err, bench.ErrWrong) {
		t.Fatalf("%v, %+v", err, res)
	}
	if e := res.ErrorCounts(); e.Requests != 3 || e.Missing != 3 {
		t.Errorf("errors %+v", e)
	}
	if text := strings.Join(res.Failures, "\n"); !strings.Contains(text, "3 of 3 requests") || strings.Contains(text, "Inf") {
		t.Errorf("it fails with\n%s", text)
	}
}

// TestReplayNeedsCapture: the scenario is nothing without one, and a capture nothing
// without requests.
func TestReplayNeedsCapture(t *testing.T) {
	k, err := bench.FindKind("replay")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bench.Run(t.Context(), k.Scenario(), at(startFake(t, nil).addr), nil); err == nil || !strings.Contains(err.Error(), "give a capture") {
		t.Errorf("error is %v", err)
	}
	if _, err := bench.ReadScenario(handmade(t)); err == nil || !strings.Contains(err.Error(), "no request") {
		t.Errorf("of an empty capture: %v", err)
	}
	broken := filepath.Join(t.TempDir(), "broken.jsonl")
	if err := os.WriteFile(broken, []byte(`{"kind":"nsbench-capture","format":9}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := bench.ReadScenario(broken); err == nil || !strings.Contains(err.Error(), "another version") {
		t.Errorf("of a later version: %v", err)
	}
}
