package namesrv

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/goccy/go-yaml/ast"

	"gonamesrv/route"
)

// The horizonFile: which clients are told other addresses of brokers, in YAML.
// docs/SPLIT_HORIZON.md has examples. An unknown key is an error: whoever has
// misspelt "except" would let everybody in.

// maxHorizonFile is how long the file may be, in bytes.
const maxHorizonFile = 4 << 20

// A horizonFile is what was read, with the lines where things are.
type horizonFile struct {
	rules []route.HorizonRules
	lines []horizonLines
}

type horizonLines struct {
	at    int
	rules []int
}

// line returns where a fault is.
func (f *horizonFile) line(at *route.HorizonFault) int {
	switch {
	case at.Horizon >= len(f.lines):
		return 1
	case at.Rule >= 0 && at.Rule < len(f.lines[at.Horizon].rules):
		return f.lines[at.Horizon].rules[at.Rule]
	}
	return f.lines[at.Horizon].at
}

// readHorizonFile returns what is in the file.
func readHorizonFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxHorizonFile {
		return nil, fmt.Errorf("%s: has %d bytes, at most %d are read", path, info.Size(), maxHorizonFile)
	}
	return os.ReadFile(path)
}

// parseHorizons makes horizons of the text of a file; those that old has too go on
// counting. Its error lists all faults, each with its line.
func parseHorizons(text []byte, old *route.Horizons) (*route.Horizons, []string, error) {
	f, err := parseHorizonFile(text)
	if err != nil {
		return nil, nil, err
	}
	hs, err := route.NewHorizons(f.rules, old)
	if err != nil {
		return nil, nil, f.withLines(err)
	}
	var warnings []string
	for _, w := range hs.Warnings() {
		warnings = append(warnings, fmt.Sprintf("line %d: %s", f.line(&w), w.Text))
	}
	return hs, warnings, nil
}

// withLines says of each fault where it is.
func (f *horizonFile) withLines(err error) error {
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for i, err := range all {
		var at *route.HorizonFault
		if errors.As(err, &at) {
			all[i] = fmt.Errorf("line %d: %w", f.line(at), err)
		}
	}
	return errors.Join(all...)
}

func parseHorizonFile(text []byte) (*horizonFile, error) {
	body, err := yamlDocument(text, `want one document, with the key "horizons"`)
	if err != nil {
		return nil, err
	}
	f := &horizonFile{}
	r := &yamlReader{}
	there := false
	r.mapping(body, "the file", map[string]func(ast.Node){
		"horizons": func(n ast.Node) {
			there = true
			r.list(n, "horizons", false, func(n ast.Node) { f.horizon(r, n) })
		},
	})
	if !there && r.faults == nil {
		r.fault(body, `there is no key "horizons"`)
	}
	return f, errors.Join(r.faults...)
}

// horizon reads one of the horizons.
func (f *horizonFile) horizon(r *yamlReader, n ast.Node) {
	var h route.HorizonRules
	at := horizonLines{at: lineOf(n)}
	text := func(to *string) func(ast.Node) { return func(n ast.Node) { *to = r.text(n) } }
	texts := func(to *[]string) func(ast.Node) {
		return func(n ast.Node) {
			r.list(n, "", true, func(n ast.Node) { *to = append(*to, r.text(n)) })
		}
	}
	r.mapping(n, "a horizon", map[string]func(ast.Node){
		"name": text(&h.Name),
		"match": func(n ast.Node) {
			r.mapping(n, "match", map[string]func(ast.Node){
				"cidr":        texts(&h.Match.CIDR),
				"except":      texts(&h.Match.Except),
				"listener":    texts(&h.Match.Listeners),
				"certificate": texts(&h.Match.Certificates),
				"proxyTLV": func(n ast.Node) {
					r.list(n, "proxyTLV", true, func(n ast.Node) {
						var t route.ProxyTLV
						r.mapping(n, "proxyTLV", map[string]func(ast.Node){"type": text(&t.Type), "value": text(&t.Value)})
						h.Match.ProxyTLVs = append(h.Match.ProxyTLVs, t)
					})
				},
			})
		},
		"rewrite": func(n ast.Node) {
			r.list(n, "rewrite", false, func(n ast.Node) {
				var rule route.RewriteRule
				r.mapping(n, "a rule", map[string]func(ast.Node){
					"broker": text(&rule.Broker), "cluster": text(&rule.Cluster), "from": text(&rule.From), "to": text(&rule.To),
					"id": func(n ast.Node) {
						id, err := strconv.ParseInt(r.text(n), 10, 64)
						if err != nil {
							r.fault(n, "id is no whole number")
						}
						rule.ID = &id
					},
				})
				h.Rewrite = append(h.Rewrite, rule)
				at.rules = append(at.rules, lineOf(n))
			})
		},
		"missing": text(&h.Missing),
		"strict": func(n ast.Node) {
			switch r.text(n) {
			case "true":
				h.Strict = true
			case "false":
			default:
				r.fault(n, "strict must be true or false")
			}
		},
	})
	f.rules = append(f.rules, h)
	f.lines = append(f.lines, at)
}
