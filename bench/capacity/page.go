package capacity

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonamesrv/bench/report"
)

// Tables returns the tables of a report.
func (r *Report) Tables() []report.Table {
	out := []report.Table{r.memoryTable(), r.cpuTable(), r.restartTable()}
	if r.Idle != nil {
		out = append(out, r.idleTable())
	}
	return append(out, r.formulaTable(), r.limitTable(), r.exampleTable())
}

// count writes a number of things.
func count(n int) string { return report.Count(uint64(max(0, n))) }

// of says what brokers have, for the first columns of a row.
func (p *Point) of() []string {
	each := p.Names
	how := "the same"
	if !p.Shared {
		each /= p.Brokers
		how = "its own"
	}
	return []string{count(p.Brokers), fmt.Sprintf("%s, %s", count(each), how)}
}

var sizeHead = []string{"Brokers", "Topics of each"}

func (r *Report) memoryTable() report.Table {
	t := report.Table{
		Title: "Memory",
		Head:  append(sizeHead[:2:2], "Entries", "Live objects", "Resident then", "Resident at its most", "Encoded routes", "Live objects once all have gone"),
		Left:  2,
		Note: "An entry is one topic on one broker. Live objects: of the Go heap, once all brokers had registered. At its most: until all brokers had also " +
			"registered again with new data versions, and clients had asked for every topic. Encoded routes are a part of that. Once all have gone: all brokers had unregistered, from a server that " +
			"had been started again.",
	}
	t.Rows = append(t.Rows, []string{"none", "", "0", report.Size(float64(r.Empty.Heap)), report.Size(float64(r.Empty.Resident)), report.Size(float64(r.Empty.Peak)), "", ""})
	for _, p := range r.Points {
		t.Rows = append(t.Rows, append(p.of(), count(p.Entries), report.Size(float64(p.Registered.Heap)), report.Size(float64(p.Registered.Resident)),
			report.Size(float64(p.Used.Peak)), report.Size(float64(p.CacheBytes)), report.Size(float64(p.Left.Heap))))
	}
	return t
}

func (r *Report) cpuTable() report.Table {
	t := report.Table{
		Title: "CPU",
		Head:  append(sizeHead[:2:2], "Bytes of a registration", "First", "New version", "Unchanged", "Bytes of an answer", "A million reads"),
		Left:  2,
		Note: "CPU time of the server. First, new version and unchanged: one registration. Reads: one request at a time over each of " + count(readers) +
			" connections, topics at random.",
	}
	for _, p := range r.Points {
		t.Rows = append(t.Rows, append(p.of(), report.Size(float64(p.RegistrationBytes)), report.Micros(p.First.each()*1e6), report.Micros(p.NewVersion.each()*1e6),
			report.Micros(p.Unchanged.each()*1e6), report.Size(p.ReplyBytes), report.Number(p.Reads.each()*1e6)+" s"))
	}
	return t
}

func (r *Report) restartTable() report.Table {
	t := report.Table{
		Title: "kill -9 and start", Left: 2,
		Head: append(sizeHead[:2:2], "Snapshot", "CPU to write it", "First reply", "A route again", "CPU until then", "Resident at its most", "A registration then"),
		Note: "Times of the clock since the start of the process; no broker had registered. Every route was right then. " +
			"A registration then: CPU of each, over a new connection.",
	}
	for _, p := range r.Points {
		row := append(p.of(), report.Size(float64(p.SnapshotBytes)), report.Micros(p.SnapshotCPUSeconds*1e6))
		if b := p.Restart; b != nil {
			row = append(row, report.Micros(b.FirstReplySeconds*1e6), report.Micros(b.RouteSeconds*1e6), report.Micros(b.CPUSeconds*1e6), report.Size(float64(b.Peak)), report.Micros(p.Back.each()*1e6))
		} else {
			row = append(row, "", fmt.Sprintf("not within %v", backWithin), "", "", "")
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func (r *Report) idleTable() report.Table {
	t := report.Table{
		Title: "Connections that say nothing", Head: []string{"Connections", "Resident", "Each", "File descriptors"}, Left: 1,
		Note: "Each: what is resident more than without them. Buffers that the kernel has for a socket are in none of these figures.",
	}
	for _, s := range r.Idle.Steps {
		t.Rows = append(t.Rows, []string{count(s.Connections), report.Size(float64(s.RSS)), report.Size(s.BytesPerConnection), count(s.FDs)})
	}
	return t
}

func (r *Report) formulaTable() report.Table {
	t := report.Table{Title: "Formulas", Head: []string{"What it takes", "How much", "Worst error"}, Left: 2}
	f := r.Formulas()
	for _, one := range f.all() {
		t.Rows = append(t.Rows, []string{one.What, one.text(), fmt.Sprintf("%.0f %%", one.Worst*100)})
	}
	t.Note = "By least squares of the relative errors over all sizes above. The worst error is that of the size which fits least."
	return t
}

// number writes a figure that others are worked out with: small ones too have two digits.
func number(v float64) string {
	if a := math.Abs(v); a > 0 && a < 0.0995 {
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
	return report.Number(v)
}

// rough writes what a formula says with two digits: more would be invented.
func rough(v float64) string {
	if v <= 0 {
		return "0"
	}
	power := math.Pow(10, math.Floor(math.Log10(v))-1)
	return report.Number(math.Round(v/power) * power)
}

// text writes a formula: 17 MB + 1.2 MB for each 1,000 topics.
func (f *Formula) text() string {
	var parts []string
	for i, t := range f.Terms {
		one := number(t.Factor) + " " + f.Unit
		if i > 0 {
			one = number(t.Factor) + " for each"
			if !strings.HasPrefix(t.Of, "1,000") {
				one = number(t.Factor) + " for a"
			}
			one += " " + t.Of
		}
		parts = append(parts, one)
	}
	return strings.Join(parts, " + ")
}

// An example is a cluster for which the formulas are worked out.
type example struct {
	name        string
	brokers     int
	names       int // topics in all
	on          int // brokers that have each of them
	connections int
	asks        int // topics that each client asks for, every 30 s
}

var examples = []example{
	{"40 brokers, 20,000 topics on 4 of them each, 10,000 clients", 40, 20_000, 4, 10_000, 5},
	{"300 brokers with the same 10,000 topics, 40,000 clients", 300, 10_000, 300, 40_000, 5},
}

// period is how often brokers register, and clients ask, in seconds: the defaults of
// RocketMQ.
const period = 30

func (r *Report) exampleTable() report.Table {
	t := report.Table{Title: "Examples", Head: []string{"Cluster", "Memory at its most", "Registrations", "Cores for them", "Reads", "Cores for reads", "Answers"}, Left: 1}
	f := r.Formulas()
	if f.Peak == nil || f.Unchanged == nil || f.NewVersion == nil || f.Reads == nil {
		return t
	}
	bytesEach := r.bytesOfAnswer()
	for _, e := range examples {
		topics := float64(e.names + ownTopics*e.brokers)
		entries := float64(e.names*e.on + ownTopics*e.brokers)
		listed := entries / float64(e.brokers) / thousand
		registrations := float64(e.brokers) / period
		reads := float64(e.connections*e.asks) / period
		kilobytes := bytesEach(e.on) / thousand
		t.Rows = append(t.Rows, []string{
			e.name,
			report.Size(megabyte * f.Peak.at(1, topics/thousand, entries/thousand, float64(e.connections+e.brokers)/thousand)),
			report.Number(registrations) + "/s",
			fmt.Sprintf("%s unchanged, %s if all are new", number(registrations*f.Unchanged.at(1, listed)/thousand), number(registrations*f.NewVersion.at(1, listed)/thousand)),
			report.Number(reads) + "/s",
			number(reads * f.Reads.at(1, kilobytes) / 1e6),
			report.Size(reads*kilobytes*thousand) + "/s",
		})
	}
	return t
}

// limitTable says how far each resource goes, if nothing else takes of it.
func (r *Report) limitTable() report.Table {
	t := report.Table{Title: "What one of each carries", Head: []string{"One", "Carries, if it has nothing else to do", "How many"}, Left: 2}
	add := func(one, what string, many float64) {
		t.Rows = append(t.Rows, []string{one, what, rough(many)})
	}
	f := r.Formulas()
	const listed = 10 // thousand
	if f.Unchanged != nil && f.NewVersion != nil {
		add("core", "brokers with 10,000 topics each that repeat their registration every 30 s", period*thousand/f.Unchanged.at(1, listed))
		add("core", "such brokers, if each registration has a new data version", period*thousand/f.NewVersion.at(1, listed))
	}
	few, many := r.ends()
	if few != nil {
		for _, p := range slices.Compact([]*Point{few, many}) {
			add("core", fmt.Sprintf("reads a second; brokers in each answer: %s (%s)", count(p.on()), report.Size(p.ReplyBytes)), 1/p.Reads.each())
		}
	}
	const gigabit = 125e6 // bytes a second
	if p := many; p != nil {
		add("Gbit/s", fmt.Sprintf("brokers that register %s topics every 30 s (%s)", count(p.Entries/p.Brokers), report.Size(float64(p.RegistrationBytes))),
			period*gigabit/float64(p.RegistrationBytes))
		add("Gbit/s", fmt.Sprintf("reads a second; brokers in each answer: %s (%s)", count(p.on()), report.Size(p.ReplyBytes)), gigabit/p.ReplyBytes)
	}
	if f.Peak != nil {
		topic, entry, connection := f.Peak.Terms[1].Factor, f.Peak.Terms[2].Factor, f.Peak.Terms[3].Factor
		add("GB of memory", "topics, each on one broker", thousand*thousand/(topic+entry))
		add("GB of memory", "entries, of topics that many brokers have", thousand*thousand/entry)
		add("GB of memory", "connections", thousand*thousand/connection)
	}
	return t
}

// on is how many brokers have a topic.
func (p *Point) on() int {
	if p.Shared {
		return p.Brokers
	}
	return 1
}

// ends are the points with the fewest and the most brokers in an answer, nil if there is
// none.
func (r *Report) ends() (few, many *Point) {
	for i := range r.Points {
		p := &r.Points[i]
		if few == nil || p.on() < few.on() {
			few = p
		}
		if many == nil || p.on() > many.on() {
			many = p
		}
	}
	return few, many
}

// bytesOfAnswer returns how large a route of so many brokers is: between sizes that were
// measured, on a straight line.
func (r *Report) bytesOfAnswer() func(brokers int) float64 {
	few, many := r.ends()
	return func(brokers int) float64 {
		if few.on() == many.on() {
			return few.ReplyBytes
		}
		return few.ReplyBytes + (many.ReplyBytes-few.ReplyBytes)*float64(brokers-few.on())/float64(many.on()-few.on())
	}
}

// where says where the figures come from.
func (r *Report) where() string {
	commit := r.Machine.Commit
	short, dirty, _ := strings.Cut(commit, "+")
	if len(short) > 12 {
		short = short[:12]
	}
	if dirty != "" {
		short += " with changes"
	}
	return fmt.Sprintf("Commit %s, %s, %d cores, %s of memory, %s, %s, on %s; it took %.0f minutes.", short, r.Machine.CPU, r.Machine.Cores,
		report.Size(float64(r.Machine.Memory)), r.Machine.OS, r.Machine.Go, r.Started.Format("2006-01-02"), max(1, r.Seconds/60))
}

// Text is the report for a terminal.
func (r *Report) Text() string {
	return report.Sheet{Title: "What one server carries", Facts: []string{r.where()}, Tables: r.Tables()}.Text()
}

// Markdown is the report as the README of a folder of results.
func (r *Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Capacity, %s\n\nMade by `make capacity`: `%s`. %s Raw: [capacity.json](capacity.json).\n", r.Started.Format("2006-01-02"), strings.Join(r.Command, " "), r.where())
	for _, t := range r.Tables() {
		fmt.Fprintf(&b, "\n## %s\n\n%s", t.Title, markdown(t))
		if t.Note != "" {
			fmt.Fprintf(&b, "\n%s\n", t.Note)
		}
	}
	return b.String()
}

// markdown is a table alone.
func markdown(t report.Table) string {
	var b strings.Builder
	row := func(cells []string) {
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	row(t.Head)
	rule := make([]string, len(t.Head))
	for i := range rule {
		rule[i] = "---"
		if i >= t.Left {
			rule[i] = "--:"
		}
	}
	b.WriteString("|" + strings.Join(rule, "|") + "|\n")
	for _, r := range t.Rows {
		row(r)
	}
	return b.String()
}

// blocks are the parts of a document that are made of the report, by their names.
func (r *Report) blocks() map[string]string {
	b := map[string]string{
		"where": r.where() + "\n", "memory": markdown(r.memoryTable()), "cpu": markdown(r.cpuTable()), "restart": markdown(r.restartTable()),
		"limits": markdown(r.limitTable()), "formulas": markdown(r.formulaTable()), "examples": markdown(r.exampleTable()),
	}
	if r.Idle != nil {
		b["connections"] = markdown(r.idleTable())
	}
	for _, c := range r.Charts() {
		b[strings.TrimSuffix(c.File, ".svg")] = fmt.Sprintf("![%s](images/%s)\n", c.Alt, c.File)
	}
	return b
}

// The lines around a block.
const (
	blockBegins = "<!-- capacity: "
	blockEnds   = "<!-- end -->"
)

// Fill writes into a document what it has of the report: each block stands between a line
// that names it and one that ends it.
func (r *Report) Fill(document string) (string, error) {
	blocks := r.blocks()
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(document, blockBegins)
		b.WriteString(before)
		if !ok {
			return b.String(), nil
		}
		name, rest, ok1 := strings.Cut(rest, " -->\n")
		_, rest, ok2 := strings.Cut(rest, blockEnds)
		text, known := blocks[name]
		switch {
		case !ok1 || !ok2:
			return "", fmt.Errorf("capacity: a block of the document does not end: %.40q", name)
		case !known:
			return "", fmt.Errorf("capacity: the document has a block %q, of which the report knows nothing", name)
		}
		fmt.Fprintf(&b, "%s%s -->\n%s%s", blockBegins, name, text, blockEnds)
		document = rest
	}
}
