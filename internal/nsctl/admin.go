package nsctl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/goccy/go-json"
)

const (
	adminPort    = "19876"
	maxAnswer    = 256 << 20 // bytes of one answer
	maxEventLine = 16 << 20
)

// An admin is the HTTP API of one name server. Safe for concurrent use.
type admin struct {
	*ctl
	name  string // the address of the name server, or of the API if that was given
	base  *url.URL
	token string
	http  *http.Client
}

// admins returns the API of each server.
func (c *ctl) admins() ([]*admin, error) {
	token, err := c.token()
	if err != nil {
		return nil, err
	}
	given := c.admin
	if given == "" {
		given = c.env("NSCTL_ADMIN")
	}
	web, err := c.webClient()
	if err != nil {
		return nil, err
	}
	var all []*admin
	add := func(name, text string) error {
		base, err := url.Parse(text)
		if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
			return usage("%q is not a URL of an HTTP API", text)
		}
		if len(all) == maxServers {
			return usage("more than %d servers are given", maxServers)
		}
		all = append(all, &admin{ctl: c, name: name, base: base, token: token, http: web})
		return nil
	}
	if given != "" {
		for text := range strings.SplitSeq(given, ";") {
			text = strings.TrimSpace(text)
			if text != "" && !strings.Contains(text, "://") {
				text = "http://" + text
			}
			if err := add(strings.TrimPrefix(text, "http://"), text); err != nil {
				return nil, err
			}
		}
		return all, nil
	}
	addrs, err := c.addresses()
	if err != nil {
		return nil, err
	}
	for _, addr := range addrs {
		if err := add(addr, "http://"+net.JoinHostPort(hostOf(addr), adminPort)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// newAdmin returns the API of a name server that is at a port of its host.
func (c *ctl) newAdmin(addr string, port int, secure bool) (*admin, error) {
	token, err := c.token()
	if err != nil {
		return nil, err
	}
	web, err := c.webClient()
	if err != nil {
		return nil, err
	}
	base := &url.URL{Scheme: "http", Host: net.JoinHostPort(hostOf(addr), strconv.Itoa(port))}
	if secure {
		base.Scheme = "https"
	}
	return &admin{ctl: c, name: addr, base: base, token: token, http: web}, nil
}

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
}

func (e *problemError) Error() string {
	text := e.Detail
	if text == "" {
		text = e.Title
	}
	if e.Hint != "" {
		text += "; try: " + e.Hint
	}
	return clean(text)
}

// errNoAPI is said where something answers, or nothing does, that is not our API.
var errNoAPI = errors.New("this needs a gonamesrv with its admin listener")

// get asks for one thing, for at most the time of --timeout, and decodes the answer into v.
// path begins with a slash; its parts are escaped. What is answered instead is a
// *problemError.
func (a *admin) get(ctx context.Context, path string, query url.Values, v any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, a.timeout, fmt.Errorf("no answer within %v", a.timeout))
	defer cancel()
	body, err := a.open(ctx, path, query, "application/json")
	if err != nil {
		return err
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
	switch {
	case err != nil:
		return &unreachedError{causeOf(ctx, err)}
	case len(text) > maxAnswer:
		return &unreachedError{fmt.Errorf("an answer of more than %d bytes", maxAnswer)}
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

// open asks for something and returns its body, which ends with ctx and which the caller
// closes.
func (a *admin) open(ctx context.Context, path string, query url.Values, accept string) (io.ReadCloser, error) {
	text := strings.TrimSuffix(a.base.String(), "/") + path
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
	if reply.StatusCode == http.StatusOK {
		return reply.Body, nil
	}
	defer reply.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(reply.Body, 64<<10))
	p := &problemError{}
	if json.Unmarshal(said, p) != nil || p.Status == 0 {
		return nil, &unreachedError{fmt.Errorf("%w: it answers %s", errNoAPI, reply.Status)}
	}
	return nil, p
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
	id, kind string
	data     []byte // the callee's, until it returns
}

// stream follows a stream of events until ctx ends, the stream does, or each returns false.
func (a *admin) stream(ctx context.Context, path string, query url.Values, each func(event) bool) error {
	body, err := a.open(ctx, path, query, "text/event-stream")
	if err != nil {
		return err
	}
	defer body.Close()
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 0, 64<<10), maxEventLine)
	var e event
	for lines.Scan() {
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
			if e.data != nil {
				e.data = append(e.data, '\n')
			}
			e.data = append(e.data, value...)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := lines.Err(); err != nil {
		return &unreachedError{err}
	}
	return &unreachedError{io.ErrUnexpectedEOF}
}

// getAll asks the APIs of all servers for the same thing at once.
func getAll[T any](ctx context.Context, c *ctl, path string, query url.Values) ([]answer[T], error) {
	admins, err := c.admins()
	if err != nil {
		return nil, err
	}
	answers := make([]answer[T], len(admins))
	var all sync.WaitGroup
	for i, a := range admins {
		all.Go(func() {
			answers[i].server = a.name
			answers[i].err = a.get(ctx, path, query, &answers[i].value)
		})
	}
	all.Wait()
	return answers, nil
}
