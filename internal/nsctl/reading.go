package nsctl

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/goccy/go-json"
)

// A reading is an answer of the API: what we understand of it, and all of it, which
// -o json and -o yaml show.
type reading[T any] struct {
	is  T
	raw json.RawMessage
}

// UnmarshalJSON implements json.Unmarshaler.
func (r *reading[T]) UnmarshalJSON(text []byte) error {
	r.raw = slices.Clone(text)
	return json.Unmarshal(text, &r.is)
}

// A told is what one server has answered, as -o json and -o yaml show it.
type told struct {
	Server string          `json:"server"`
	Answer json.RawMessage `json:"answer"`
}

// tellings returns the answers of those that have answered.
func tellings[T any](answers []answer[reading[T]]) []told {
	all := []told{}
	for _, a := range answers {
		if a.err == nil {
			all = append(all, told{a.server, a.value.raw})
		}
	}
	return all
}

// A page is one page of a list.
type page[T any] struct {
	Generation string       `json:"generation"`
	Items      []reading[T] `json:"items"`
	Next       string       `json:"next"`
}

// pages reads a list page by page until its end, or until take returns false. param is
// that by which the next page is asked for.
func pages[T any](ctx context.Context, a *admin, path string, query url.Values, param string, take func(*page[T]) bool) error {
	query = cloneQuery(query)
	for {
		var p page[T]
		if err := a.get(ctx, path, query, &p); err != nil {
			return err
		}
		if !take(&p) || p.Next == "" {
			return nil
		}
		if p.Next == query.Get(param) {
			return &unreachedError{errors.New("a list that does not end")}
		}
		query.Set(param, p.Next)
	}
}

func cloneQuery(q url.Values) url.Values {
	clone := url.Values{}
	for k, v := range q {
		clone[k] = slices.Clone(v)
	}
	return clone
}

// eachAdmin asks the APIs of all servers at once.
func eachAdmin[T any](ctx context.Context, c *ctl, ask func(ctx context.Context, a *admin) (T, error)) ([]answer[T], error) {
	admins, err := c.admins()
	if err != nil {
		return nil, err
	}
	return gather(admins, func(a *admin) answer[T] {
		v, err := ask(ctx, a)
		return answer[T]{a.name, v, err}
	}), nil
}

// gather calls f for each at once.
func gather[A, B any](list []A, f func(A) B) []B {
	results := make([]B, len(list))
	done := make(chan struct{})
	for i := range list {
		go func() {
			results[i] = f(list[i])
			done <- struct{}{}
		}()
	}
	for range list {
		<-done
	}
	return results
}

// sortRowsBy sorts the rows of g by a column; those that are equal stay in their order.
func sortRowsBy(g *grid, column int) {
	slices.SortStableFunc(g.rows, func(a, b []string) int { return strings.Compare(a[column], b[column]) })
}

// conclude prints what was found, unless nobody has answered, tells of who has not, and
// returns how the program ends.
func conclude[T any](c *ctl, answers []answer[T], v any, g *grid) error {
	if slices.ContainsFunc(answers, func(a answer[T]) bool { return a.err == nil }) {
		if err := c.print(v, g); err != nil {
			return &exitError{exitNo, err.Error()}
		}
	}
	return outcome(c, answers)
}
