package component

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A diary notes what components do, in their order.
type diary struct {
	mu      sync.Mutex
	entries []string
}

func (d *diary) note(what string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, what)
}

func (d *diary) want(t *testing.T, want string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if got := strings.Join(d.entries, " "); got != want {
		t.Errorf("it went\n%s, want\n%s", got, want)
	}
}

// component returns one that notes its start and its stop.
func (d *diary) component(name string, change ...func(*Func)) Func {
	f := Func{
		OnStart: func(context.Context) error { d.note("+" + name); return nil },
		OnStop:  func(context.Context) { d.note("-" + name) },
	}
	for _, c := range change {
		c(&f)
	}
	return f
}

func failing(err error) func(*Func) {
	return func(f *Func) {
		start := f.OnStart
		f.OnStart = func(ctx context.Context) error { start(ctx); return err }
	}
}

// fiveWith returns a list of components a to e, one of them changed.
func fiveWith(d *diary, name string, change ...func(*Func)) (*List, *bytes.Buffer) {
	var log bytes.Buffer
	l := NewList(slog.New(slog.NewTextHandler(&log, nil)))
	for _, n := range []string{"a", "b", "c", "d", "e"} {
		if n == name {
			l.Add(n, d.component(n, change...))
		} else {
			l.Add(n, d.component(n))
		}
	}
	return l, &log
}

func TestOrder(t *testing.T) {
	var d diary
	l, log := fiveWith(&d, "")
	if err := l.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.want(t, "+a +b +c +d +e")
	l.Stop(t.Context())
	d.want(t, "+a +b +c +d +e -e -d -c -b -a")
	l.Stop(t.Context())
	if err := l.Start(t.Context()); err == nil {
		t.Error("started again")
	}
	d.want(t, "+a +b +c +d +e -e -d -c -b -a")
	if log.Len() > 0 {
		t.Errorf("the log is %q", log)
	}
}

// TestFailureInTheMiddle fails at each place: those before are stopped, in
// reverse, each once, also if somebody stops the list afterwards.
func TestFailureInTheMiddle(t *testing.T) {
	failed := errors.New("no")
	names := []string{"a", "b", "c", "d", "e"}
	for i, name := range names {
		t.Run(name, func(t *testing.T) {
			var d diary
			l, _ := fiveWith(&d, name, failing(failed))
			if err := l.Start(t.Context()); err != failed {
				t.Errorf("error is %v", err)
			}
			var want []string
			for _, n := range names[:i+1] {
				want = append(want, "+"+n)
			}
			before := slices.Clone(names[:i])
			slices.Reverse(before)
			for _, n := range before {
				want = append(want, "-"+n)
			}
			d.want(t, strings.Join(want, " "))
			l.Stop(t.Context())
			d.want(t, strings.Join(want, " "))
		})
	}
}

// waiting makes the start of a component wait until its context is done.
func waiting(begun chan<- struct{}) func(*Func) {
	return func(f *Func) {
		f.OnStart = func(ctx context.Context) error {
			close(begun)
			<-ctx.Done()
			return ctx.Err()
		}
	}
}

// TestStopDuringStart stops while the third of five is being started: by Stop
// from another goroutine, and by the context.
func TestStopDuringStart(t *testing.T) {
	for _, how := range []string{"Stop", "context"} {
		t.Run(how, func(t *testing.T) {
			var d diary
			begun := make(chan struct{})
			l, log := fiveWith(&d, "c", waiting(begun))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			started := make(chan error)
			go func() { started <- l.Start(ctx) }()
			<-begun
			stopped := make(chan struct{})
			if how == "Stop" {
				go func() { defer close(stopped); l.Stop(t.Context()) }()
			} else {
				cancel()
				close(stopped)
			}
			if err := <-started; !errors.Is(err, context.Canceled) {
				t.Errorf("Start returns %v", err)
			}
			<-stopped
			d.want(t, "+a +b -b -a")
			if log.Len() > 0 {
				t.Errorf("the log is %q", log)
			}
		})
	}
}

// TestStopBetweenStarts is told to end by a component that starts without
// waiting: the next is not started, and it is stopped itself.
func TestStopBetweenStarts(t *testing.T) {
	var d diary
	ctx, cancel := context.WithCancel(t.Context())
	l, _ := fiveWith(&d, "c", func(f *Func) {
		f.OnStart = func(context.Context) error { d.note("+c"); cancel(); return nil }
	})
	if err := l.Start(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Start returns %v", err)
	}
	d.want(t, "+a +b +c -c -b -a")
}

func TestStopBeforeStart(t *testing.T) {
	var d diary
	l, _ := fiveWith(&d, "")
	l.Stop(t.Context())
	if err := l.Start(t.Context()); err == nil {
		t.Error("started")
	}
	d.want(t, "")
}

// TestStopTwiceAtOnce stops from two goroutines: each component is stopped once,
// and neither returns before all have ended.
func TestStopTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		l, _ := fiveWith(&d, "c", func(f *Func) {
			stop := f.OnStop
			f.OnStop = func(ctx context.Context) { time.Sleep(time.Second); stop(ctx) }
		})
		if err := l.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				l.Stop(t.Context())
				d.want(t, "+a +b +c +d +e -e -d -c -b -a")
			})
		}
		both.Wait()
	})
}

// TestStuck has a component that does not stop, and says so or not. It costs its
// time, is named in the log, and the others are stopped.
func TestStuck(t *testing.T) {
	for _, heedsContext := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var d diary
			release := make(chan struct{})
			l, log := fiveWith(&d, "c", func(f *Func) {
				f.OnStop = func(ctx context.Context) {
					d.note("-c")
					if heedsContext {
						<-ctx.Done()
					} else {
						<-release
					}
				}
			})
			if err := l.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			before := time.Now()
			l.Stop(context.Background())
			if took := time.Since(before); took != StopTime {
				t.Errorf("it took %v, want %v", took, StopTime)
			}
			d.want(t, "+a +b +c +d +e -e -d -c -b -a")
			if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "component=c ") {
				t.Errorf("the log is %q", log)
			}
			close(release)
		})
	}
}

// TestStopTimes: a component may have a time of its own, which is asked for when
// it is to stop, and the whole has that of the context.
func TestStopTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		release := make(chan struct{})
		stuck := Func{OnStop: func(context.Context) { <-release }}
		for _, tt := range []struct {
			name        string
			own, whole  time.Duration
			wantStopped time.Duration
		}{
			{"a longer one", time.Hour, 2 * time.Hour, time.Hour},
			{"a shorter one", time.Millisecond, time.Hour, time.Millisecond},
			{"the whole", time.Hour, time.Second, time.Second},
		} {
			d = diary{}
			l := NewList(slog.New(slog.DiscardHandler))
			var own time.Duration
			l.Add("a", d.component("a"))
			l.AddSlow("stuck", stuck, func() time.Duration { return own })
			if err := l.Start(context.Background()); err != nil {
				t.Fatal(err)
			}
			own = tt.own
			before := time.Now()
			ctx, cancel := context.WithTimeout(context.Background(), tt.whole)
			l.Stop(ctx)
			cancel()
			if took := time.Since(before); took != tt.wantStopped {
				t.Errorf("%s: it took %v, want %v", tt.name, took, tt.wantStopped)
			}
			synctest.Wait() // a is told to stop, and not waited for, when the whole time is over
			d.want(t, "+a -a")
		}
		close(release)
	})
}

// TestBegin starts components one by one. One that fails leaves the others alone.
func TestBegin(t *testing.T) {
	var d diary
	l := NewList(slog.New(slog.DiscardHandler))
	limit := func() time.Duration { return time.Minute }
	failed := errors.New("no")
	for _, name := range []string{"a", "b", "c"} {
		var want error
		c := d.component(name)
		if name == "b" {
			want = failed
			failing(failed)(&c)
		}
		if err := l.Begin(t.Context(), name, c, limit); err != want {
			t.Errorf("%s: error is %v, want %v", name, err, want)
		}
	}
	l.Stop(t.Context())
	if err := l.Begin(t.Context(), "late", d.component("late"), limit); err == nil {
		t.Error("begun after the end")
	}
	d.want(t, "+a +b +c -c -a")
}

// TestRoutine: its context is done when the program is told to end, and Stop
// waits for its end.
func TestRoutine(t *testing.T) {
	for _, told := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var d diary
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			l := NewList(slog.New(slog.DiscardHandler))
			l.Add("before", d.component("before"))
			l.Add("routine", Routine(func(ctx context.Context) {
				d.note("runs")
				<-ctx.Done()
				d.note("told")
				time.Sleep(time.Second)
				d.note("ended")
			}))
			if err := l.Start(ctx); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			d.want(t, "+before runs")
			if told {
				cancel()
				synctest.Wait()
				d.want(t, "+before runs told")
			}
			l.Stop(context.Background())
			d.want(t, "+before runs told ended -before")
		})
	}
}
