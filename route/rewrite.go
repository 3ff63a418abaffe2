package route

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
)

// A RewriteRule says which addresses of brokers it is for, and what clients are told
// instead. Conditions that are empty are met; at least one is not empty.
type RewriteRule struct {
	Broker  string // name, with "*" for any text
	Cluster string // the same
	ID      *int64 // as registered, also where a slave is shown as master; nil is any
	From    string // what the broker has registered: an address, a prefix or a host name, with or without a port

	// To is what clients are told: a host and a port. In the host ${broker}, ${id} and
	// ${cluster} stand for the broker's. Where From is a prefix, the host may be one of
	// the same length: the bits behind it stay. The port is a number, or +N or -N from
	// the registered one, or ${port}, which is that; it is that without a port, too.
	To string
}

// A ruleKey tells whether two rules are the same.
type ruleKey struct {
	broker, cluster, id, from, to string
}

// A rewriteRule is a RewriteRule that has been read.
type rewriteRule struct {
	key             ruleKey
	broker, cluster string
	id              *int64
	from            addrPattern
	to              addrTemplate
	hits            *atomic.Uint64
}

func newRewriteRule(r *RewriteRule) (*rewriteRule, error) {
	rule := &rewriteRule{key: ruleKey{broker: r.Broker, cluster: r.Cluster, from: r.From, to: r.To}, broker: r.Broker, cluster: r.Cluster, id: r.ID}
	if r.ID != nil {
		rule.key.id = strconv.FormatInt(*r.ID, 10)
	}
	var faults []error
	if r.Broker == "" && r.Cluster == "" && r.ID == nil && r.From == "" {
		faults = append(faults, errors.New(`it says neither broker, cluster, id nor from; broker: "*" is every one`))
	}
	var err error
	if r.From != "" {
		if rule.from, err = parseAddrPattern(r.From); err != nil {
			faults = append(faults, fmt.Errorf("from: %w", err))
		}
	}
	if rule.to, err = parseAddrTemplate(r.To); err != nil {
		faults = append(faults, fmt.Errorf("to: %w", err))
	} else if p := rule.to.net; p.IsValid() {
		if f := rule.from.net; !f.IsValid() || f.Bits() != p.Bits() || f.Addr().Is4() != p.Addr().Is4() {
			faults = append(faults, fmt.Errorf("to: %v is a prefix, so from must be one of the same length and kind", p))
		}
	}
	return rule, errors.Join(faults...)
}

// namesBroker reports whether the rule is for one broker name.
func (r *rewriteRule) namesBroker() bool { return r.broker != "" && !strings.Contains(r.broker, "*") }

// String returns the rule in one line.
func (r *rewriteRule) String() string {
	var b strings.Builder
	for _, p := range []struct{ name, value string }{{"broker", r.key.broker}, {"id", r.key.id}, {"cluster", r.key.cluster}, {"from", r.key.from}, {"to", r.key.to}} {
		if p.value == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(p.name + ":" + p.value)
	}
	return b.String()
}

// matches reports whether the rule is for an address of a broker.
func (r *rewriteRule) matches(m *memberAddress) bool {
	return (r.broker == "" || matchPattern(r.broker, m.broker)) &&
		(r.cluster == "" || matchPattern(r.cluster, m.cluster)) &&
		(r.id == nil || *r.id == m.id) &&
		r.from.matches(&m.addr)
}

// A memberAddress is an address, and who has registered it.
type memberAddress struct {
	cluster, broker string
	id              int64 // as registered
	addr            splitAddr
}

// A splitAddr is an address as brokers register them: host:port.
type splitAddr struct {
	text string
	host string     // without brackets
	ip   netip.Addr // not valid where host is a name
	port int        // 0 where there is none that can be read
}

// splitAddress takes an address apart. IPv6 may come without brackets: Java writes the
// host, a colon and the port.
func splitAddress(text string) splitAddr {
	a := splitAddr{text: text, host: text}
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		if n, err := strconv.ParseUint(text[i+1:], 10, 16); err == nil {
			a.host, a.port = text[:i], int(n)
		}
	}
	if inner, ok := strings.CutPrefix(a.host, "["); ok {
		a.host = strings.TrimSuffix(inner, "]")
	}
	if ip, err := netip.ParseAddr(a.host); err == nil {
		a.ip = bare(ip)
	}
	return a
}

// An addrPattern is the From of a rule. The zero value is any address.
type addrPattern struct {
	net  netip.Prefix // an address is a prefix of one
	host string       // where it is a name
	port int          // 0 is any
}

func parseAddrPattern(text string) (p addrPattern, err error) {
	host, port := cutPort(text)
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return p, fmt.Errorf("%q has no port from 1 to 65535", text)
		}
		p.port = int(n)
	}
	if strings.Contains(host, "/") {
		p.net, err = parsePrefix(host)
		return p, err
	}
	if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		ip = bare(ip)
		p.net = netip.PrefixFrom(ip, ip.BitLen())
		return p, nil
	}
	if !isHostName(host) {
		return p, fmt.Errorf("%q is neither an address, a prefix nor a host name", host)
	}
	p.host = host
	return p, nil
}

// cutPort cuts the port from a host, which may be a template. IPv6 without brackets has
// no port.
func cutPort(text string) (host, port string) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 || strings.HasSuffix(text, "]") {
		return text, ""
	}
	if _, err := netip.ParseAddr(text); err == nil {
		return text, ""
	}
	if _, err := netip.ParsePrefix(text); err == nil {
		return text, ""
	}
	return text[:i], text[i+1:]
}

func (p *addrPattern) matches(a *splitAddr) bool {
	switch {
	case p.port != 0 && p.port != a.port:
		return false
	case p.net.IsValid():
		return p.net.Contains(a.ip)
	case p.host != "":
		return strings.EqualFold(p.host, a.host)
	}
	return true
}

// An addrTemplate is the To of a rule.
type addrTemplate struct {
	text string
	host string       // with variables; without brackets
	v6   bool         // host is an IPv6 address
	vars bool         // host has variables
	net  netip.Prefix // takes the place of host, if valid
	port portRule
}

// A portRule makes a port of the registered one.
type portRule struct {
	kind   portKind
	number int
}

type portKind uint8

const (
	portKept     portKind = iota
	portConstant          // number
	portShifted           // number is added
)

func parseAddrTemplate(text string) (t addrTemplate, err error) {
	t.text = text
	host, port := cutPort(text)
	if t.port, err = parsePortRule(port, text); err != nil {
		return t, err
	}
	if strings.Contains(host, "/") {
		if t.net, err = parsePrefix(host); err == nil && t.net.IsSingleIP() {
			t.host, t.v6, t.net = t.net.Addr().String(), t.net.Addr().Is6(), netip.Prefix{}
		}
		return t, err
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		host = strings.TrimSuffix(inner, "]")
		if ip, err := netip.ParseAddr(host); err != nil || !ip.Is6() || ip.Zone() != "" {
			return t, fmt.Errorf("%q has no IPv6 address in its brackets", text)
		}
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.Zone() != "" {
			return t, fmt.Errorf("%q has a zone, which clients do not understand", text)
		}
		t.host, t.v6 = ip.String(), ip.Is6()
		return t, nil
	}
	plain := host
	for _, name := range []string{"${broker}", "${id}", "${cluster}"} {
		plain = strings.ReplaceAll(plain, name, "x")
	}
	if strings.Contains(plain, "${") {
		return t, fmt.Errorf("%q has a variable other than ${broker}, ${id} and ${cluster} in its host, and ${port}", text)
	}
	if !isHostName(plain) {
		return t, fmt.Errorf("%q is no host, with or without a port", text)
	}
	t.host, t.vars = host, plain != host
	return t, nil
}

func parsePortRule(port, text string) (portRule, error) {
	switch {
	case port == "", port == "${port}":
		if strings.HasSuffix(text, ":") {
			break
		}
		return portRule{}, nil
	case port[0] == '+', port[0] == '-':
		if n, err := strconv.ParseUint(port[1:], 10, 16); err == nil {
			if port[0] == '-' {
				return portRule{portShifted, -int(n)}, nil
			}
			return portRule{portShifted, int(n)}, nil
		}
	default:
		if n, err := strconv.ParseUint(port, 10, 16); err == nil && n > 0 {
			return portRule{portConstant, int(n)}, nil
		}
	}
	return portRule{}, fmt.Errorf("%q has no port that is 1 to 65535, +N, -N or ${port}", text)
}

// isConstant reports whether the result is always the same.
func (t *addrTemplate) isConstant() bool {
	return !t.vars && !t.net.IsValid() && t.port.kind == portConstant
}

// apply returns what clients are told of an address, or why there is nothing.
func (t *addrTemplate) apply(m *memberAddress) (to, why string) {
	port := t.port.number
	if t.port.kind != portConstant {
		if m.addr.port == 0 {
			return "", "its registered address has no port"
		}
		if port = m.addr.port; t.port.kind == portShifted {
			port += t.port.number
		}
	}
	host, v6 := t.host, t.v6
	switch {
	case t.net.IsValid():
		ip := inPrefix(t.net, m.addr.ip)
		host, v6 = ip.String(), ip.Is6()
	case t.vars:
		host = strings.NewReplacer("${broker}", m.broker, "${id}", strconv.FormatInt(m.id, 10), "${cluster}", m.cluster).Replace(host)
	}
	if v6 {
		host = "[" + host + "]"
	}
	to = host + ":" + strconv.Itoa(port)
	if !CanDial(to) {
		return "", fmt.Sprintf("clients cannot connect to %.300q", to)
	}
	return to, ""
}

// inPrefix returns the address with the bits of p and, behind them, those of a.
func inPrefix(p netip.Prefix, a netip.Addr) netip.Addr {
	to, from := p.Addr().AsSlice(), a.AsSlice()
	for i := range to {
		keep := min(max(p.Bits()-8*i, 0), 8) // bits of the prefix in this byte
		mask := ^(byte(0xFF) >> keep)
		to[i] = to[i]&mask | from[i]&^mask
	}
	moved, _ := netip.AddrFromSlice(to)
	return moved
}

// maxDialed is how long an address that clients are told may be: what a name in DNS may
// be, and a port.
const maxDialed = 253 + len(":65535")

// CanDial reports whether all clients understand an address: a host name or an IPv4
// address, or IPv6 in brackets, a colon and a port. The Go client cuts a list of
// addresses at commas and colons; no quote, blank, brace nor scope may be in it.
func CanDial(addr string) bool {
	i := strings.LastIndexByte(addr, ':')
	if i < 0 || len(addr) > maxDialed {
		return false
	}
	host, port := addr[:i], addr[i+1:]
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || len(port) > 5 || port[0] == '+' {
		return false
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		ip, err := netip.ParseAddr(inner)
		return ok && err == nil && ip.Is6() && ip.Zone() == ""
	}
	return isHostName(host)
}

// isHostName reports whether clients take text for a host name, or an IPv4 address.
func isHostName(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(c rune) bool { return !isHostChar(c) })
}

func isHostChar(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}

// see returns what clients of h are told of an address: the result of the first rule that
// matches, its number from 1, and, where there is no result, why. Of a filter server's
// address only rules count that look at addresses.
func (h *Horizon) see(m *memberAddress, filterServer bool) (to string, rule int, why string) {
	lists := [3][]int{h.byBroker[m.broker], nil, h.open}
	if m.addr.ip.IsValid() {
		lists[1] = h.byHost[m.addr.ip]
	}
	for {
		next := -1
		for i, l := range lists {
			if len(l) > 0 && (next < 0 || l[0] < lists[next][0]) {
				next = i
			}
		}
		if next < 0 {
			return "", 0, "no rule is for it"
		}
		i := lists[next][0]
		lists[next] = lists[next][1:]
		r := h.rules[i]
		if filterServer && r.from == (addrPattern{}) || !r.matches(m) {
			continue
		}
		to, why = r.to.apply(m)
		return to, i + 1, why
	}
}
