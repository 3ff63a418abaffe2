package bench

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"gonamesrv/bench/group"
)

// A Warmup is how long there is load before anything is measured: a fixed time,
// 0 for none, or UntilStill.
type Warmup Duration

// UntilStill warms up until the figure stands still, for at most warmup-most.
const UntilStill Warmup = -1

const stillText = "still"

// MarshalText writes w.
func (w Warmup) MarshalText() ([]byte, error) {
	if w == UntilStill {
		return []byte(stillText), nil
	}
	return Duration(w).MarshalText()
}

// UnmarshalText reads w.
func (w *Warmup) UnmarshalText(text []byte) error {
	if string(text) == stillText {
		*w = UntilStill
		return nil
	}
	return (*Duration)(w).UnmarshalText(text)
}

// The figure stands still when so many windows in a row differ by no more than
// stillWithin of the smallest, and do not all go one way by more than stillTrend: then
// it is on its way. A window takes a second at first. Later it takes a
// fifth of the warm-up so far, so that a slow fall is seen: a JVM goes on
// compiling for a minute or two, ever less of it.
const (
	stillWindows = 3
	stillWithin  = 0.05
	stillTrend   = 0.02
	firstWindow  = time.Second
	windowPart   = 5
)

// A WarmupCurve is what was seen of the warm-up, window by window.
type WarmupCurve struct {
	// Figure is what was to stand still: "server CPU per million requests" (in
	// seconds) where the process is known, also of several kinds of requests
	// together, as it is compared with itself only; else "replies per second" of a
	// closed loop, or "median latency" (in microseconds) of an open one.
	Figure string `json:"figure"`
	Unit   string `json:"unit"` // "s/1M", "/s" or "µs"
	// Fixed says that the warm-up was to last for a fixed time, still or not.
	Fixed bool `json:"fixed,omitempty"`
	// Still says that the last three windows were within 5 %, and were not going one way.
	Still       bool     `json:"still"`
	MostSeconds float64  `json:"mostSeconds"` // it might take
	Windows     []Window `json:"windows"`
}

// A Window is a part of the warm-up.
type Window struct {
	Seconds float64 `json:"seconds"` // since the warm-up began, at its end
	Value   float64 `json:"value"`   // 0 when nothing was answered
}

// isStill reports whether the last windows are within stillWithin, and do not go one way.
func isStill(windows []Window) bool {
	if len(windows) < stillWindows {
		return false
	}
	last := windows[len(windows)-stillWindows:]
	byValue := func(a, b Window) int { return cmp.Compare(a.Value, b.Value) }
	low, high := slices.MinFunc(last, byValue).Value, slices.MaxFunc(last, byValue).Value
	return low > 0 && high <= low*(1+stillWithin) && !(goesOneWay(last) && high > low*(1+stillTrend))
}

// goesOneWay reports whether values only rise, or only fall.
func goesOneWay(windows []Window) bool {
	rise, fall := true, true
	for i := range windows[1:] {
		rise = rise && windows[i].Value < windows[i+1].Value
		fall = fall && windows[i].Value > windows[i+1].Value
	}
	return rise || fall
}

// warmUp is how long the warm-up may take, and whether it lasts for all of that.
func (p *Params) warmUp() (most time.Duration, fixed bool) {
	if p.Warmup == UntilStill {
		return time.Duration(p.WarmupMost), false
	}
	return time.Duration(p.Warmup), true
}

// warmUp is the load before anything is measured.
func (r *run) warmUp(ctx context.Context) error {
	most, fixed := r.p.warmUp()
	loaded := len(r.streams) > 0 || r.warm != nil
	if most == 0 || (!fixed && !loaded) {
		return nil
	}
	r.enterStage("warm-up", most, 0)
	r.d.enter(0)
	switch {
	case !loaded:
		return sleep(ctx, most)
	case r.opt.Warm != nil:
		return r.opt.Warm(ctx, r.seen)
	}
	watched, stop := r.warmBeside(ctx)
	curve, err := r.watchWarmUp(watched, most, fixed, func() (*opStats, error) { return r.d.takeWarmUp(), nil })
	if err := stop(); err != nil {
		return fmt.Errorf("warm-up: %w", err)
	}
	r.res.Warmup = curve
	return err
}

// warmBeside does what a scenario without streams does to warm up, until stop is
// called. watched is done when it fails.
func (r *run) warmBeside(ctx context.Context) (watched context.Context, stop func() error) {
	if r.warm == nil {
		return ctx, func() error { return nil }
	}
	ending, end := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- r.warm(ctx, ending)
		end()
	}()
	return ending, func() error {
		end()
		return <-ended
	}
}

// watchWarmUp looks at window after window until the figure stands still. take returns what
// was seen since it was called last.
func (r *run) watchWarmUp(ctx context.Context, most time.Duration, fixed bool, take func() (*opStats, error)) (*WarmupCurve, error) {
	curve := &WarmupCurve{Fixed: fixed, MostSeconds: most.Seconds()}
	figure := r.warmFigure(curve)
	read := func(took time.Duration) (float64, error) {
		seen, err := take()
		if err != nil {
			return 0, err
		}
		return figure(seen, took), nil
	}
	if _, err := read(0); err != nil { // the first window begins
		return curve, err
	}
	begun := time.Now()
	for at := begun; ; {
		rest := most - time.Since(begun)
		if rest <= 0 || (curve.Still && !fixed) {
			return curve, nil
		}
		if err := sleep(ctx, min(rest, max(firstWindow, time.Since(begun)/windowPart))); err != nil {
			return curve, err
		}
		took := time.Since(at)
		at = at.Add(took)
		value, err := read(took)
		if err != nil {
			return curve, err
		}
		if took < firstWindow && len(curve.Windows) > 0 {
			continue // what was left of a fixed time says little
		}
		curve.Windows = append(curve.Windows, Window{Seconds: time.Since(begun).Seconds(), Value: value})
		curve.Still = isStill(curve.Windows)
	}
}

// warmFigure chooses the figure, and returns what makes it of what was seen in the time since
// it was called last, which is so long ago.
func (r *run) warmFigure(c *WarmupCurve) func(seen *opStats, took time.Duration) float64 {
	switch pid := r.meter.pid; {
	case pid != 0:
		c.Figure, c.Unit = "server CPU per million requests", "s/1M"
		var before time.Duration
		return func(seen *opStats, _ time.Duration) float64 {
			now := group.CPU(pid)
			spent := now - before
			before = now
			if seen.answered == 0 {
				return 0
			}
			return spent.Seconds() / float64(seen.answered) * 1e6
		}
	case len(r.streams) > 0 && r.streams[0].rate > 0:
		c.Figure, c.Unit = "median latency", "µs"
		return func(seen *opStats, _ time.Duration) float64 { return latencyOf(seen.latency).P50 }
	}
	c.Figure, c.Unit = "replies per second", "/s"
	return func(seen *opStats, took time.Duration) float64 {
		if took <= 0 {
			return 0
		}
		return float64(seen.answered) / took.Seconds()
	}
}

// takeWarmUp returns what was seen of the warm-up since the last time: right
// replies, and requests sent where none is wanted.
func (d *driver) takeWarmUp() *opStats {
	sum := new(opStats)
	take := func(s *opStats, op int) {
		sum.add(s)
		if d.ops[op].oneway {
			sum.answered += s.sent
		}
		*s = opStats{}
	}
	d.each(func(w *worker) {
		for op := range w.stats[0] {
			take(&w.stats[0][op], op)
		}
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	for op := range d.ops {
		if s := d.extra[[2]int{0, op}]; s != nil {
			take(s, op)
		}
	}
	return sum
}
