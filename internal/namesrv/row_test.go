package namesrv

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gonamesrv/codec"
)

// served is what documents say of the rows: where each code is served.
func served() map[string]string {
	cfg := DefaultConfig()
	loop := newDispatchTable(&cfg)
	cfg.RouteReadsOnLoop = false
	pool := newDispatchTable(&cfg)
	cfg.ClusterTest = true
	test := newDispatchTable(&cfg)
	places := map[string]string{"other": loop.other.class.String(), "any": test.other.class.String()}
	for _, w := range loop.rows {
		place := w.class.String()
		if other := pool.of(w.code).class.String(); other != place {
			place += ", or " + other + " (routeReadsOnLoop=false)"
		}
		places[strconv.Itoa(int(w.code))+" "+w.code.String()] = place
	}
	return places
}

// checkServed compares what a document says with the rows.
func checkServed(t *testing.T, document string, said, rows map[string]string) {
	t.Helper()
	for what, place := range rows {
		if said[what] != place {
			t.Errorf("%s says of %s %q, it is %q", document, what, said[what], place)
		}
	}
	for what := range said {
		if _, ok := rows[what]; !ok {
			t.Errorf("%s lists %s, which is not served", document, what)
		}
	}
}

// TestTablesShowRows compares the tables of doc.go and of COMPAT.md with the rows:
// codes, names, and where each is served.
func TestTablesShowRows(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	add := func(said map[string]string, what, place string) {
		if _, twice := said[what]; twice {
			t.Errorf("%s is listed twice", what)
		}
		said[what] = place
	}
	said := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^//\t(\d+) +(\S+) +(.+)$`).FindAllStringSubmatch(read("doc.go"), -1) {
		add(said, m[1]+" "+m[2], m[3])
	}
	rows := served()
	delete(rows, "any")
	delete(rows, "other")
	checkServed(t, "doc.go", said, rows)

	_, table, _ := strings.Cut(read("../../docs/COMPAT.md"), "\n## Requests\n")
	table, _, _ = strings.Cut(table, "\n## ")
	said = map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\| (\w+) \| ([^|]*) ?\| ([^|]*?) ?\|`).FindAllStringSubmatch(table, -1) {
		what, name := m[1], strings.TrimSpace(m[2])
		if m[1] != "Code" && m[1] != "any" && m[1] != "other" {
			what += " " + name
		}
		if m[1] != "Code" && m[3] != "sent" {
			add(said, what, m[3])
		}
	}
	checkServed(t, "COMPAT.md", said, served())
}

// TestRowsAreDense looks every row up by its code, and codes without one, however
// odd.
func TestRowsAreDense(t *testing.T) {
	cfg := DefaultConfig()
	d := newDispatchTable(&cfg)
	last := codec.RequestCode(-1)
	for _, w := range d.rows {
		if d.of(w.code) != w || w.code <= last || w.handle == nil {
			t.Errorf("%v: not found, out of order, or not served", w.code)
		}
		if w.class == onLoop && (w.serial || w.logged != nil) {
			t.Errorf("%v: the event loop neither numbers requests nor logs them", w.code)
		}
		last = w.code
	}
	for _, code := range []codec.RequestCode{-1 << 31, -1, 0, 99, codec.ReqNotifyMinBrokerIDChange, denseCodes - 1, denseCodes, 1<<31 - 1} {
		if d.of(code) != d.other {
			t.Errorf("%d has a row", code)
		}
	}
	if n := testing.AllocsPerRun(100, func() { d.of(codec.ReqGetRouteInfoByTopic) }); n != 0 {
		t.Errorf("%v allocations to find a row", n)
	}
}

// TestRowsAreOwn makes sure that two servers in a process do not count together.
func TestRowsAreOwn(t *testing.T) {
	cfg := DefaultConfig()
	a, b := newDispatchTable(&cfg), newDispatchTable(&cfg)
	a.of(105).refuse(reasonNotFound)
	if n := b.refused(reasonNotFound); n != 0 {
		t.Errorf("the other server counts %d", n)
	}
}

// TestRefusalsNameTheirReason reads the source: a refusal that names no reason would
// be counted as a failure of ours.
func TestRefusalsNameTheirReason(t *testing.T) {
	positions := token.NewFileSet()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	inspect := func(n ast.Node) bool {
		lit, ok := n.(*ast.CompositeLit)
		if !ok || fmt.Sprint(lit.Type) != "refusal" {
			return true
		}
		found++
		for _, e := range lit.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok && fmt.Sprint(kv.Key) == "why" {
				return true
			}
		}
		t.Errorf("%v: no reason", positions.Position(lit.Pos()))
		return true
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(positions, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, inspect)
	}
	if found < 20 {
		t.Errorf("only %d refusals found", found)
	}
	seen := map[string]bool{}
	for i, name := range reasonNames {
		if name == "" || seen[name] {
			t.Errorf("reason %d is called %q", i, name)
		}
		seen[name] = true
	}
}
