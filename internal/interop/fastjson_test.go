//go:build interop

package interop

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A node is a piece of JSON as fastjson writes it, every scalar and key
// spelled as it was sent: {0:"a"} and {"0":"a"} are not the same.
type node struct {
	open  byte // '{', '[', or 0 for a scalar
	raw   string
	keys  []string // of an object
	items []*node  // of an object or array
}

// parseJSON reads what a name server sends, and no more than that.
func parseJSON(text string) (*node, error) {
	p := &jsonParser{text: text}
	n, err := p.value()
	if err == nil && p.at != len(text) {
		err = fmt.Errorf("%d bytes follow the value", len(text)-p.at)
	}
	if err != nil {
		return nil, fmt.Errorf("%w, at byte %d of %q", err, p.at, text)
	}
	return n, nil
}

type jsonParser struct {
	text string
	at   int
}

func (p *jsonParser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *jsonParser) value() (*node, error) {
	switch open := p.peek(); open {
	case '{', '[':
		return p.list(open, open+2) // '}' is '{'+2, ']' is '['+2
	default:
		raw, err := p.scalar()
		return &node{raw: raw}, err
	}
}

func (p *jsonParser) list(open, end byte) (*node, error) {
	n := &node{open: open}
	p.at++
	for first := true; p.peek() != end; first = false {
		if !first {
			if p.peek() != ',' {
				return nil, fmt.Errorf("want , or %c", end)
			}
			p.at++
		}
		if open == '{' {
			key, err := p.scalar()
			if err != nil {
				return nil, err
			}
			if p.peek() != ':' {
				return nil, fmt.Errorf("want : after %s", key)
			}
			p.at++
			n.keys = append(n.keys, key)
		}
		item, err := p.value()
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, item)
	}
	p.at++
	return n, nil
}

func (p *jsonParser) scalar() (string, error) {
	from := p.at
	if p.peek() != '"' {
		for p.at < len(p.text) && !strings.ContainsRune(",:{}[]\" \n", rune(p.text[p.at])) {
			p.at++
		}
		if p.at == from {
			return "", fmt.Errorf("want a value")
		}
		return p.text[from:p.at], nil
	}
	for p.at++; p.at < len(p.text); p.at++ {
		switch p.text[p.at] {
		case '\\':
			p.at++
		case '"':
			p.at++
			return p.text[from:p.at], nil
		}
	}
	return "", fmt.Errorf("a string without end")
}

// unordered are the objects that Java keeps in hash maps; the members of all
// others are fields, and their order counts.
var unordered = []string{
	`"brokerAddrTable"`, `"clusterAddrTable"`, `"brokerAddrs"`, `"filterServerTable"`,
	`"currIdMap"`, `"topicQueueMappingByBroker"`, `"table"`,
}

// sort orders what Java answers in hash order: the members of maps, and all
// lists but those of filter servers.
func (n *node) sort() { n.sortIn("", false) }

func (n *node) sortIn(key string, filters bool) {
	filters = filters || key == `"filterServerTable"`
	for i, item := range n.items {
		inner := ""
		if n.open == '{' {
			inner = n.keys[i]
		}
		item.sortIn(inner, filters)
	}
	switch {
	case n.open == '[' && !filters:
		slices.SortFunc(n.items, func(a, b *node) int { return cmp.Compare(a.String(), b.String()) })
	case n.open == '{' && slices.Contains(unordered, key):
		byKey := make([]int, len(n.keys))
		for i := range byKey {
			byKey[i] = i
		}
		slices.SortFunc(byKey, func(a, b int) int { return compareKeys(n.keys[a], n.keys[b]) })
		keys, items := make([]string, len(byKey)), make([]*node, len(byKey))
		for to, from := range byKey {
			keys[to], items[to] = n.keys[from], n.items[from]
		}
		n.keys, n.items = keys, items
	}
}

// compareKeys orders numbers, bare or quoted, by value and all else by text.
func compareKeys(a, b string) int {
	x, errX := strconv.ParseInt(strings.Trim(a, `"`), 10, 64)
	y, errY := strconv.ParseInt(strings.Trim(b, `"`), 10, 64)
	if errX == nil && errY == nil {
		return cmp.Compare(x, y)
	}
	return cmp.Compare(a, b)
}

// keep drops what does not belong to one history from the lists that show the
// whole server: brokers, clusters, topics and configured keys whose names lack the prefix.
func (n *node) keep(prefix string) {
	for i, key := range n.keys {
		list := n.items[i]
		switch key {
		case `"brokerAddrTable"`, `"clusterAddrTable"`, `"table"`:
			var keys []string
			var items []*node
			for j, k := range list.keys {
				if strings.Contains(k, prefix) {
					keys, items = append(keys, k), append(items, list.items[j])
				}
			}
			list.keys, list.items = keys, items
		case `"topicList"`:
			list.items = slices.DeleteFunc(list.items, func(item *node) bool { return !strings.Contains(item.raw, prefix) })
		}
	}
}

// member returns the value of a key, bare or quoted; nil if there is none.
func (n *node) member(key string) *node {
	if n == nil {
		return nil
	}
	for i, k := range n.keys {
		if k == key || k == quote(key) {
			return n.items[i]
		}
	}
	return nil
}

// drop removes a member wherever it stands, if its value is one of these;
// without values, always.
func (n *node) drop(key string, values ...string) {
	for i := 0; i < len(n.keys); {
		if n.keys[i] == key && (len(values) == 0 || slices.Contains(values, n.items[i].String())) {
			n.keys, n.items = slices.Delete(n.keys, i, i+1), slices.Delete(n.items, i, i+1)
			continue
		}
		i++
	}
	for _, item := range n.items {
		item.drop(key, values...)
	}
}

// String writes the node as it was read.
func (n *node) String() string {
	var b strings.Builder
	n.write(&b)
	return b.String()
}

func (n *node) write(b *strings.Builder) {
	if n.open == 0 {
		b.WriteString(n.raw)
		return
	}
	b.WriteByte(n.open)
	for i, item := range n.items {
		if i > 0 {
			b.WriteByte(',')
		}
		if n.open == '{' {
			b.WriteString(n.keys[i])
			b.WriteByte(':')
		}
		item.write(b)
	}
	b.WriteByte(n.open + 2)
}
