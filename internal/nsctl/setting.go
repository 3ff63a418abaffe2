package nsctl

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"gonamesrv/codec"
)

// settings are keys of the configuration of name servers, with their values: words and
// numbers, which properties files need not escape.
type settings map[string]string

func (s settings) text() string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(s)) {
		parts = append(parts, key+"="+s[key])
	}
	return strings.Join(parts, " ")
}

// A settingChange is what became of setting keys on one server.
type settingChange struct {
	Server string   `json:"server"`
	Before settings `json:"before"`
	After  settings `json:"after"`
}

// settings asks a server for the values of keys. A key that it does not have is an error:
// Java's would take it, and do nothing.
func (s *server) settings(ctx context.Context, keys []string) (settings, error) {
	reply, err := s.call(ctx, codec.ReqGetNamesrvConfig, nil, nil)
	if err != nil {
		return nil, err
	}
	found := settings{}
	for line := range strings.Lines(string(reply.Body)) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if key = strings.TrimSpace(key); ok && slices.Contains(keys, key) {
			found[key] = strings.TrimSpace(value)
		}
	}
	for _, key := range keys {
		if _, ok := found[key]; !ok {
			return nil, &problemError{Status: http.StatusNotImplemented, Detail: "it has no key " + key + ": this needs a gonamesrv"}
		}
	}
	return found, nil
}

// set sets keys of a server.
func (s *server) set(ctx context.Context, values settings) error {
	var body strings.Builder
	for _, key := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&body, "%s=%s\n", key, values[key])
	}
	_, err := s.call(ctx, codec.ReqUpdateNamesrvConfig, nil, []byte(body.String()))
	return err
}

// setFor sets keys of all servers. With a time, it waits until that is over or ctx ends, and
// sets back what nobody else has changed meanwhile.
func (c *ctl) setFor(ctx context.Context, values settings, most time.Duration) error {
	if most == 0 {
		return c.setWhile(ctx, values, nil)
	}
	return c.setWhile(ctx, values, func() {
		fmt.Fprintf(c.stderr, "nsctl: set back in %v; Ctrl-C sets it back at once\n", most)
		sleep(ctx, most)
	})
}

// setWhile sets keys of all servers and prints what they were before. If wait is not nil,
// they are set back when it returns.
func (c *ctl) setWhile(ctx context.Context, values settings, wait func()) error {
	keys := slices.Sorted(maps.Keys(values))
	// Who has been asked to change something is not left before it is known what has
	// become of it: what is set must be set back.
	answers, err := askAll(context.WithoutCancel(ctx), c, func(ctx context.Context, s *server) (settingChange, error) {
		change := settingChange{Server: s.addr}
		var err error
		if change.Before, err = s.settings(ctx, keys); err != nil {
			return change, err
		}
		if err = s.set(ctx, values); err != nil {
			return change, err
		}
		change.After, err = s.settings(ctx, keys)
		return change, err
	})
	if err != nil {
		return err
	}
	end := c.concludeChanges(answers)
	if wait != nil && slices.ContainsFunc(answers, func(a answer[settingChange]) bool { return a.value.Before != nil }) {
		wait()
		if err := c.setBack(ctx, values, answers); err != nil {
			return err
		}
	}
	return end
}

// setBack gives servers the values of before, whether ctx has ended or not: also those
// that did not answer when they were changed, unless they have other values now.
func (c *ctl) setBack(ctx context.Context, values settings, changes []answer[settingChange]) error {
	before := map[string]settings{}
	for _, a := range changes {
		if a.value.Before != nil {
			before[a.server] = a.value.Before
		}
	}
	keys := slices.Sorted(maps.Keys(values))
	var mu sync.Mutex
	answers, err := askAll(context.WithoutCancel(ctx), c, func(ctx context.Context, s *server) (settingChange, error) {
		was, ok := before[s.addr]
		if !ok {
			return settingChange{}, nil
		}
		change := settingChange{Server: s.addr}
		is, err := s.settings(ctx, keys)
		if err != nil {
			return change, fmt.Errorf("it is NOT set back to %s: %w", was.text(), err)
		}
		change.Before, change.After = is, is
		if maps.Equal(is, was) {
			return change, nil
		}
		if !maps.Equal(is, values) {
			mu.Lock()
			defer mu.Unlock()
			c.sayOf(s.addr, "somebody else has set %s meanwhile: it stays", is.text())
			return change, nil
		}
		if err = s.set(ctx, was); err == nil {
			change.After, err = s.settings(ctx, keys)
		}
		if err != nil {
			err = fmt.Errorf("it is NOT set back to %s: %w", was.text(), err)
		}
		return change, err
	})
	if err != nil {
		return err
	}
	answers = slices.DeleteFunc(answers, func(a answer[settingChange]) bool { return a.err == nil && a.value.Server == "" })
	return c.concludeChanges(answers)
}

// concludeChanges prints before and after of each server that was changed.
func (c *ctl) concludeChanges(answers []answer[settingChange]) error {
	g := &grid{columns: []column{{name: "server"}, {name: "before"}, {name: ""}, {name: "after"}}}
	all := []settingChange{}
	for _, a := range answers {
		if a.err == nil {
			all = append(all, a.value)
			g.add(a.server, a.value.Before.text(), "->", a.value.After.text())
		}
	}
	return conclude(c, answers, all, g)
}
