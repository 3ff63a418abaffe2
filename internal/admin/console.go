package admin

import (
	"bytes"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// A page is a row of the console. What it shows comes from the functions that answer
// the read API: there is no second truth.
type page struct {
	path  string
	view  string // name of its template
	title string
	heavy bool
	query []string // the parameters that it knows
	watch string   // what a browser watches to know when to ask again, beside the state
	every int      // seconds after which it asks again in any case; 0: never
	fill  func(a *Admin, q *query) (any, error)
}

func pages() []page {
	return []page{
		{path: "/{$}", view: "overview", title: "Overview", watch: "&events=1", every: 10, fill: (*Admin).overviewPage},
		{path: "/brokers", view: "brokers", title: "Brokers", query: []string{"name", "cluster", "state", "page"}, watch: "&events=1", every: 10, fill: (*Admin).brokersPage},
		{path: "/brokers/{b}", view: "broker", title: "Broker", watch: "&events=1", every: 10, fill: (*Admin).brokerPage},
		{path: "/topics", view: "topics", title: "Topics", heavy: true, query: []string{"prefix", "contains", "cluster", "broker", "perm", "after"}, fill: (*Admin).topicsPage},
		{path: "/topics/{t}", view: "topic", title: "Topic", query: []string{"version", "zone", "from"}, fill: (*Admin).topicPage},
		{path: "/clients", view: "clients", title: "Clients", heavy: true, query: []string{"by", "after"}, every: 15, fill: (*Admin).clientsPage},
		{path: "/events", view: "events", title: "Events", query: []string{"type", "cluster", "broker", "topic", "since"}, watch: "&events=1", fill: (*Admin).eventsPage},
		{path: "/config", view: "config", title: "Configuration", query: []string{"all"}, watch: "&events=1", fill: (*Admin).configPage},
		{path: "/peers", view: "peers", title: "Name servers", every: 10, fill: (*Admin).peersPage},
	}
}

// consoleRows are the pages, what they are made with, and how somebody logs in.
func consoleRows() (rows []row) {
	for _, p := range pages() {
		rows = append(rows, row{path: p.path, needs: roleRead, heavy: p.heavy, handle: p.serve})
	}
	return append(rows,
		row{path: "/charts.json", needs: roleRead, handle: (*Admin).chartsJSON},
		row{path: "/assets/{name}", needs: roleNone, handle: (*Admin).asset},
		row{path: "/favicon.ico", needs: roleNone, handle: (*Admin).favicon},
		row{path: "/login", needs: roleNone, handle: (*Admin).loginPage, post: (*Admin).login},
		row{path: "/logout", needs: roleNone, handle: (*Admin).loginPage, post: (*Admin).logout},
	)
}

// A shell is what stands around each page.
type shell struct {
	Title, View string
	Status      *statusAnswer // nil: it is none of the business of who asks
	Watch       string        // the query of /v1/watch; "": the page stays as it is
	Every       int
	Owner       string // who has logged in; "": nobody
	Body        any
}

func (p page) serve(a *Admin, w http.ResponseWriter, r *http.Request) {
	q, err := parseQuery(r, p.query)
	var body any
	if err == nil {
		body, err = p.fill(a, q)
	}
	if err != nil {
		a.writeTrouble(w, r, err)
		return
	}
	s := a.shellOf(r)
	s.Title, s.View, s.Body, s.Every = p.title, p.view, body, p.every
	s.Watch = "state=1" + p.watch + "&since=" + s.Status.Generation
	if t, ok := body.(titled); ok {
		s.Title = t.title()
	}
	if t, ok := body.(*topicView); ok {
		s.Watch += "&topic=" + url.QueryEscape(t.Name)
	}
	a.writePage(w, http.StatusOK, p.view, s)
}

// A titled page has a title of its own.
type titled interface{ title() string }

// shellOf returns the shell for somebody who may see pages.
func (a *Admin) shellOf(r *http.Request) *shell {
	v, _ := a.status(nil) // it never fails
	st := v.(statusAnswer)
	s := &shell{Status: &st}
	if o, ok := a.guard.loggedIn(r); ok {
		s.Owner = o.name
	}
	return s
}

// A trouble is why there is no page.
type trouble struct {
	Title, Detail, Hint string
	LastEvent           *eventAnswer
}

// writeTrouble answers with a page that says what is wrong.
func (a *Admin) writeTrouble(w http.ResponseWriter, r *http.Request, err error) {
	var f *fault
	if !errors.As(err, &f) {
		a.log.Error("page failed", "path", r.URL.Path, "err", err)
		f = &fault{kind: kindInternal, detail: "see the log of the server"}
	}
	if f.retryAfter > 0 {
		w.Header().Set("Retry-After", "1")
	}
	s := a.shellOf(r)
	s.Title, s.View, s.Body = f.title, "trouble", trouble{f.title, f.detail, f.hint, f.lastEvent}
	a.writePage(w, f.status, "trouble", s)
}

// writePage makes a page and then writes it: half a page is never shown.
func (a *Admin) writePage(w http.ResponseWriter, status int, view string, s *shell) {
	var b bytes.Buffer
	if err := templates()[view].ExecuteTemplate(&b, "layout", s); err != nil {
		a.log.Error("page failed", "page", view, "err", err)
		http.Error(w, "the page cannot be made, see the log of the server", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // whoever asked may have gone
}

// templates are parsed when the first page is asked for: a server that nobody looks at
// does without them.
var templates = sync.OnceValue(func() map[string]*template.Template {
	layout := template.Must(template.New("").Funcs(words).ParseFS(consoleFiles, "console/layout.html"))
	all := map[string]*template.Template{}
	for _, view := range []string{"overview", "brokers", "broker", "topics", "topic", "clients", "events", "config", "peers", "trouble", "login"} {
		all[view] = template.Must(template.Must(layout.Clone()).ParseFS(consoleFiles, "console/"+view+".html"))
	}
	return all
})

// wantsPage reports whether a browser asks for something to show.
func wantsPage(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

// answerOf asks the read API for a page: with other parameters than those of the page.
func answerOf[T any](a *Admin, q *query, values url.Values, answer func(*Admin, *query) (any, error)) (t T, err error) {
	v, err := answer(a, &query{Request: q.Request, values: values})
	if err != nil {
		return t, err
	}
	return v.(T), nil
}

// some returns the parameters of a page that the read API knows by the same names.
func (q *query) some(names ...string) url.Values {
	values := url.Values{}
	for _, name := range names {
		if text := q.text(name); text != "" { // a form sends its empty fields too
			values.Set(name, text)
		}
	}
	return values
}

// pageRows is how many rows a page shows.
const pageRows = 100

// link returns a path with parameters.
func link(path string, values url.Values) string {
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}
