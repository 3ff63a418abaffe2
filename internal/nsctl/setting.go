package nsctl

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// settings are keys of the configuration of name servers, with their values.
type settings map[string]string

// text is what is set, as the command line of `nsctl config set` has it.
func (s settings) text() string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(s)) {
		parts = append(parts, key+"="+s[key])
	}
	return strings.Join(parts, " ")
}

// settingOf makes a change of the configuration. The order of keys is that in which they are
// asked for and shown.
func settingOf(keys []string, values settings) *change {
	return &change{
		ask: "set " + values.text(), name: "key",
		look:  func(ctx context.Context, s *server) ([]state, error) { return s.keys(ctx, keys) },
		apply: func(ctx context.Context, s *server, _ []state) error { return s.setKeys(ctx, keys, values) },
		done: func(before, after []state) error {
			for i, st := range after {
				if want := strings.TrimFunc(values[st.name], isTrimmed); st.value != want && st.value == before[i].value {
					return &refusedError{fmt.Sprintf("%s is still %s", st.name, textOf(&st.value))}
				}
			}
			return nil
		},
	}
}

// setFor sets keys of all servers. With a time, it waits until that is over or ctx ends, and
// sets back what nobody else has changed meanwhile.
func (c *ctl) setFor(ctx context.Context, values settings, most time.Duration) error {
	if most == 0 {
		return c.setWhile(ctx, values, "", nil)
	}
	return c.setWhile(ctx, values, "", func() {
		fmt.Fprintf(c.stderr, "nsctl: set back in %v; Ctrl-C sets it back at once\n", most)
		sleep(ctx, most)
	})
}

// setWhile sets keys of all servers, after it has asked whether to: what is done is what ask
// says, or that they are set. If wait is not nil, they are set back when it returns.
func (c *ctl) setWhile(ctx context.Context, values settings, ask string, wait func()) error {
	keys := slices.Sorted(maps.Keys(values))
	ch := settingOf(keys, values)
	if ask != "" {
		ch.ask = ask
	}
	var mu sync.Mutex
	was := map[string]settings{} // of the servers that may have changed
	apply := ch.apply
	ch.apply = func(ctx context.Context, s *server, before []state) error {
		mu.Lock()
		was[s.addr] = settings{}
		for _, st := range before {
			was[s.addr][st.name] = st.value
		}
		mu.Unlock()
		return apply(ctx, s, before)
	}
	// Who has been asked to change something is not left before it is known what has
	// become of it: what is set must be set back.
	end := changeAll(context.WithoutCancel(ctx), c, ch)
	if wait == nil || len(was) == 0 {
		return end
	}
	wait()
	if err := c.setBack(ctx, ch, values, was); err != nil {
		return err
	}
	return end
}

// setBack gives servers the values they had, whether ctx has ended or not: also those that
// did not answer when they were changed, unless they have other values now.
func (c *ctl) setBack(ctx context.Context, ch *change, values settings, was map[string]settings) error {
	keys := slices.Sorted(maps.Keys(values))
	var mu sync.Mutex
	answers, err := askAll(context.WithoutCancel(ctx), c, func(ctx context.Context, s *server) ([]changed, error) {
		old, ok := was[s.addr]
		if !ok {
			return nil, nil
		}
		failed := func(err error) error { return fmt.Errorf("it is NOT set back to %s: %w", old.text(), err) }
		before, err := s.keys(ctx, keys)
		if err != nil {
			return nil, failed(err)
		}
		is := settings{}
		for _, st := range before {
			is[st.name] = st.value
		}
		if maps.Equal(is, old) {
			return pair(before, before), nil
		}
		if !maps.Equal(is, values) {
			mu.Lock()
			defer mu.Unlock()
			c.sayOf(s.addr, "somebody else has set %s meanwhile: it stays", is.text())
			return pair(before, before), nil
		}
		if err := s.setKeys(ctx, keys, old); err != nil {
			return nil, failed(err)
		}
		after, err := s.keys(ctx, keys)
		if err != nil {
			return nil, failed(err)
		}
		return pair(before, after), nil
	})
	if err != nil {
		return err
	}
	answers = slices.DeleteFunc(answers, func(a answer[[]changed]) bool { return was[a.server] == nil })
	if err := ch.print(c, answers); err != nil {
		return err
	}
	return outcome(c, answers)
}
