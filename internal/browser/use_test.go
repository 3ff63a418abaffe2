//go:build browser

package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonamesrv/internal/nstest"
)

// names are the brokers of the list that are shown, in the order in which they are.
const names = `[...document.querySelectorAll("#brokers tbody tr:not([hidden]) th")].map(e => e.innerText).join(" ")`

// TestSortAndFilter sorts and filters the brokers: rows stay as they were asked for when
// the page has taken others.
func TestSortAndFilter(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := threeBrokers(t, s)
	p := s.open(t, browse(t))
	p.visit("/brokers")
	p.live()
	const head = "#brokers thead th:nth-child(2)"
	want := func(what, want string) {
		t.Helper()
		p.wait(what+": "+want, fmt.Sprintf("%s === %q", names, want))
	}
	want("the worst first", "broker-c broker-a broker-a broker-b")
	p.click(head + " button")
	want("sorted", "broker-a broker-a broker-b broker-c")
	p.click(head + " button")
	want("sorted the other way", "broker-c broker-b broker-a broker-a")
	if by := eval[string](p, `document.querySelector("`+head+`").ariaSort`); by != "descending" {
		t.Errorf("it is said to be sorted %q", by)
	}
	c.register(t, s, nstest.Broker{Cluster: "shop", Name: "broker-bb", Addr: "10.0.0.6:10911", Topics: []string{"ORDERS", "RETURNS"}})
	want("one more", "broker-c broker-bb broker-b broker-a broker-a")
	p.fill("[data-filter]", "BROKER-B")
	want("filtered", "broker-bb broker-b")
	c.conns["10.0.0.3:10911"].Close()
	want("one less", "broker-bb")
	p.fill("[data-filter]", "broker-")
	want("filtered otherwise", "broker-c broker-bb broker-a broker-a")
	p.noFaults("brokers")
}

// TestSearch looks for a topic with keys only, from each page.
func TestSearch(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := threeBrokers(t, s)
	p := s.open(t, browse(t))
	for name, path := range pages(c) {
		p.visit(path)
		p.live()
		p.slash()
		p.press("ORDERS\r")
		p.wait("the topic is found from "+name, `location.pathname + location.search === "/topics?contains=ORDERS" && document.querySelector("#exact a")?.innerText === "ORDERS"`)
		p.noFaults(name)
	}
	p.live()
	p.slash()
	p.press("ORDER\r")
	p.wait("it is asked why a topic is not there", `document.querySelector("#exact a")?.innerText === "why is ORDER not routed?"`)
	p.click("#exact a")
	p.wait("it is said why", `location.pathname === "/topics/ORDER" && document.querySelector(".verdict").innerText.includes("not routed")`)
	p.noFaults("topic")
}

// TestLogin shows a wrong token and a right one, looks at a page that stays fresh, and logs
// out.
func TestLogin(t *testing.T) {
	t.Parallel()
	const token = "sesame-open-the-door"
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte("read ann "+token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, "adminTokenFile="+file, "adminAnonymousLocal=metrics")
	c := threeBrokers(t, s)
	p := s.open(t, browse(t))
	p.visit("/brokers?state=live")
	p.wait("there is a form", `document.querySelector("#token") === document.activeElement`)
	p.axe("login")
	p.shoot("login")
	p.press("sesame-shut-the-door\r")
	p.wait("the token is wrong", `document.querySelector("[role=alert]")?.innerText.includes("the token is not known")`)
	p.shoot("login-wrong")
	p.press(token + "\r")
	p.wait("there is the page that was asked for", `location.pathname + location.search === "/brokers?state=live" && document.querySelector("#brokers")`)
	if cookie := eval[string](p, "document.cookie"); cookie != "" {
		t.Errorf("a script can read the cookie %s", cookie)
	}
	p.live()
	p.only401("brokers")
	c.conns["10.0.0.3:10911"].Close()
	p.wait("the page is fresh", `!document.querySelector("#brokers").innerText.includes("10.0.0.3:10911")`)
	p.axe("brokers")
	p.click("#logout")
	p.wait("there is a form again", `document.querySelector("#token")`)
	p.noFaults("logout")
	nstest.Eventually(t, "the stream has ended", func() bool { return s.watchers() == "0" })
	p.visit("/brokers")
	p.wait("there is no page any more", `document.querySelector("#token") && !document.querySelector("#brokers")`)
	p.only401("brokers")
}

// only401 forgets that the browser has noted that a page was answered 401, and fails the test
// if it has noted anything else.
func (p *tab) only401(where string) {
	p.t.Helper()
	p.mu.Lock()
	var others []string
	for _, f := range p.faults {
		if !strings.Contains(f, "status of 401") {
			others = append(others, f)
		}
	}
	p.faults = others
	p.mu.Unlock()
	p.noFaults(where)
}

// TestPause holds the page of events still while something happens, and lets it go on.
func TestPause(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := threeBrokers(t, s)
	p := s.open(t, browse(t))
	p.visit("/events")
	p.live()
	p.click("#pause")
	c.register(t, s, nstest.Broker{Cluster: "shop", Name: "broker-late", Addr: "10.0.0.6:10911", Topics: []string{"ORDERS", "LATE"}})
	const up = `document.querySelector("#strip [data-k=uptime]").innerText`
	p.wait("the strip goes on", `document.querySelector("#strip [data-k=brokers]").innerText === "5"`)
	for range 3 { // in which a page that is not held would have changed
		was := eval[string](p, up)
		p.wait("time goes on", up+" !== "+fmt.Sprintf("%q", was))
	}
	const shown = `document.querySelector("#events").innerText.includes("broker-late")`
	if eval[bool](p, shown) {
		t.Error("the page was not held")
	}
	if eval[string](p, `document.querySelector("#pause").ariaPressed`) != "true" {
		t.Error("the button does not say that the page is held")
	}
	p.click("#pause")
	p.wait("the event is shown", shown)
	p.noFaults("events")
}

// TestStale stops the server for a while: the page says since when nothing has come, as long
// as nothing comes.
func TestStale(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.open(t, browse(t))
	p.visit("/")
	p.live()
	const stale = `!document.querySelector("#stale").hidden`
	s.halt(true)
	defer s.halt(false)
	p.wait("the page says so", stale+` && /^not updated since \d\d:\d\d:\d\d$/.test(document.querySelector("#stale").innerText)`)
	p.axe("stale")
	s.halt(false)
	p.wait("the page says no more", "!("+stale+")")
	p.noFaults("overview")
}

// TestOldClient asks what clients of 4.9.7, and of 4.9.3, which wants another dialect, are
// told of a topic.
func TestOldClient(t *testing.T) {
	t.Parallel()
	s := start(t)
	threeBrokers(t, s)
	p := s.open(t, browse(t))
	p.visit("/topics/ORDERS")
	p.live()
	if !eval[bool](p, `document.querySelector("#route").innerText.includes("strict JSON")`) {
		t.Error("any client is told of other than strict JSON")
	}
	for version, dialect := range map[string]string{"4.9.7": "strict JSON", "4.9.3": "legacy JSON"} {
		p.fill("input[name=version]", version)
		p.press("\r")
		p.wait(version+" is told in "+dialect, fmt.Sprintf(`location.search.startsWith("?version=%s&") && document.querySelector("#route").innerText.includes(%q) && document.querySelector("#route h2").innerText.includes("this client")`, version, dialect))
		p.live()
	}
	p.noFaults("topic")
}

// TestKeyboard goes through each page with the tab key: it comes to everything that does
// something, and one sees where one is. A page that becomes another meanwhile, as brokers
// fall silent and things want attention while a busy machine presses keys, is gone through
// once more.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := threeBrokers(t, s)
	p := s.open(t, browse(t))
	for name, path := range pages(c) {
		for _, shape := range []shape{shapes[0], shapes[3]} {
			where := fmt.Sprintf("%s-%v", name, shape)
			p.look(shape)
			nstest.Eventually(t, where+" stays as it is while keys go through it", func() bool {
				p.visit(path)
				p.live()
				p.settle()
				return p.walk(where)
			})
			p.noFaults(where)
		}
	}
}

// walk presses the tab key from the beginning of a page to its end. It fails the test if the
// page has stayed as it is and keys do not come to something, and reports whether it has stayed.
func (p *tab) walk(where string) bool {
	p.t.Helper()
	// Rows may be taken anew meanwhile: what counts is what they lead to. Figures of the strip change.
	const prepare = `window.what = e => [e.tagName, e.id, e.getAttribute("href"), e.name, e.type, e.ariaLabel, e.closest("#strip") ? "" : e.innerText?.replace(/\s+/g, " ").slice(0, 40), e.closest("[data-k]")?.dataset.k, e.closest("table, form, section")?.id].join("|");
		window.all = () => [...new Set([...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, [tabindex='0']")].filter(e => e.checkVisibility()).map(what))].join("\n");
		window.at = (e = document.activeElement) => e === document.body ? "" : [getComputedStyle(e).outlineStyle !== "none" && e.matches(":focus-visible") ? "seen" : "unseen", what(e)].join("\n");
		all()`
	before := eval[string](p, prepare)
	eval[bool](p, `document.activeElement.blur() || true`)
	var faults []string
	reached := map[string]bool{}
	for range 2*strings.Count(before, "\n") + 22 {
		p.press("\t")
		how, what, inside := strings.Cut(eval[string](p, "at()"), "\n")
		if !inside {
			break // the end
		}
		if !reached[what] && how != "seen" {
			faults = append(faults, "one does not see that one is at "+what)
		}
		reached[what] = true
	}
	if eval[string](p, "all()") != before {
		return false
	}
	for what := range strings.SplitSeq(before, "\n") {
		if !reached[what] {
			faults = append(faults, "the keyboard does not come to "+what)
		}
	}
	for _, f := range faults {
		p.t.Errorf("%s: %s", where, f)
	}
	return true
}

// TestSaysTheSame compares what the server writes with what the script makes of the state.
func TestSaysTheSame(t *testing.T) {
	t.Parallel()
	s := start(t)
	threeBrokers(t, s)
	p := s.open(t, browse(t))
	p.visit("/")
	p.live()
	const strip = `[...document.querySelectorAll("#strip dd")].filter(e => !/uptime|rate|delay/.test(e.dataset.k)).map(e => e.innerText).join("; ")`
	const up = `document.querySelector("#strip [data-k=uptime]").innerText`
	sent := eval[string](p, `fetch("/").then(r => r.text()).then(text => { const d = new DOMParser().parseFromString(text, "text/html");
		return [...d.querySelectorAll("#strip dd")].filter(e => !/uptime|rate|delay/.test(e.dataset.k)).map(e => e.textContent).join("; ") })`)
	was := eval[string](p, up)
	p.wait("a state has come", up+" !== "+fmt.Sprintf("%q", was))
	if made := eval[string](p, strip); made != sent {
		t.Errorf("the script writes %q, the server %q", made, sent)
	}
	p.wait("charts are drawn", `document.querySelectorAll("#charts canvas").length === 8`)
	p.noFaults("overview")
}
