package nsctl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-json"
)

const (
	maxAnswer    = 256 << 20 // bytes of one answer
	maxEventLine = 16 << 20
)

// webClient returns what asks over HTTP: one for the whole run. Its idle connections end
// with that.
func (c *ctl) webClient() (*http.Client, error) {
	c.webOnce.Do(func() {
		secure, err := c.tls.config()
		if err != nil {
			c.webErr = err
			return
		}
		c.web = &http.Client{
			Transport:     &http.Transport{TLSClientConfig: secure, Proxy: nil, MaxIdleConnsPerHost: 4},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	})
	return c.web, c.webErr
}

// token returns the token to show, "" for none.
func (c *ctl) token() (string, error) {
	if c.tokenFile == "" {
		return c.env("NSCTL_TOKEN"), nil
	}
	text, err := os.ReadFile(c.tokenFile)
	if err != nil {
		return "", usage("%v", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// A problemError is an answer of the API other than the one asked for.
type problemError struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Hint   string `json:"hint"`
	Oldest string `json:"oldest"` // of 410: the oldest event that there is

	retryAfter time.Duration // of 429 and 503, at least a second
	hasToken   bool          // one was shown
}

func (e *problemError) Error() string {
	text := e.Detail
	if text == "" {
		text = e.Title
	}
	if e.Hint != "" {
		text += "; try: " + e.Hint
	}
	if e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden {
		text += "; nsctl shows "
		if e.hasToken {
			text += "the token of --token-file or $NSCTL_TOKEN"
		} else {
			text += "a token that is in --token-file or $NSCTL_TOKEN, and there is none"
		}
	}
	return clean(text)
}

// isLater reports whether the answer is to come later.
func (e *problemError) isLater() bool {
	return e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable
}

// isNo reports whether the answer is that there is no such thing, or none any more.
func (e *problemError) isNo() bool {
	return e.Status == http.StatusNotFound || e.Status == http.StatusGone
}

// errNoAPI is said where something answers, or nothing does, that is not our API.
var errNoAPI = errors.New("this needs a gonamesrv with its admin listener")

// get asks for one thing, for at most the time of --timeout, and decodes the answer into v.
// path begins with a slash; its parts are escaped. What is answered instead is a
// *problemError.
func (a *admin) get(ctx context.Context, path string, query url.Values, v any) error {
	text, err := a.fetch(ctx, path, query, "application/json", a.timeout)
	if err != nil {
		return err
	}
	if out, ok := v.(*[]byte); ok {
		*out = text
		return nil
	}
	if err := json.Unmarshal(text, v); err != nil {
		return &unreachedError{fmt.Errorf("%w: %w", errNoAPI, err)}
	}
	return nil
}

// fetch asks for one thing of whatever type, for at most so long. Whoever is told to come
// later comes later, as long as there is time.
func (a *admin) fetch(ctx context.Context, path string, query url.Values, accept string, most time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, most, fmt.Errorf("no answer within %v", most))
	defer cancel()
	for {
		body, err := a.open(ctx, path, query, accept)
		var said *problemError
		if errors.As(err, &said) && said.isLater() && sleep(ctx, said.retryAfter) {
			continue
		}
		if err != nil {
			return nil, err
		}
		defer body.Close()
		text, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
		switch {
		case err != nil:
			return nil, &unreachedError{causeOf(ctx, err)}
		case len(text) > maxAnswer:
			return nil, &unreachedError{fmt.Errorf("an answer of more than %d bytes", maxAnswer)}
		}
		return text, nil
	}
}

// open asks for something and returns its body, which ends with ctx and which the caller
// closes.
func (a *admin) open(ctx context.Context, path string, query url.Values, accept string) (io.ReadCloser, error) {
	reply, err := a.send(ctx, path, query, accept)
	if err != nil {
		return nil, err
	}
	return a.bodyOf(reply)
}

// bodyOf returns the body of an answer that is the one asked for.
func (a *admin) bodyOf(reply *http.Response) (io.ReadCloser, error) {
	if reply.StatusCode == http.StatusOK {
		return reply.Body, nil
	}
	defer reply.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(reply.Body, 64<<10))
	p := &problemError{hasToken: a.token != ""}
	if json.Unmarshal(said, p) != nil || p.Status == 0 {
		return nil, &unreachedError{fmt.Errorf("%w: it answers %s", errNoAPI, reply.Status)}
	}
	seconds, _ := strconv.Atoi(reply.Header.Get("Retry-After"))
	p.retryAfter = time.Duration(min(max(seconds, 1), 60)) * time.Second
	return nil, p
}

// send asks for something and returns the answer, whatever it is.
func (a *admin) send(ctx context.Context, path string, query url.Values, accept string) (*http.Response, error) {
	base, err := a.base(ctx)
	if err != nil {
		return nil, err
	}
	reply, err := a.sendTo(ctx, base, path, query, accept)
	if err != nil {
		a.forget()
	}
	return reply, err
}

// sendTo is send for an API that is at base.
func (a *admin) sendTo(ctx context.Context, base *url.URL, path string, query url.Values, accept string) (*http.Response, error) {
	text := strings.TrimSuffix(base.String(), "/") + path
	if len(query) > 0 {
		text += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, text, nil)
	if err != nil {
		return nil, usage("%v", err)
	}
	r.Header.Set("Accept", accept)
	if a.token != "" {
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	reply, err := a.http.Do(r)
	if err != nil {
		return nil, &unreachedError{fmt.Errorf("%w: %w", errNoAPI, causeOf(ctx, err))}
	}
	return reply, nil
}

// causeOf returns why ctx has ended if it has, else err.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// An event is one server-sent event.
type event struct {
	id, kind string // id is that of the last event that had one
	data     []byte // the callee's, until it returns
}

// maxSilence is for how long a stream may say nothing: the server says something each
// 15 s, so one that is silent is dead, though nobody has closed it.
const maxSilence = 50 * time.Second

var errSilent = fmt.Errorf("nothing came for %v", maxSilence)

// stream follows a stream of events until ctx ends, the stream does, or each returns
// false. follow comes back after that.
func (a *admin) stream(ctx context.Context, path string, query url.Values, each func(event) bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Whoever listens and never answers would be waited for without end.
	late := time.AfterFunc(a.timeout, func() { cancel(fmt.Errorf("no answer within %v", a.timeout)) })
	defer late.Stop()
	body, err := a.open(ctx, path, query, "text/event-stream")
	if err != nil {
		return err
	}
	defer body.Close()
	late.Stop()
	silent := time.AfterFunc(maxSilence, func() { cancel(errSilent) })
	defer silent.Stop()
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 0, 64<<10), maxEventLine)
	var e event
	for lines.Scan() {
		silent.Reset(maxSilence)
		line := lines.Text()
		if line == "" {
			if e.data != nil && !each(e) {
				return nil
			}
			e = event{id: e.id}
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			e.id = value
		case "event":
			e.kind = value
		case "data":
			if len(e.data)+len(value) > maxEventLine {
				return &unreachedError{bufio.ErrTooLong}
			}
			if e.data != nil {
				e.data = append(e.data, '\n')
			}
			e.data = append(e.data, value...)
		}
	}
	if ctx.Err() != nil {
		return &unreachedError{context.Cause(ctx)}
	}
	if err := lines.Err(); err != nil {
		return &unreachedError{err}
	}
	return &unreachedError{io.ErrUnexpectedEOF}
}

// getAll asks the APIs of all servers for the same thing at once.
func getAll[T any](ctx context.Context, c *ctl, path string, query url.Values) ([]answer[T], error) {
	return eachAdmin(ctx, c, func(ctx context.Context, a *admin) (v T, err error) {
		err = a.get(ctx, path, query, &v)
		return v, err
	})
}
