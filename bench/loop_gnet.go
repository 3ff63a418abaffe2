package bench

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// A gnetLoop is a loop of gnet, for systems without epoll. A goroutine beside it has the
// clock, which is as precise as Go's timers: about a millisecond when nothing else runs.
// The lateness of the result says so.
type gnetLoop struct {
	gnet.BuiltinEventEngine
	w      *worker
	client *gnet.Client
	loop   gnet.EventLoop // known when the first connection is open
	turned chan struct{}  // the pacer's turn is over
	ending chan struct{}
	pacer  sync.WaitGroup
}

func startGnetLoop(w *worker) (loop, error) {
	l := &gnetLoop{w: w, turned: make(chan struct{}, 1), ending: make(chan struct{})}
	client, err := gnet.NewClient(l, gnet.WithNumEventLoop(1), gnet.WithLogger(quiet{}))
	if err != nil {
		return nil, err
	}
	l.client = client
	return l, client.Start()
}

// quiet drops the lines of gnet's log: the result says what went wrong with a
// connection.
type quiet struct{}

func (quiet) Debugf(string, ...any) {}
func (quiet) Infof(string, ...any)  {}
func (quiet) Warnf(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(string, ...any) {}

func (l *gnetLoop) enroll(nc net.Conn, c *conn) error {
	_, err := l.client.EnrollContext(nc, c)
	return err
}

// OnOpen is called by gnet when a connection is the loop's.
func (l *gnetLoop) OnOpen(g gnet.Conn) ([]byte, gnet.Action) {
	if l.loop == nil {
		l.loop = g.EventLoop()
		if l.w.polite {
			yield()
		}
		if l.w.needsPacer() {
			l.pacer.Go(l.pace)
		}
	}
	l.w.opened(g.Context().(*conn), g)
	return nil, gnet.None
}

// OnClose is called by gnet, also from within a failed write.
func (l *gnetLoop) OnClose(g gnet.Conn, err error) gnet.Action {
	l.w.closed(g.Context().(*conn), err)
	return gnet.None
}

// OnTraffic is called by gnet when a connection has bytes.
func (l *gnetLoop) OnTraffic(g gnet.Conn) gnet.Action {
	in, _ := g.Next(-1)
	if !l.w.traffic(g.Context().(*conn), in) {
		return gnet.Close
	}
	return gnet.None
}

func (l *gnetLoop) execute(f func()) bool {
	return l.loop != nil && l.loop.Execute(context.Background(), task(f)) == nil
}

func (l *gnetLoop) stop() {
	close(l.ending)
	l.pacer.Wait()
	_ = l.client.Stop() // it stops
}

// A task runs on a loop of gnet.
type task func()

// Run runs it.
func (t task) Run(context.Context) error {
	t()
	return nil
}

// The pacer looks at due at least so often, as a connection may begin to rest,
// and naps at least so long: what is due earlier goes together.
const (
	pacerLooks = time.Millisecond
	pacerNap   = 20 * time.Microsecond
)

// pace calls turn when something is due, until the loop ends. It runs beside
// the loop, which has no clock of its own.
func (l *gnetLoop) pace() {
	w := l.w
	run := task(func() {
		w.turn(w.d.now())
		l.turned <- struct{}{}
	})
	for {
		select {
		case <-l.ending:
			return
		default:
		}
		if w.due.Load() <= w.d.now() {
			if l.loop.Execute(context.Background(), run) != nil {
				return
			}
			<-l.turned
		}
		wait := min(time.Duration(w.due.Load()-w.d.now()), pacerLooks)
		time.Sleep(max(wait, pacerNap))
	}
}
