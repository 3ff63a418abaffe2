package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A query is what a request of the read API asks for. Its methods return what a
// parameter says; the first one that says something wrong is the fault.
type query struct {
	*http.Request
	values url.Values
	err    *fault
}

// parseQuery reads the parameters of a request, of which all must be known, and none
// but some may come twice.
func parseQuery(r *http.Request, known []string, many ...string) (*query, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badParameter("the query cannot be read: %v", err)
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		switch {
		case !slices.Contains(known, name) && len(known) == 0:
			return nil, badParameter("parameter %s is not known here: there are none", quoted(name))
		case !slices.Contains(known, name):
			return nil, badParameter("parameter %s is not known here; there are %s", quoted(name), strings.Join(known, ", "))
		case len(values[name]) > 1 && !slices.Contains(many, name):
			return nil, badParameter("parameter %s comes %d times", name, len(values[name]))
		}
	}
	return &query{Request: r, values: values}, nil
}

// fault returns what is wrong with the parameters that were asked for.
func (q *query) fault() error {
	if q.err == nil {
		return nil
	}
	return q.err
}

func (q *query) refuse(format string, args ...any) { q.fail(badParameter(format, args...)) }

func (q *query) fail(f *fault) {
	if q.err == nil {
		q.err = f
	}
}

// text returns a parameter, "" if it was left out.
func (q *query) text(name string) string { return q.values.Get(name) }

// whole returns a parameter that is a whole number.
func (q *query) whole(name string, unset, least, most int) int {
	if !q.values.Has(name) {
		return unset
	}
	n, err := strconv.Atoi(q.text(name))
	if err != nil || n < least || n > most || strings.HasPrefix(q.text(name), "+") {
		q.refuse("%s is %s, must be a whole number from %d to %d", name, quoted(q.text(name)), least, most)
		return unset
	}
	return n
}

// wholes returns a parameter that is whole numbers, which are separated by commas, each
// once, count at most.
func (q *query) wholes(name string, count, least, most int) (list []int) {
	if !q.values.Has(name) {
		return nil
	}
	texts := strings.SplitN(q.text(name), ",", count+1)
	if len(texts) > count {
		q.refuse("%s has more than %d numbers", name, count)
		return nil
	}
	for _, text := range texts {
		n, err := strconv.Atoi(text)
		if err != nil || n < least || n > most || strings.HasPrefix(text, "+") || slices.Contains(list, n) {
			q.refuse("%s has %s, must be different whole numbers from %d to %d", name, quoted(text), least, most)
			return nil
		}
		list = append(list, n)
	}
	return list
}

// flag returns a parameter that is yes or no.
func (q *query) flag(name string) bool {
	switch q.text(name) {
	case "1", "true":
		return true
	case "0", "false":
		return false
	}
	if q.values.Has(name) {
		q.refuse("%s is %s, must be 1, true, 0 or false", name, quoted(q.text(name)))
	}
	return false
}

// words returns the words of a parameter, which are separated by commas.
func (q *query) words(name string, known ...string) (words []string) {
	if !q.values.Has(name) {
		return nil
	}
	for word := range strings.SplitSeq(q.text(name), ",") {
		if !slices.Contains(known, word) {
			q.refuse("%s has %s, must be some of %s", name, quoted(word), strings.Join(known, ", "))
		}
		words = append(words, word)
	}
	return words
}

// Pages of lists.
const (
	usualPage   = 100
	largestPage = 1000
)

func (q *query) limit(most int) int { return q.whole("limit", usualPage, 1, most) }

// quoted is a text of who asks, as it is shown in an answer: not too long, and
// readable whatever is in it.
func quoted(text string) string {
	const most = 100
	if len(text) > most {
		return fmt.Sprintf("%q… (%d bytes)", text[:most], len(text))
	}
	return strconv.Quote(text)
}
