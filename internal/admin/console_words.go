package admin

import (
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gonamesrv/route"
)

// notKnown stands where there is no value. It is never 0.
const notKnown = "not known"

// words are the functions of the templates: how values become text.
var words = template.FuncMap{
	"asset":   assetURL,
	"bytes":   bytesWord,
	"brokers": brokersWord,
	"count":   countWord,
	"many":    manyWord,
	"others":  func(v any) *likeEvents { r, _ := v.(eventRow); return r.Others },
	"share":   shareWord,
	"decimal": decimalWord,
	"known":   knownWord,
	"name":    func(v any) string { return nameWord(textOf(v)) },
	"names":   namesWord,
	"perm":    permWord,
	"age":     ageHTML,
	"age0":    func(ms *int64) string { return durationWord(*ms) },
	"said":    saidWord,
	"effect":  effectWord,
	"hitters": func(id, title string, items []hitter) hittersView { return hittersView{id, title, items} },
	"differs": func(n *int) bool { return n != nil && *n > 0 },
	"when":    whenHTML,
	"sign":    signHTML,
	"topic":   func(name any) string { return "/topics/" + url.PathEscape(textOf(name)) },
	"broker":  func(name any) string { return "/brokers/" + url.PathEscape(textOf(name)) },
	"page":    pageOfLink,
	"why":     whyWord,
	"uptime":  uptimeWord,
	"agree":   agreeWord,
	"versus":  versusWord,
}

// textOf returns a text, which is not nil.
func textOf(v any) string {
	if p, ok := v.(*string); ok {
		return *p
	}
	return v.(string)
}

// nameWord is a text of a peer as it is shown: in quotes, with escapes, if part of it
// cannot be seen, or would change how the text around it reads.
func nameWord(name string) string {
	if name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) ||
		strings.TrimSpace(name) != name {
		return strconv.Quote(name)
	}
	return name
}

func namesWord(names []string) string {
	shown := make([]string, 0, len(names))
	for _, name := range names {
		shown = append(shown, nameWord(name))
	}
	return strings.Join(shown, ", ")
}

// countWord writes a whole number in groups of three digits.
func countWord(v any) string {
	var n int64
	switch v := v.(type) {
	case int:
		n = int64(v)
	case int32:
		n = int64(v)
	case int64:
		n = v
	case number:
		n = int64(v)
	}
	digits := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// decimalWord writes a number with as many digits as somebody can use.
func decimalWord(v *float64) string {
	switch {
	case v == nil:
		return notKnown
	case *v >= 100:
		return countWord(int64(*v + 0.5))
	case *v >= 10:
		return strings.TrimSuffix(strconv.FormatFloat(*v, 'f', 1, 64), ".0")
	}
	return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(*v, 'f', 2, 64), "0"), ".")
}

// bytesWord writes an amount of memory.
func bytesWord(v any) string {
	var n int64
	switch v := v.(type) {
	case *int64:
		if v == nil {
			return notKnown
		}
		n = *v
	case int64:
		n = v
	}
	if n < 1<<10 {
		return strconv.FormatInt(n, 10) + " B"
	}
	units, f := "KMGTPE", float64(n)/(1<<10)
	for f >= 1023.5 && len(units) > 1 {
		f, units = f/(1<<10), units[1:]
	}
	return strconv.FormatFloat(f, 'f', max(0, 1-int(f/10)), 64) + " " + units[:1] + "iB"
}

// knownWord writes what may be null.
func knownWord(v any) string {
	switch v := v.(type) {
	case *string:
		if v != nil {
			return nameWord(*v)
		}
	case *number:
		if v != nil {
			return strconv.FormatInt(int64(*v), 10)
		}
	case *int64:
		if v != nil {
			return countWord(*v)
		}
	case *int32:
		if v != nil {
			return strconv.FormatInt(int64(*v), 10)
		}
	case *int:
		if v != nil {
			return countWord(*v)
		}
	}
	return notKnown
}

// saidWord writes what clients say of themselves, if they do.
func saidWord(v *string) string {
	if v == nil || *v == "" {
		return notKnown
	}
	return nameWord(*v)
}

// versusWord writes a part of a whole.
func versusWord(part, whole any) string {
	of := func(v any) int64 {
		switch v := v.(type) {
		case *int64:
			return *v
		case int64:
			return v
		}
		return 0
	}
	return shareWord(int(of(part)), int(of(whole)))
}

func shareWord(part, whole int) string { return strconv.Itoa(part*100/max(whole, 1)) + " %" }

// manyWord writes how many there are of what has these names.
func manyWord(v any, one, more string) string {
	if text := countWord(v); text != "1" {
		return text + " " + more
	}
	return "1 " + one
}

// brokersWord says how many brokers there are, and how many of them are silent. These are
// routed, and counted, until their time is over.
func brokersWord(t brokerTotals) string {
	text := countWord(t.Members)
	if t.Overdue > 0 {
		text += ", " + countWord(t.Overdue) + " overdue"
	}
	if t.Suspect > 0 {
		text += ", " + countWord(t.Suspect) + " held back"
	}
	return text
}

func effectWord(effect string) string {
	switch effect {
	case "live":
		return "at once"
	case "restart":
		return "with the next start"
	case "never":
		return "never, it is refused"
	case "none":
		return "none, the key means nothing here"
	}
	return effect
}

// A hittersView is a list of who or what comes most often.
type hittersView struct {
	ID, Title string
	Items     []hitter
}

func permWord(perm int32) string { return fmt.Sprintf("%d (%s)", perm, permText(perm)) }

// durationWord writes milliseconds with two units at most.
func durationWord(ms int64) string {
	s := ms / 1000
	switch {
	case ms < 10_000:
		return strconv.FormatFloat(float64(ms)/1000, 'f', 1, 64) + " s"
	case s < 120:
		return strconv.FormatInt(s, 10) + " s"
	case s < 7200:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	case s < 48*3600:
		return fmt.Sprintf("%d h %d min", s/3600, s/60%60)
	}
	return fmt.Sprintf("%d d %d h", s/86400, s/3600%24)
}

// uptimeWord writes whole seconds.
func uptimeWord(seconds int64) string {
	if seconds < 10 {
		return strconv.FormatInt(seconds, 10) + " s"
	}
	return durationWord(seconds * 1000)
}

// ageHTML is a time that goes on while somebody looks at it.
func ageHTML(v any) template.HTML {
	var ms int64
	switch v := v.(type) {
	case *int64:
		if v == nil {
			return notKnown
		}
		ms = *v
	case int64:
		ms = v
	}
	return template.HTML(fmt.Sprintf(`<span data-age="%d">%s</span>`, ms, durationWord(ms)))
}

// whenHTML is a moment: in UTC here, in the time of who looks once the script has run.
func whenHTML(v any) template.HTML {
	var at time.Time
	switch v := v.(type) {
	case *stamp:
		if v == nil {
			return notKnown
		}
		at = time.Time(*v)
	case stamp:
		at = time.Time(v)
	}
	at = at.UTC()
	return template.HTML(at.Format(`<time datetime="2006-01-02T15:04:05.000Z">2006-01-02 15:04:05 UTC</time>`))
}

// signs are the signs of all states, verdicts and results: what a colour says is said
// by a word and a sign too.
var signs = map[string]struct{ sign, level, word string }{
	stateLive: {"●", "ok", ""}, stateOverdue: {"◔", "warn", ""}, stateSuspect: {"◆", "warn", ""},
	stateRestored: {"↺", "warn", ""}, stateMasterless: {"✕", "bad", "no master"}, "wiped": {"▽", "warn", "write permission wiped"},
	"acting": {"◇", "warn", "no master, a slave stands in"},
	"ready":  {"●", "ok", ""}, "starting": {"◔", "warn", ""}, "notReady": {"✕", "bad", "not ready"}, "draining": {"▽", "warn", ""},
	severityCritical: {"✕", "bad", ""}, severityWarning: {"▲", "warn", ""},
	stepOK: {"✓", "ok", ""}, stepInfo: {"i", "info", ""}, stepFailed: {"✕", "bad", ""},
	verdictRouted: {"✓", "ok", ""}, verdictPartly: {"▲", "warn", "routed in part"}, verdictReadOnly: {"▲", "warn", "read only"},
	verdictNotRouted: {"✕", "bad", "not routed"}, verdictGated: {"✕", "bad", "no routes yet"},
	"nothing": {"✓", "ok", ""}, "up": {"●", "ok", "reached"}, "down": {"✕", "bad", "not reached"}, "same": {"✓", "ok", "the same"}, "differs": {"▲", "warn", ""}, "differing": {"◔", "info", "differs, for a short time"},
}

// signHTML shows a state, a verdict or a result.
func signHTML(state string) template.HTML {
	s, ok := signs[state]
	if !ok {
		return template.HTML(template.HTMLEscapeString(state))
	}
	if s.word == "" {
		s.word = state
	}
	return template.HTML(`<span class="s ` + s.level + `" data-state="` + state + `"><span aria-hidden="true">` + s.sign + `</span> ` + s.word + `</span>`)
}

// pageOfLink returns the page about what a link of the read API is about.
func pageOfLink(l *string) string {
	if l == nil {
		return "/"
	}
	path, query, _ := strings.Cut(*l, "?")
	if query != "" {
		query = "?" + query
	}
	switch rest := strings.TrimPrefix(path, "/v1"); {
	case rest == "/status":
		return "/#resources"
	case rest == "/connections":
		return "/clients"
	case rest == "/kv":
		return *l
	default:
		return strings.TrimPrefix(rest, "/explain") + query
	}
}

// agreeWord says whether the name servers agree.
func agreeWord(p *peersAnswer) string {
	switch {
	case p == nil || p.Configured == 0:
		return "not configured"
	case p.Differ > 0:
		return fmt.Sprintf("%d of %d differ", p.Differ, p.Configured)
	case p.Unreachable > 0:
		return fmt.Sprintf("%d of %d not reached", p.Unreachable, p.Configured)
	case p.NotAsked > 0:
		return fmt.Sprintf("%d of %d not asked yet", p.NotAsked, p.Configured)
	}
	return fmt.Sprintf("%d agree", p.Configured)
}

// whyWord is whyOf for templates.
func whyWord(v any) string {
	switch v := v.(type) {
	case eventAnswer:
		return whyOf(v)
	case eventRow:
		return whyOf(v.eventAnswer)
	case *eventAnswer:
		return whyOf(*v)
	}
	return ""
}

// whyOf says in one line what an event changed, and why.
func whyOf(e eventAnswer) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	switch c := e.Cause; {
	case c.SilentMs != nil && c.TimeoutMs != nil:
		add("%s", silentText(*c.SilentMs, *c.TimeoutMs))
	case e.By != nil:
		add("displaced by %s of cluster %s", nameWord(e.By.Addr), nameWord(e.By.Cluster))
	case c.Kind == "close":
		add("the connection was lost")
	case c.Kind == "unregister":
		add("the broker said so")
	case c.Kind == "admin":
		add("an operator asked for it")
	}
	switch {
	case e.Reason == nil:
	case e.Type == route.JournalWarmLoaded.String():
		add("route snapshot: %s", nameWord(*e.Reason))
	default:
		add("%s", nameWord(*e.Reason))
	}
	if e.Change != nil {
		add("%s", nameWord(e.Change.Args))
		if e.Change.Before != nil || e.Change.After != nil {
			add("%s → %s", beforeWord(e.Change.Before), beforeWord(e.Change.After))
		}
	}
	if t := e.Topics; t != (topicChanges{}) {
		text := fmt.Sprintf("topics +%d ~%d −%d", t.Added, t.Changed, t.Removed)
		if len(e.Sample) > 0 {
			text += ": " + namesWord(e.Sample)
		}
		add("%s", text)
	}
	if len(e.Brokers) > 0 {
		add("brokers %s", namesWord(e.Brokers))
	}
	if e.Count != nil {
		add("%s", manyWord(*e.Count, "time", "times"))
	}
	if e.Identity != nil {
		add("by %s", nameWord(*e.Identity))
	}
	if e.Remote != nil && e.Cause.Kind == "admin" {
		add("from %s", *e.Remote)
	}
	return strings.Join(parts, "; ")
}

func beforeWord(text *string) string {
	if text == nil {
		return "nothing"
	}
	return nameWord(*text)
}
