package bench_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"gonamesrv/bench"
	"gonamesrv/codec"
)

// busyRegistrations is a fake server that refuses n registrations of the load.
func busyRegistrations(t *testing.T, brokers, n int64) *fakeServer {
	var seen atomic.Int64
	return startFake(t, func(req *codec.Command, reply *codec.Reply) bool {
		if req.Code == codec.ReqRegisterBroker {
			if i := seen.Add(1) - brokers; i > 0 && i <= n {
				*reply = codec.Reply{Code: codec.RespSystemBusy, Opaque: reply.Opaque}
			}
		}
		return true
	})
}

// TestRefusedFails: a run in which 2,871 of 3,000 registrations were refused is
// not right, however many reads beside them were.
func TestRefusedFails(t *testing.T) {
	const brokers, refused = 6, 2871
	for _, tt := range []struct {
		kind     string
		requests string // of registrations, and where there are readers of reads
		all      uint64
	}{
		{"register", "3000", 3000},
		{"beside", "3000", 6000},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			f := busyRegistrations(t, brokers, refused)
			sc := scenario(t, tt.kind, "requests", tt.requests, "duration", "10m", "rate", "0")
			if tt.kind == "beside" {
				set(t, &sc, "pause-up-to", "0s")
				set(t, &sc, "bump", "false") // the fake takes what it refuses
			}
			res := mustFail(t, sc, at(f.addr), "register: 2871 of 3000 requests were refused (SYSTEM_BUSY), that is 95.7 %, and at most 1 % may be")
			if got, want := res.ErrorCounts(), (bench.ErrorCounts{Requests: tt.all, Refused: refused}); got != want {
				t.Errorf("errors are %+v, want %+v", got, want)
			}
			if *res.MaxErrors != bench.DefaultErrorLimits() {
				t.Errorf("limits are %+v", *res.MaxErrors)
			}
		})
	}
}

// TestErrorsWithinLimits: a run may be right with errors, and says how many.
func TestErrorsWithinLimits(t *testing.T) {
	var n atomic.Int64
	spoil := func(req *codec.Command, reply *codec.Reply) bool {
		if isLoad(req) && n.Add(1) == 7 {
			reply.Code, reply.Body = codec.RespTopicNotExist, nil
		}
		return true
	}
	sc := scenario(t, "route", "requests", "200", "duration", "10m")
	for _, tt := range []struct {
		limit float64
		ok    bool
	}{{0.5, true}, {0.49, false}} {
		n.Store(0)
		opt := at(startFake(t, spoil).addr)
		opt.MaxErrors = &bench.ErrorLimits{Wrong: tt.limit}
		res, err := bench.Run(t.Context(), sc, opt, nil)
		if res == nil || res.OK != tt.ok || (err == nil) != tt.ok {
			t.Fatalf("1 of 200 wrong, %g %% may be: OK is %+v, error %v", tt.limit, res, err)
		}
		if got, want := res.ErrorCounts(), (bench.ErrorCounts{Requests: 200, Wrong: 1}); got != want || len(res.Samples) != 1 {
			t.Errorf("errors are %+v with samples %+v, want %+v", got, res.Samples, want)
		}
	}
}

func TestParseErrorLimits(t *testing.T) {
	for text, want := range map[string]bench.ErrorLimits{
		"":                                {Wrong: 0, Refused: 1, Missing: 1},
		"refused=5%":                      {Wrong: 0, Refused: 5, Missing: 1},
		"wrong=0.1%, refused=0,missing=3": {Wrong: 0.1, Refused: 0, Missing: 3},
	} {
		if got, err := bench.ParseErrorLimits(text); err != nil || got != want {
			t.Errorf("%q is %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"5%", "late=3", "refused=-1", "refused=101", "refused=many", "refused=NaN"} {
		if _, err := bench.ParseErrorLimits(text); err == nil || !strings.Contains(err.Error(), "max-errors") {
			t.Errorf("%q: error is %v", text, err)
		}
	}
}
