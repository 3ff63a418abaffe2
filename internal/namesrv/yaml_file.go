package namesrv

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Files that operators write in YAML: each of their nodes is read by what is expected
// there, so a fault has its line, an unknown key is one, and neither anchors nor tags mean
// anything.

// maxYAMLFaults is how many faults of a file are listed.
const maxYAMLFaults = 20

// maxYAMLDepth is how deep a file may be nested: the parser calls itself, and takes longer
// for each level the more there are.
const maxYAMLDepth = 100

// yamlDocument returns what is in the one document of a text. want is said if there are
// none, or more.
func yamlDocument(text []byte, want string) (ast.Node, error) {
	tokens := lexer.Tokenize(string(text))
	if line := tooDeep(tokens); line > 0 {
		return nil, fmt.Errorf("line %d: more than %d levels", line, maxYAMLDepth)
	}
	doc, err := parser.Parse(tokens, 0)
	if err != nil {
		var bad yaml.Error
		if errors.As(err, &bad) && bad.GetToken() != nil {
			return nil, fmt.Errorf("line %d: %s", bad.GetToken().Position.Line, bad.GetMessage())
		}
		return nil, err
	}
	docs := slices.DeleteFunc(slices.Clone(doc.Docs), func(d *ast.DocumentNode) bool { return d.Body == nil })
	if len(docs) != 1 {
		return nil, errors.New("line 1: " + want)
	}
	return docs[0].Body, nil
}

// A yamlReader reads the nodes of a YAML text and gathers what is wrong with them.
type yamlReader struct{ faults []error }

func (r *yamlReader) fault(n ast.Node, format string, args ...any) {
	if len(r.faults) < maxYAMLFaults {
		r.faults = append(r.faults, fmt.Errorf("line %d: %s", lineOf(n), fmt.Sprintf(format, args...)))
	}
}

func lineOf(n ast.Node) int {
	switch m := n.(type) {
	case *ast.MappingNode: // its own token is the colon behind its first key
		if len(m.Values) > 0 {
			return lineOf(m.Values[0])
		}
	case *ast.MappingValueNode:
		return m.Key.GetToken().Position.Line
	}
	if n == nil || n.GetToken() == nil {
		return 1
	}
	return n.GetToken().Position.Line
}

// mapping calls for each key of a mapping what is to be done with its value. A key that
// is not among keys is a fault.
func (r *yamlReader) mapping(n ast.Node, what string, keys map[string]func(ast.Node)) {
	var values []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		values = m.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{m}
	default:
		r.fault(n, "%s must have keys and values", what)
		return
	}
	for _, v := range values {
		name := v.Key.GetToken().Value
		read, known := keys[name]
		if !known {
			names := make([]string, 0, len(keys))
			for k := range keys {
				names = append(names, k)
			}
			slices.Sort(names)
			r.fault(v, "unknown key %q; %s has %s", clip(name), what, strings.Join(names, ", "))
			continue
		}
		read(v.Value)
	}
}

// list calls each for the items of a list. Where one is enough, something else is a list
// of one.
func (r *yamlReader) list(n ast.Node, what string, oneIsEnough bool, each func(ast.Node)) {
	switch s := n.(type) {
	case *ast.SequenceNode:
		for _, item := range s.Values {
			each(item)
		}
	default:
		if oneIsEnough {
			each(n)
			return
		}
		r.fault(n, "%s must be a list", what)
	}
}

// text returns a value as it is written, without its quotes.
func (r *yamlReader) text(n ast.Node) string {
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return v.GetToken().Value
	case *ast.NullNode:
		r.fault(n, "there is no value")
	default:
		r.fault(n, "there must be one text")
	}
	return ""
}

// tooDeep returns the line at which a text is nested deeper than maxYAMLDepth, 0 if there
// is none: by brackets, by - and ? of one line, or by how far a line is indented. It looks
// at tokens, since brackets mean nothing in texts and comments, and these end where only
// the lexer knows.
func tooDeep(tokens token.Tokens) int {
	brackets, marks, line := 0, 0, 0
	for _, t := range tokens {
		if t.Type == token.CommentType {
			continue
		}
		if t.Position.Line != line {
			line, marks = t.Position.Line, 0
			if t.Position.Column > 2*maxYAMLDepth {
				return line
			}
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets = max(0, brackets-1)
		case token.SequenceEntryType, token.MappingKeyType:
			marks++
		}
		if brackets > maxYAMLDepth || marks > maxYAMLDepth {
			return line
		}
	}
	return 0
}
