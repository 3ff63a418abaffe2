package bench

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gonamesrv/bench/group"
	"gonamesrv/codec"
)

// TestWatch keeps one core busy and wants to find it.
func TestWatch(t *testing.T) {
	busy := exec.Command("sh", "-c", "sh -c 'while :; do :; done' & wait")
	group.Own(busy)
	if err := busy.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := group.Kill(busy.Process.Pid); err != nil {
			t.Error(err)
		}
		_ = busy.Wait() // killed
	}()
	var w watch
	// It looks once a second, and later on a busy machine.
	for d := 1200 * time.Millisecond; len(w.used) == 0 && d < 2*time.Minute; d *= 2 {
		w = watch{}
		w.start(busy.Process.Pid)
		time.Sleep(d)
		w.stop()
	}
	if len(w.used) == 0 {
		t.Fatal("nothing was seen")
	}
	if u := w.used[0]; u.cores <= 0 || u.cores > 1000 || u.rss < 1<<16 {
		t.Errorf("seen: %+v", u)
	}
	points := w.fill([]Point{{Second: 0, Rate: 5}})
	if p := points[0]; p.Rate != 5 || p.ServerCPU != w.used[0].cores || p.ServerRSS != w.used[0].rss {
		t.Errorf("point %+v", p)
	}

	var none watch
	none.start(0)
	none.stop()
	if len(none.used) > 0 {
		t.Error("a server that is not known was watched")
	}
}

// TestFloor runs reads against a server that only echoes, which
// no check would let pass; what makes no sense there is refused.
func TestFloor(t *testing.T) {
	sc := scenarioNamed(t, "route")
	sc.Params.Topics, sc.Params.Connections, sc.Params.Requests = 40, 2, 100
	reply := codec.AppendReply(nil, codec.SerializeJSON, &codec.Reply{Opaque: firstNumber})
	addr, stop, err := ListenEcho(context.Background(), reply)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	opt := Options{Target: Target{Address: addr}, Seed: 1}
	opt.Floor = true
	res, err := Run(t.Context(), sc, opt, nil)
	if err != nil || res.Phases[0].Ops[0].Answered != 100 {
		t.Errorf("%+v, %v", res, err)
	}
	opt.Floor = false
	if _, err := Run(t.Context(), sc, opt, nil); err == nil {
		t.Error("what only echoes passes for a name server")
	}
	opt.Floor = true
	if _, err := Run(t.Context(), scenarioNamed(t, "storm"), opt, nil); err == nil || !strings.Contains(err.Error(), "only echoes") {
		t.Errorf("a storm: %v", err)
	}
}

func scenarioNamed(t *testing.T, name string) Scenario {
	t.Helper()
	k, err := FindKind(name)
	if err != nil {
		t.Fatal(err)
	}
	return k.Scenario()
}
