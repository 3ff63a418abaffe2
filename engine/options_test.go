package engine

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestValidateReportsAllFaults(t *testing.T) {
	err := Options{
		Network: "udp", Addrs: []string{"nowhere"}, Loops: 256, MaxFrame: -1, HighWater: 10, LowWater: 20,
		ChokedTime: -time.Second, MaxConnections: -3,
	}.Validate()
	if err == nil {
		t.Fatal("nothing found wrong")
	}
	for _, want := range []string{
		`Network "udp"`, "nowhere", "Split is missing", "Loops 256", "MaxFrame -1",
		"LowWater 20 is above HighWater 10", "ChokedTime", "MaxConnections -3",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}

func TestZeroOptionsMeanDefaults(t *testing.T) {
	o := Options{Addrs: []string{":9876"}, Split: splitInt32}
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	d := o.withDefaults()
	if d.MaxFrame != 16777216 || d.HighWater != 64<<10 || d.LowWater != 32<<10 ||
		d.IdleTimeout() != 120*time.Second || d.ChokedTime != time.Minute || d.ChokedInput != 4<<20 {
		t.Errorf("defaults %+v", d)
	}
	if want := max(1, runtime.GOMAXPROCS(0)/2); d.Loops != want {
		t.Errorf("%d loops, want %d", d.Loops, want)
	}
	// A low HighWater pulls the default of LowWater down with it.
	o.HighWater = 1000
	if err := o.Validate(); err != nil || o.withDefaults().LowWater != 1000 {
		t.Errorf("HighWater 1000: %v, LowWater %d", err, o.withDefaults().LowWater)
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(nil, Options{Addrs: []string{":0"}, Split: splitInt32}); err == nil {
		t.Error("no handler accepted")
	}
	if _, err := New(echo{}, Options{Addrs: []string{":0"}}); err == nil {
		t.Error("no split function accepted")
	}
}

func TestGnetSpeaksThroughSlog(t *testing.T) {
	log := &logBuffer{}
	g := gnetLogger{log: log.logger()}
	g.Debugf("a %d", 1)
	g.Infof("b %d", 2)
	g.Warnf("c %d", 3)
	g.Errorf("d %v", errors.New("4"))
	g.Fatalf("e %d", 5) // and we live on
	for _, want := range []string{
		`level=DEBUG msg=gnet text="a 1"`, `level=DEBUG msg=gnet text="b 2"`, `level=WARN msg=gnet text="c 3"`,
		`level=ERROR msg=gnet text="d 4"`, `level=ERROR msg=gnet text="e 5"`,
	} {
		if !log.has(want) {
			t.Errorf("log does not say %s", want)
		}
	}
}

func TestSparingLog(t *testing.T) {
	log := &logBuffer{}
	var s sparingLog
	for range 10 {
		s.warn(log.logger(), "peer misbehaves")
	}
	if n := strings.Count(log.b.String(), "peer misbehaves"); n != 1 {
		t.Errorf("%d lines, want 1", n)
	}
	s.next.Store(0) // a second later
	s.warn(log.logger(), "peer misbehaves")
	if !log.has("suppressed=9") {
		t.Errorf("log %q does not say how many lines were held back", log.b.String())
	}
}

func TestBuffersKeepSizesApart(t *testing.T) {
	var p buffers
	for _, n := range []int{0, 1, 255, 256, 257, 4096, 4097, 65536, 65537, 1 << 20} {
		b := p.get(n)
		if len(b.B) != 0 || cap(b.B) < n {
			t.Errorf("get(%d): len %d, cap %d", n, len(b.B), cap(b.B))
		}
		b.B = append(b.B, make([]byte, n)...)
		p.put(b)
	}
	for range 100 {
		if b := p.get(3); cap(b.B) > smallBuffer {
			t.Fatalf("a buffer of %d bytes for 3", cap(b.B))
		}
		if b := p.get(5000); cap(b.B) > largeBuffer {
			t.Fatalf("a buffer of %d bytes for 5000", cap(b.B))
		}
	}
}
