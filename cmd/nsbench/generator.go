package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gonamesrv/bench"
)

// generatorFlags are those of the processes that make the load.
type generatorFlags struct {
	n      int
	cpus   string
	agents agentFlags
}

func (f *generatorFlags) add(fl *pflag.FlagSet) {
	fl.IntVar(&f.n, "generators", 0, "processes that make the load of route and miss, together; 0 makes it in this one")
	f.agents.add(fl)
	fl.StringVar(&f.cpus, "cpus", "", "processors that the generator may use, such as 0,2-3, and so leave others to the server; all when empty (Linux)")
}

// A task is what a generator is told, as one line of JSON.
type task struct {
	Scenario    bench.Scenario
	Seed        uint64
	Address     string
	AllowRemote bool
	Workers     int
	Part        bench.Part
	TLS         tlsFlags
	Led         bool // who gives the task says when the warm-up is over
}

// What a generator and who started it say to each other, a line each.
const (
	lineReady   = "ready"
	lineLed     = " led" // it does as it is told in the warm-up
	lineGo      = "go"
	lineLook    = "look"
	lineSeen    = "seen "
	lineMeasure = "measure"
	lineResult  = "result "
	lineError   = "error "
)

// newGeneratorCommand is a process that makes a part of the load: it is told what on
// stdin, says ready when it is connected, starts with go, and says what it has seen: of the
// warm-up when somebody wants to look, until he lets it measure, and of all that it has
// measured.
func newGeneratorCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "generator",
		Short:  "Make a part of the load of another nsbench",
		Hidden: true,
		Args:   cobra.NoArgs,
		PreRun: spareProcessors,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return generate(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}

// generate does one task.
func generate(ctx context.Context, in io.Reader, out io.Writer) error {
	return generateWith(ctx, bufio.NewReader(in), out, func(*task) {})
}

// generateWith does one task, changed. When who gave it has nothing more to say it ends, and
// says what it has measured until then: the other side is gone, or wants no more. An error
// that it could tell to who gave it is not returned.
func generateWith(ctx context.Context, lines *bufio.Reader, out io.Writer, change func(*task)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	text, err := lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read the task: %w", err)
	}
	g := &guided{lines: lines, out: out, end: cancel, heard: make(chan string)}
	res, err := g.run(ctx, text, change)
	if res == nil {
		_, outErr := fmt.Fprintln(out, lineError+strings.ReplaceAll(err.Error(), "\n", "; "))
		return outErr
	}
	b, err := json.Marshal(res)
	if err == nil {
		_, err = fmt.Fprintf(out, "%s%s\n", lineResult, b)
	}
	return err
}

// A guided generator hears what it is to do. It speaks from one goroutine.
type guided struct {
	lines *bufio.Reader
	out   io.Writer
	end   func()      // is called when nobody has anything more to say
	heard chan string // lines after go
}

// run returns nil and an error, or a result.
func (g *guided) run(ctx context.Context, text []byte, change func(*task)) (*bench.Result, error) {
	var t task
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, fmt.Errorf("read the task: %w", err)
	}
	change(&t)
	cfg, err := t.TLS.config()
	if err != nil {
		return nil, err
	}
	t.Scenario.FailIf = nil // for who puts the parts together
	opt := bench.Options{
		Target: bench.Target{Address: t.Address}, Seed: t.Seed, AllowRemote: t.AllowRemote, Workers: t.Workers, TLS: cfg, Part: t.Part,
		Ready: func(ctx context.Context) error { return g.ready(ctx, t.Led) },
	}
	if t.Led {
		opt.Warm = g.warm
	}
	res, err := bench.Run(ctx, t.Scenario, opt, nil)
	if res != nil && (errors.Is(err, bench.ErrWrong) || errors.Is(err, bench.ErrInterrupted)) {
		return res, nil // it says so
	}
	if err != nil {
		return nil, err
	}
	return res, nil
}

// ready says so, and waits until it may go.
func (g *guided) ready(ctx context.Context, led bool) error {
	say := lineReady
	if led {
		say += lineLed
	}
	if _, err := fmt.Fprintln(g.out, say); err != nil {
		return err
	}
	if line, err := g.lines.ReadString('\n'); err != nil || strings.TrimSpace(line) != lineGo {
		return fmt.Errorf("not told to go, but %q (%v)", line, err)
	}
	go g.listen(ctx)
	return nil
}

// listen hands on what it hears until nothing more comes.
func (g *guided) listen(ctx context.Context) {
	defer g.end()
	for {
		line, err := g.lines.ReadString('\n')
		if err != nil {
			return
		}
		select {
		case g.heard <- strings.TrimSpace(line):
		case <-ctx.Done():
			return
		}
	}
}

// warm says what was seen whenever somebody wants to look, until it is to measure.
func (g *guided) warm(ctx context.Context, seen func() bench.Seen) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case line := <-g.heard:
			switch line {
			case lineMeasure:
				return nil
			case lineLook:
			default:
				return fmt.Errorf("told %.100q in the warm-up", line)
			}
		}
		b, err := json.Marshal(seen())
		if err == nil {
			_, err = fmt.Fprintf(g.out, "%s%s\n", lineSeen, b)
		}
		if err != nil {
			return err
		}
	}
}

// A localCrew is generators on this machine.
type localCrew struct {
	n    int
	task task // of each, but for the part and what the run says
}

// Size is how many they are.
func (c *localCrew) Size() int { return c.n }

// crew is nil where this process makes the load.
func (f *generatorFlags) crew(t task) (bench.Crew, error) {
	crew, err := f.agents.crew(t)
	switch {
	case err != nil || f.n == 0:
		return crew, err
	case crew != nil:
		return nil, errors.New("--generators and --agents exclude each other")
	}
	return &localCrew{n: f.n, task: t}, nil
}

// Load starts all of them, lets them go together and waits for their results.
func (c *localCrew) Load(ctx context.Context, sc bench.Scenario, seed uint64, begin func(), lead func(bench.Look) error) ([]*bench.Result, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	members := make([]*member, c.n)
	var wg sync.WaitGroup
	defer wg.Wait()
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end() // they end, if they have not
	for i := range members {
		t := c.task
		t.Scenario, t.Seed, t.Part, t.Led = sc, seed, bench.Part{Index: i, Of: c.n}, lead != nil
		m, err := startMember(life, self, fmt.Sprintf("generator %d", i+1), t)
		if m != nil {
			members[i] = m
			wg.Go(m.wait)
		}
		if err != nil {
			end()
			return nil, fmt.Errorf("generator %d: %w", i+1, err)
		}
	}
	return together(ctx, end, members, begin, lead)
}

// endWithin is how long generators may take to say what they have measured when somebody
// interrupts the run.
const endWithin = 15 * time.Second

// together lets members go when all are ready, and measure when lead says that they are warm.
// The first error ends all. When ctx ends they hear nothing more, and say what they have
// measured until then.
func together(ctx context.Context, end func(), members []*member, begin func(), lead func(bench.Look) error) ([]*bench.Result, error) {
	stop := context.AfterFunc(ctx, func() {
		for _, m := range members {
			_ = m.in.Close() // it may be gone
		}
		time.AfterFunc(endWithin, end)
	})
	defer stop()
	errs := make(chan error, len(members))
	results := make([]*bench.Result, len(members))
	each := func(f func(i int, m *member) error) error {
		for i, m := range members {
			go func() {
				err := f(i, m)
				if err != nil {
					err = fmt.Errorf("%s: %w", m.name, err)
					end()
				}
				errs <- err
			}()
		}
		var first error
		for range members {
			if err := <-errs; first == nil {
				first = err
			}
		}
		return first
	}
	tell := func(line string) error {
		return each(func(_ int, m *member) error { return m.say(line) })
	}
	if err := each(func(_ int, m *member) error { return m.expectReady(lead != nil) }); err != nil {
		return nil, err
	}
	begin()
	err := tell(lineGo)
	if err == nil && lead != nil {
		err = lead(func() ([]bench.Seen, error) {
			seen := make([]bench.Seen, len(members))
			err := each(func(i int, m *member) (err error) {
				seen[i], err = m.look()
				return err
			})
			return seen, err
		})
		if err == nil {
			err = tell(lineMeasure)
		}
	}
	if err == nil {
		err = each(func(i int, m *member) (err error) {
			results[i], err = m.finish()
			return err
		})
	}
	if err != nil {
		return nil, errors.Join(err, ctx.Err())
	}
	return results, nil
}

// A member is one generator.
type member struct {
	name string
	in   io.WriteCloser
	out  *bufio.Reader
	wait func()
}

func startMember(ctx context.Context, self, name string, t task) (*member, error) {
	cmd := exec.CommandContext(ctx, self, "generator")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	m := &member{name: name, in: in, out: bufio.NewReader(out), wait: func() {
		<-ctx.Done()   // its output is read until then
		_ = cmd.Wait() // killed, or ended
	}}
	return m, m.tell(t)
}

// tell gives it its task.
func (m *member) tell(t task) error {
	text, err := json.Marshal(t)
	if err != nil {
		return err
	}
	_, err = m.in.Write(append(text, '\n'))
	return err
}

// line reads a line that begins so, and returns the rest of it.
func (m *member) line(begin string) (string, error) {
	text, err := m.out.ReadString('\n')
	text = strings.TrimSuffix(text, "\n")
	if what, ok := strings.CutPrefix(text, lineError); ok {
		return "", errors.New(what)
	}
	if err != nil {
		return "", fmt.Errorf("it ended: %w", err)
	}
	rest, ok := strings.CutPrefix(text, begin)
	if !ok {
		return "", fmt.Errorf("it says %.100q", text)
	}
	return rest, nil
}

// expectReady waits until it is. One of an older version cannot be led.
func (m *member) expectReady(led bool) error {
	rest, err := m.line(lineReady)
	if err == nil && led && rest != lineLed {
		err = errors.New("it is of an older version of nsbench, which warms up by itself: install the same everywhere, or give --warmup 0s")
	}
	return err
}

// say tells it a line.
func (m *member) say(line string) error {
	_, err := io.WriteString(m.in, line+"\n")
	return err
}

// look asks what it has seen of the warm-up since it was asked last.
func (m *member) look() (seen bench.Seen, err error) {
	if err := m.say(lineLook); err != nil {
		return seen, err
	}
	text, err := m.line(lineSeen)
	if err != nil {
		return seen, err
	}
	return seen, json.Unmarshal([]byte(text), &seen)
}

// finish returns its result.
func (m *member) finish() (*bench.Result, error) {
	text, err := m.line(lineResult)
	if err != nil {
		return nil, err
	}
	res := new(bench.Result)
	return res, json.Unmarshal([]byte(text), res)
}
