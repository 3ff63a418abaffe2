package component

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// StopTime is how long a component may take to stop that names no time of its
// own.
const StopTime = 5 * time.Second

// A Component is something that starts and stops. Its List calls each method once
// at most, and never two methods at the same time.
type Component interface {
	// Start returns when the component works, or why it does not; then it has
	// left nothing behind. ctx lasts as long as the component is to work: it is
	// done when the program is told to end, which is before Stop is called. A
	// Start that waits gives up when ctx is done and returns its error.
	Start(ctx context.Context) error

	// Stop returns when the component has ended, all its goroutines included. ctx
	// is done when its time is over. A Stop that ignores it is not waited for.
	Stop(ctx context.Context)
}

// A Func is a component made of two functions. Either may be nil.
type Func struct {
	OnStart func(ctx context.Context) error
	OnStop  func(ctx context.Context)
}

// Start implements Component.
func (f Func) Start(ctx context.Context) error {
	if f.OnStart == nil {
		return nil
	}
	return f.OnStart(ctx)
}

// Stop implements Component.
func (f Func) Stop(ctx context.Context) {
	if f.OnStop != nil {
		f.OnStop(ctx)
	}
}

// A routine is a component that is one goroutine.
type routine struct {
	run    func(ctx context.Context)
	cancel context.CancelFunc
	ended  chan struct{}
}

// Routine returns a component that calls run on a goroutine of its own. run
// returns when its context is done, which is when the program is told to end.
func Routine(run func(ctx context.Context)) Component {
	return &routine{run: run, ended: make(chan struct{})}
}

func (r *routine) Start(ctx context.Context) error {
	ctx, r.cancel = context.WithCancel(ctx)
	go func() {
		defer close(r.ended)
		r.run(ctx)
	}()
	return nil
}

func (r *routine) Stop(ctx context.Context) {
	r.cancel()
	select {
	case <-r.ended:
	case <-ctx.Done():
	}
}

// An entry is a component of a list.
type entry struct {
	Component
	name string
	time func() time.Duration
}

// A List is the components of a program. It starts and stops once. Start and Stop
// are safe from any goroutine.
type List struct {
	log     *slog.Logger
	entries []entry

	told context.Context // done once Stop is called
	tell context.CancelFunc

	turn    chan struct{} // holds one; taken by Start and by Stop, each from its beginning to its end
	begun   bool          // Start was called, or Begin, or Stop
	running []entry       // started and not yet stopped
}

// NewList returns an empty list. log is told of components that do not stop.
func NewList(log *slog.Logger) *List {
	l := &List{log: log, turn: make(chan struct{}, 1)}
	l.turn <- struct{}{}
	l.told, l.tell = context.WithCancel(context.Background())
	return l
}

// Add puts a component behind those that it needs. name is what the log calls it.
// Not after Start.
func (l *List) Add(name string, c Component) {
	l.AddSlow(name, c, func() time.Duration { return StopTime })
}

// AddSlow is Add for a component with a time of its own: limit is asked, when the
// component is to stop, how long that may take.
func (l *List) AddSlow(name string, c Component, limit func() time.Duration) {
	l.entries = append(l.entries, entry{c, name, limit})
}

// Start starts the components in their order and returns when all of them work.
// ctx is given to each. If one fails, or if ctx is done or Stop is called before
// the last was started, those that were started are stopped before Start returns
// the reason.
func (l *List) Start(ctx context.Context) error {
	<-l.turn
	defer func() { l.turn <- struct{}{} }()
	if l.begun {
		return errors.New("component: started twice")
	}
	l.begun = true
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(l.told, cancel)
	for _, e := range l.entries {
		err := ctx.Err()
		if err == nil {
			err = e.Start(ctx)
		}
		if err != nil {
			cancel()
			l.stopAll(context.Background())
			return err
		}
		l.running = append(l.running, e)
	}
	return nil
}

// Begin adds a component behind those that run and starts it at once, for a program
// that learns as it goes what it is made of. limit is that of AddSlow. If the
// component fails, the others go on.
func (l *List) Begin(ctx context.Context, name string, c Component, limit func() time.Duration) error {
	<-l.turn
	defer func() { l.turn <- struct{}{} }()
	if l.told.Err() != nil {
		return errors.New("component: begun after the end")
	}
	l.begun = true
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(l.told, cancel)
	if err := c.Start(ctx); err != nil {
		cancel()
		return err
	}
	l.running = append(l.running, entry{c, name, limit})
	return nil
}

// Stop stops the components that were started, the last one first, and returns
// when each has ended or has had its time. ctx bounds the whole: when it is done,
// each that is left is told to stop and is not waited for. A Stop during Start
// makes Start give up; a second Stop waits for the first and does nothing.
func (l *List) Stop(ctx context.Context) {
	l.tell()
	<-l.turn
	defer func() { l.turn <- struct{}{} }()
	l.begun = true // a Start that comes later starts nothing
	l.stopAll(ctx)
}

// stopAll stops what runs. In the turn of Start or Stop.
func (l *List) stopAll(ctx context.Context) {
	for len(l.running) > 0 {
		last := len(l.running) - 1
		e := l.running[last]
		l.running = l.running[:last]
		l.stop(ctx, e)
	}
}

// stop stops one component, or leaves it behind when its time is over.
func (l *List) stop(ctx context.Context, e entry) {
	limit := e.time()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		e.Stop(ctx)
	}()
	select {
	case <-ended: // perhaps because its Stop has given up
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		l.log.Warn("component has not stopped in its time, it is left behind", "component", e.name, "limit", limit)
	}
}
