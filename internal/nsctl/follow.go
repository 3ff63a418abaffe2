package nsctl

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-json"
)

// follow follows a stream of /v1/watch, and comes back after it was cut off. query says
// from where on. each returns an error if it is to be begun again. begun says that the API
// has answered before: else the error is also why it cannot be reached. It is why the
// stream is refused; nil is the end of ctx.
func (a *admin) follow(ctx context.Context, begun bool, query func() url.Values, warn func(format string, args ...any), each func(event) error) error {
	const firstPause, longest = 100 * time.Millisecond, 5 * time.Second
	pause, said := firstPause, ""
	for ; ; begun = true {
		var failed error
		err := a.stream(ctx, "/v1/watch", query(), func(e event) bool {
			begun, pause, said = true, firstPause, ""
			failed = each(e)
			return failed == nil
		})
		if failed != nil {
			err = failed
		}
		var p *problemError
		isProblem := errors.As(err, &p)
		switch {
		case ctx.Err() != nil:
			return nil
		case isProblem && p.isLater():
			pause = max(pause, p.retryAfter)
		case isProblem, !begun && errors.Is(err, errNoAPI):
			return err
		}
		if text := err.Error(); text != said { // that it is still so is not said again
			warn("connection lost: %s; trying again", text)
			said = text
		}
		if !sleep(ctx, pause) {
			return nil
		}
		pause = min(2*pause, longest)
	}
}

// followAll follows all servers at once until ctx ends, which is no failure.
func (c *ctl) followAll(ctx context.Context, follow func(context.Context, *admin, *lines) error) error {
	admins, err := c.admins()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	out := &lines{ctl: c, stop: stop}
	answers := gather(admins, func(a *admin) answer[struct{}] {
		err := follow(ctx, a, out)
		if ctx.Err() != nil {
			err = nil
		}
		if err != nil {
			out.warn(a.name, "%v", err)
		}
		return answer[struct{}]{server: a.name, err: err}
	})
	if out.err != nil {
		return &exitError{exitNo, out.err.Error()}
	}
	return ending(answers) // what failed was said when it happened
}

// lines prints what comes from several servers, a line for each thing.
type lines struct {
	*ctl
	stop func() // tells all to end, when nothing can be printed any more

	mu  sync.Mutex
	err error
}

// print prints v as JSON in a line or as a YAML document, or name, or the cells.
func (l *lines) print(v any, name string, cells ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	var err error
	switch l.output {
	case "json":
		var text []byte
		if text, err = json.MarshalWithOption(v, json.DisableHTMLEscape()); err == nil {
			_, err = l.stdout.Write(append(text, '\n'))
		}
	case "yaml":
		if _, err = l.stdout.Write([]byte("---\n")); err == nil {
			err = l.ctl.print(v, nil)
		}
	case "name":
		_, err = l.stdout.Write([]byte(clean(name) + "\n"))
	default:
		for i := range cells {
			cells[i] = clean(cells[i])
		}
		_, err = l.stdout.Write([]byte(strings.TrimRight(strings.Join(cells, "  "), " ") + "\n"))
	}
	if err != nil {
		l.err = err
		l.stop()
	}
}

// warn says on stderr what has become of a server.
func (l *lines) warn(server, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sayOf(server, format, args...)
}
