package route

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// A HorizonRules says who belongs to a horizon, and what they are told, in the words
// of whoever wrote it.
type HorizonRules struct {
	Name    string // letters, digits, ".", "_" and "-", 1 to 64; unique
	Match   HorizonMatch
	Rewrite []RewriteRule // the first one that matches an address counts
	Missing string        // what becomes of an address without a result: "keep" (or ""), "drop" it, or "refuse" the answer
	Strict  bool          // two broker names with one result are an error
}

// A HorizonMatch says which clients belong to a horizon: those of whom each list that
// is not empty has an item that fits. At least one list has items.
type HorizonMatch struct {
	CIDR         []string // addresses and prefixes that clients come from
	Except       []string // of those
	Listeners    []string // our own address, to which they have connected, with or without a port
	ProxyTLVs    []ProxyTLV
	Certificates []string // names in their certificate, with "*" for any text
}

// A ProxyTLV is a field of a PROXY header, version 2.
type ProxyTLV struct {
	Type  string // 0xEA, or 234
	Value string // text, or 0x and hexadecimal digits
}

// What NewHorizons accepts. Beyond maxHorizons routes would be kept in too many
// forms. Each address of each broker is compared with up to maxOpenRules.
const (
	maxHorizons      = 16
	maxRules         = 10_000 // of one horizon
	maxOpenRules     = 100    // of one horizon: rules that name neither one broker nor one host
	maxHorizonItems  = 1000   // of one list of a HorizonMatch
	maxHorizonText   = 64     // bytes of its name
	maxWarnings      = 20     // the others are counted
	maxHorizonFaults = 20
)

// A HorizonFault is what is wrong with one of several HorizonRules.
type HorizonFault struct {
	Horizon int // index
	Rule    int // index; -1 for what is not a rule
	Text    string
}

func (f *HorizonFault) Error() string { return f.Text }

// Horizons are the horizons in force, in their order. They never change, but for the
// counters.
type Horizons struct {
	all      []*Horizon
	warnings []HorizonFault
}

// A Horizon is what one group of clients is told instead of the addresses that
// brokers register. It never changes, but for the counters. Safe from any goroutine.
//
// "View" would be the usual word, as in DNS, but here that is a picture of the tables.
type Horizon struct {
	name    string
	number  uint32 // no other horizon of the process has it, and it is not 0
	match   matcher
	rules   []*rewriteRule
	missing missing
	strict  bool

	byBroker map[string][]int     // rules that name one broker
	byHost   map[netip.Addr][]int // other rules that name one host
	open     []int                // all others

	counts *horizonCounts
	lists  [horizonLists]horizonList
}

// A missing says what becomes of an address for which there is no result.
type missing uint8

const (
	missingKeep missing = iota
	missingDrop
	missingRefuse
)

var missingWords = []string{missingKeep: "keep", missingDrop: "drop", missingRefuse: "refuse"}

// A horizonCounts counts what a horizon does. A horizon that takes the place of one
// with the same name goes on counting.
type horizonCounts struct {
	requests    atomic.Uint64
	refused     atomic.Uint64 // of them
	nothing     atomic.Uint64 // of them: no broker was left
	sameAddress atomic.Uint64
	missing     atomic.Uint64
}

// lastHorizon is the number of the newest horizon of the process.
var lastHorizon atomic.Uint32

// NewHorizons checks rules and makes horizons of them. Those that old has too, which
// may be nil, go on with their counters. Its error joins a *HorizonFault for each
// fault, up to maxHorizonFaults.
func NewHorizons(rules []HorizonRules, old *Horizons) (*Horizons, error) {
	hs := &Horizons{}
	var faults []error
	fault := func(horizon, rule int, err error) {
		if err != nil && len(faults) < maxHorizonFaults {
			faults = append(faults, &HorizonFault{horizon, rule, err.Error()})
		}
	}
	if len(rules) > maxHorizons {
		fault(maxHorizons, -1, fmt.Errorf("there are %d horizons, at most %d are possible", len(rules), maxHorizons))
		rules = nil
	}
	names := map[string]bool{}
	for i := range rules {
		r := &rules[i]
		h := &Horizon{name: r.Name, number: lastHorizon.Add(1), strict: r.Strict}
		fault(i, -1, checkHorizonName(r.Name))
		if names[r.Name] {
			fault(i, -1, fmt.Errorf("two horizons have the name %q", r.Name))
		}
		names[r.Name] = true
		if m := slices.Index(missingWords, r.Missing); m >= 0 {
			h.missing = missing(m)
		} else if r.Missing != "" {
			fault(i, -1, fmt.Errorf("missing is %q, must be keep, drop or refuse", r.Missing))
		}
		for _, err := range h.match.parse(&r.Match) {
			fault(i, -1, err)
		}
		if len(r.Rewrite) > maxRules {
			fault(i, -1, fmt.Errorf("it has %d rules, at most %d are possible", len(r.Rewrite), maxRules))
			r = &HorizonRules{Name: r.Name}
		}
		for j := range r.Rewrite {
			rule, err := newRewriteRule(&r.Rewrite[j])
			fault(i, j, err)
			h.rules = append(h.rules, rule)
		}
		if len(faults) == 0 {
			h.index()
			if len(h.open) > maxOpenRules {
				fault(i, -1, fmt.Errorf("%d of its rules name neither one broker nor one host, at most %d may", len(h.open), maxOpenRules))
			}
			h.adopt(old.named(r.Name))
			for _, w := range h.look(i) {
				if w.strict {
					fault(i, w.Rule, errors.New(w.Text))
				}
				hs.warnings = append(hs.warnings, w.HorizonFault)
			}
		}
		hs.all = append(hs.all, h)
	}
	if faults != nil {
		return nil, errors.Join(faults...)
	}
	if more := len(hs.warnings) - maxWarnings; more > 0 {
		last := hs.warnings[maxWarnings]
		hs.warnings = append(hs.warnings[:maxWarnings:maxWarnings], HorizonFault{last.Horizon, last.Rule, fmt.Sprintf("and %d more", more)})
	}
	return hs, nil
}

func checkHorizonName(name string) error {
	if name == "" || len(name) > maxHorizonText || strings.ContainsFunc(name, func(c rune) bool { return !isHostChar(c) }) {
		return fmt.Errorf("name is %.80q, must be 1 to %d letters, digits, \".\", \"_\" or \"-\"", name, maxHorizonText)
	}
	return nil
}

// Warnings returns what may not be meant as it is written.
func (hs *Horizons) Warnings() []HorizonFault { return hs.warnings }

// Len returns how many horizons there are. hs may be nil.
func (hs *Horizons) Len() int {
	if hs == nil {
		return 0
	}
	return len(hs.all)
}

// named returns the horizon with a name, nil if there is none. hs may be nil.
func (hs *Horizons) named(name string) *Horizon {
	if hs != nil {
		for _, h := range hs.all {
			if h.name == name {
				return h
			}
		}
	}
	return nil
}

// Of returns the horizon of a client: the first that it belongs to. nil is the
// common one: it is told what brokers say.
func (hs *Horizons) Of(w *Client) *Horizon {
	for _, h := range hs.all {
		if ok, _ := h.match.fits(w); ok {
			return h
		}
	}
	return nil
}

// Name returns the name of the horizon, "" of the common one, which is nil.
func (h *Horizon) Name() string {
	if h == nil {
		return ""
	}
	return h.name
}

// isCommon reports whether those who belong to h are told what all others are.
func (h *Horizon) isCommon() bool { return len(h.rules) == 0 && h.missing == missingKeep }

// index sorts the rules by what they can be found by.
func (h *Horizon) index() {
	h.byBroker, h.byHost = map[string][]int{}, map[netip.Addr][]int{}
	for i, r := range h.rules {
		switch {
		case r.namesBroker():
			h.byBroker[r.broker] = append(h.byBroker[r.broker], i)
		case r.from.net.IsSingleIP():
			h.byHost[r.from.net.Addr()] = append(h.byHost[r.from.net.Addr()], i)
		default:
			h.open = append(h.open, i)
		}
	}
}

// adopt makes h go on with the counters of old, which may be nil: its own, and those
// of the rules that are the same.
func (h *Horizon) adopt(old *Horizon) {
	if old == nil {
		h.counts = new(horizonCounts)
		for _, r := range h.rules {
			r.hits = new(atomic.Uint64)
		}
		return
	}
	h.counts = old.counts
	hits := map[ruleKey]*atomic.Uint64{}
	for _, r := range old.rules {
		hits[r.key] = r.hits
	}
	for _, r := range h.rules {
		if r.hits = hits[r.key]; r.hits == nil {
			r.hits = new(atomic.Uint64)
		}
		delete(hits, r.key) // of two that are the same the first
	}
}

// A horizonWarning is a warning, or an error where the horizon is strict.
type horizonWarning struct {
	HorizonFault
	strict bool
}

// look returns what can be seen of h before it meets a broker, and may not be meant.
func (h *Horizon) look(number int) (all []horizonWarning) {
	warn := func(rule int, strict bool, format string, args ...any) {
		all = append(all, horizonWarning{HorizonFault{number, rule, fmt.Sprintf(format, args...)}, strict})
	}
	first := map[string]int{} // results that do not depend on the address
	for i, r := range h.rules {
		if p := r.to.port; p.kind == portConstant && r.from.port != p.number {
			if p.number < 3 {
				warn(i, false, "clients that use the VIP channel cannot connect to port %d - 2", p.number)
			} else if r.from.port > 0 {
				warn(i, false, "clients that use the VIP channel connect to port %d instead of %d: it must lead to the broker's port %d", p.number-2, p.number, r.from.port-2)
			}
		}
		if !r.to.isConstant() {
			continue
		}
		to := r.to.text
		if !r.namesBroker() && r.from.host == "" && !r.from.net.IsSingleIP() {
			warn(i, h.strict, "all brokers to which it applies get the one address %s", to)
		}
		if j, ok := first[to]; ok {
			other := h.rules[j]
			if r.namesBroker() && other.namesBroker() && r.broker != other.broker {
				warn(i, h.strict, "brokers %s and %s get the one address %s", other.broker, r.broker, to)
			} else {
				warn(i, false, "its result %s is that of rule %d too", to, j+1)
			}
			continue
		}
		first[to] = i
	}
	return all
}

// A Client is what is known of who asks. It is borrowed.
type Client struct {
	Addr         netip.Addr     // where it comes from; that of the client where a balancer has said whom it speaks for
	Listener     netip.AddrPort // our own address to which it has connected
	ProxyTLVs    []byte         // as in the PROXY header: type, two bytes of length, value, and the next
	Certificates []string       // names in its certificate, if that was verified
}

// A matcher is a HorizonMatch that has been read.
type matcher struct {
	cidr, except []netip.Prefix
	listeners    []netip.AddrPort // port 0: any
	tlvs         []proxyTLV
	certificates []string // in lower case
}

type proxyTLV struct {
	kind  byte
	value []byte
	text  bool
}

// parse reads a HorizonMatch and returns all faults.
func (m *matcher) parse(from *HorizonMatch) (faults []error) {
	for _, list := range []struct {
		name string
		n    int
	}{{"cidr", len(from.CIDR)}, {"except", len(from.Except)}, {"listener", len(from.Listeners)}, {"proxyTLV", len(from.ProxyTLVs)}, {"certificate", len(from.Certificates)}} {
		if list.n > maxHorizonItems {
			return []error{fmt.Errorf("%s has %d items, at most %d are possible", list.name, list.n, maxHorizonItems)}
		}
	}
	note := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	prefixes := func(name string, texts []string) (all []netip.Prefix) {
		for _, text := range texts {
			p, err := parsePrefix(text)
			if err != nil {
				note(fmt.Errorf("%s: %w", name, err))
			}
			all = append(all, p)
		}
		return all
	}
	m.cidr, m.except = prefixes("cidr", from.CIDR), prefixes("except", from.Except)
	for _, text := range from.Listeners {
		ap, err := netip.ParseAddrPort(text)
		if addr, plain := netip.ParseAddr(strings.Trim(text, "[]")); plain == nil {
			ap, err = netip.AddrPortFrom(addr, 0), nil
		}
		if err != nil {
			note(fmt.Errorf("listener: %q is not an IP address, with or without a port", text))
		}
		m.listeners = append(m.listeners, netip.AddrPortFrom(bare(ap.Addr()), ap.Port()))
	}
	for _, t := range from.ProxyTLVs {
		tlv, err := parseTLV(t)
		note(err)
		m.tlvs = append(m.tlvs, tlv)
	}
	for _, text := range from.Certificates {
		if text == "" {
			note(errors.New(`certificate: a name is empty; "*" is any`))
		}
		m.certificates = append(m.certificates, strings.ToLower(text))
	}
	switch {
	case faults != nil:
	case len(from.CIDR)+len(from.Listeners)+len(from.ProxyTLVs)+len(from.Certificates) == 0 && len(from.Except) > 0:
		note(errors.New("except needs cidr"))
	case len(from.CIDR)+len(from.Listeners)+len(from.ProxyTLVs)+len(from.Certificates) == 0:
		note(errors.New(`match says nothing; cidr: [0.0.0.0/0, "::/0"] is everybody`))
	case len(from.Except) > 0 && len(from.CIDR) == 0:
		note(errors.New("except needs cidr"))
	}
	return faults
}

func parseTLV(t ProxyTLV) (proxyTLV, error) {
	kind, err := strconv.ParseUint(t.Type, 0, 8)
	if err != nil {
		return proxyTLV{}, fmt.Errorf("proxyTLV: type is %q, must be 0x00 to 0xFF", t.Type)
	}
	if t.Value == "" {
		return proxyTLV{}, errors.New("proxyTLV: value is empty")
	}
	if digits, ok := strings.CutPrefix(t.Value, "0x"); ok {
		value, err := hex.DecodeString(digits)
		if err != nil {
			return proxyTLV{}, fmt.Errorf("proxyTLV: value is %q, must be text, or 0x and pairs of hexadecimal digits", t.Value)
		}
		return proxyTLV{kind: byte(kind), value: value}, nil
	}
	return proxyTLV{kind: byte(kind), value: []byte(t.Value), text: true}, nil
}

// parsePrefix reads an address or a prefix; an address is a prefix of one. Bits
// behind the prefix are refused: somebody meant something else.
func parsePrefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a prefix", text)
	case p.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("%q must be written as IPv4", text)
	case p.Masked() != p:
		return netip.Prefix{}, fmt.Errorf("%q has bits behind its prefix; %s is the network", text, p.Masked())
	}
	return p, nil
}

// bare returns an address as it is compared.
func bare(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// fits reports whether a client belongs here, and why, or why not.
func (m *matcher) fits(w *Client) (bool, string) {
	var why []string
	addr := bare(w.Addr)
	if len(m.cidr) > 0 {
		i := slices.IndexFunc(m.cidr, func(p netip.Prefix) bool { return p.Contains(addr) })
		if i < 0 {
			return false, fmt.Sprintf("%v is in no cidr", addr)
		}
		if j := slices.IndexFunc(m.except, func(p netip.Prefix) bool { return p.Contains(addr) }); j >= 0 {
			return false, fmt.Sprintf("%v is in except %v", addr, m.except[j])
		}
		why = append(why, fmt.Sprintf("%v is in cidr %v", addr, m.cidr[i]))
	}
	if len(m.listeners) > 0 {
		i := slices.IndexFunc(m.listeners, func(l netip.AddrPort) bool {
			return l.Addr() == bare(w.Listener.Addr()) && (l.Port() == 0 || l.Port() == w.Listener.Port())
		})
		if i < 0 {
			return false, fmt.Sprintf("%v is no listener of it", w.Listener)
		}
		why = append(why, fmt.Sprintf("%v is a listener of it", w.Listener))
	}
	if len(m.tlvs) > 0 {
		i := slices.IndexFunc(m.tlvs, func(t proxyTLV) bool { return t.isIn(w.ProxyTLVs) })
		if i < 0 {
			return false, "its PROXY header has no such TLV"
		}
		why = append(why, fmt.Sprintf("its PROXY header has TLV %#02x", m.tlvs[i].kind))
	}
	if len(m.certificates) > 0 {
		name := ""
		ok := slices.ContainsFunc(w.Certificates, func(n string) bool {
			name = strings.ToLower(n)
			return slices.ContainsFunc(m.certificates, func(p string) bool { return matchPattern(p, name) })
		})
		if !ok {
			return false, "its certificate has no such name"
		}
		why = append(why, fmt.Sprintf("its certificate names %.100q", name))
	}
	return true, strings.Join(why, ", ")
}

// Types of balancers that put one byte in front of the ID of an endpoint.
const (
	tlvAWS   = 0xEA // PP2_TYPE_AWS, PP2_SUBTYPE_AWS_VPCE_ID
	tlvAzure = 0xEE // PP2_TYPE_AZURE, PP2_SUBTYPE_AZURE_PRIVATEENDPOINT_LINKID
	tlvIDSub = 1
)

// isIn reports whether t is one of the fields of a PROXY header.
func (t *proxyTLV) isIn(fields []byte) bool {
	for len(fields) >= 3 {
		kind, n := fields[0], int(fields[1])<<8|int(fields[2])
		if fields = fields[3:]; n > len(fields) {
			return false
		}
		value := fields[:n]
		fields = fields[n:]
		if kind != t.kind {
			continue
		}
		if bytes.Equal(value, t.value) {
			return true
		}
		if (kind == tlvAWS || kind == tlvAzure) && n > 0 && value[0] == tlvIDSub && bytes.Equal(value[1:], t.value) {
			return true
		}
	}
	return false
}

// matchPattern reports whether text is as pattern says, in which each "*" stands for any
// text. Its cost is linear.
func matchPattern(pattern, text string) bool {
	head, rest, open := strings.Cut(pattern, "*")
	if !open {
		return text == pattern
	}
	text, ok := strings.CutPrefix(text, head)
	if !ok {
		return false
	}
	for {
		part, more, open := strings.Cut(rest, "*")
		if !open {
			return strings.HasSuffix(text, part)
		}
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text, rest = text[i+len(part):], more
	}
}
