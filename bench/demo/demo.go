package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"gonamesrv/bench/launch"
	"gonamesrv/internal/client"
)

// Options say how the demo goes. All fields but Nsctl and Open must be set.
type Options struct {
	Namesrv string           // path of our server
	Nsctl   string           // how to start nsctl, as it is typed in a shell; "" says nothing of it
	For     time.Duration    // it ends after so long
	Every   time.Duration    // so often a broker is killed, for the first time after a third of it
	Away    time.Duration    // it comes back after so long
	Out     io.Writer        // what happens, a line each
	Open    func(url string) // is told the address of the console; nil if nobody wants to know
}

// The master that is killed, and the topic that has no other.
const (
	victim      = "broker-c"
	victimTopic = "INVOICES"
)

// Run shows it all until the time is over or ctx is done, which is no error. It fails if
// the server cannot be started, or does not answer as it should. When it returns, the
// server and its files are gone.
func Run(ctx context.Context, opt Options) (err error) {
	spec, console, err := launch.NamesrvWithConsole(opt.Namesrv)
	if err != nil {
		return err
	}
	server, err := launch.New(ctx, spec)
	if err != nil {
		return ended(ctx, err)
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	if err := server.Start(ctx); err != nil {
		return ended(ctx, err)
	}
	ctx, cancel := context.WithTimeout(ctx, opt.For)
	defer cancel()
	d := &show{Options: opt, server: server.Target().Address}
	if err := d.run(ctx, console); err != nil {
		return fmt.Errorf("%w%s", err, server.Tail())
	}
	fmt.Fprintln(opt.Out, "The demo has ended.")
	return nil
}

// A show is one run of the demo.
type show struct {
	Options
	server string // host:port

	actors sync.WaitGroup
	fail   context.CancelCauseFunc
}

// run plays with a server that serves.
func (d *show) run(ctx context.Context, console string) error {
	ctx, d.fail = context.WithCancelCause(ctx)
	defer d.actors.Wait()
	defer d.fail(nil)
	var master *broker
	var dying context.CancelFunc
	for _, b := range cluster() {
		life, end := context.WithCancel(ctx)
		defer end()
		if !d.start(life, b) {
			return failure(ctx)
		}
		if b.name == victim && b.id == 0 {
			master, dying = b, end
		}
	}
	for _, r := range readers() {
		d.act(func() error { return r.live(ctx, d.server) })
	}
	fmt.Fprintf(d.Out, "A name server listens on %s. Three simulated brokers and their slaves have registered, clients ask for routes.\n", d.server)
	fmt.Fprintf(d.Out, "The console: %s\n", console)
	if d.Nsctl != "" {
		fmt.Fprintf(d.Out, "In another terminal: %s -n %s broker list\n", d.Nsctl, d.server)
	}
	fmt.Fprintf(d.Out, "It ends after %v, or with Ctrl-C.\n", d.For)
	if d.Open != nil {
		d.Open(console)
	}
	conn, err := client.Dial(ctx, d.server, client.Options{})
	if err != nil {
		return ended(ctx, err)
	}
	defer conn.Close()
	for pause := d.Every / 3; sleep(ctx, pause); pause = max(0, d.Every-d.Away) {
		begun := time.Now()
		dying()
		if !d.until(ctx, conn, master, false) {
			break
		}
		d.say("the master of %s is killed. After %v no client is told of it any more.", victim, since(begun))
		if !sleep(ctx, d.Away) {
			break
		}
		begun = time.Now()
		life, end := context.WithCancel(ctx)
		defer end()
		dying = end
		if !d.start(life, master) || !d.until(ctx, conn, master, true) {
			break
		}
		d.say("the master of %s is back. Clients are told of it after %v.", victim, since(begun))
	}
	return failure(ctx)
}

// start lets a broker live, and reports whether it has registered.
func (d *show) start(ctx context.Context, b *broker) bool {
	registered := make(chan struct{})
	once := sync.OnceFunc(func() { close(registered) })
	d.act(func() error { return b.live(ctx, d.server, once) })
	select {
	case <-registered:
		return true
	case <-ctx.Done():
		return false
	}
}

// act runs one part beside the others. The first that fails ends all.
func (d *show) act(part func() error) {
	d.actors.Go(func() {
		if err := part(); err != nil {
			d.fail(err)
		}
	})
}

// until waits until clients are told of a broker, or are not any more. It reports whether
// that came before ctx was done.
func (d *show) until(ctx context.Context, conn *client.Conn, b *broker, want bool) bool {
	for {
		told, err := names(ctx, conn, victimTopic, b.addr)
		if err != nil {
			d.fail(fmt.Errorf("route of %s: %w", victimTopic, err))
			return false
		}
		if told == want {
			return true
		}
		if !sleep(ctx, time.Millisecond) {
			return false
		}
	}
}

func (d *show) say(format string, args ...any) {
	fmt.Fprintf(d.Out, time.Now().Format(time.TimeOnly)+" "+format+"\n", args...)
}

// since is how long ago that was, to a tenth of a millisecond.
func since(begun time.Time) time.Duration { return time.Since(begun).Round(100 * time.Microsecond) }

// failure returns why a part has ended all, nil if none has.
func failure(ctx context.Context) error {
	err := context.Cause(ctx)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}
