package namesrv

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// sitePrefixes are the addresses that the Internet does not route: RFC 1918, the space
// that carriers share, link-local ones, and their like of IPv6.
var sitePrefixes = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"),
}

// A peerPlace is where a peer is, as far as addresses tell.
type peerPlace struct {
	addr    netip.Addr // not valid if it is not known; without a zone, IPv4 as such
	local   netip.Addr // that the peer has connected to
	proxied bool       // a balancer has said who it is, or has said nothing of it
}

// placeOf returns where the other end of a TCP connection is, or if that has sent a PROXY
// header, where that says. claimed is not valid where the header names nobody.
func placeOf(peer, local, claimed netip.Addr, proxied bool) peerPlace {
	p := peerPlace{addr: plainAddr(peer), local: plainAddr(local), proxied: proxied}
	if proxied {
		p.addr = plainAddr(claimed)
	}
	return p
}

// plainAddr is an address as rules compare it.
func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

var loopback4, loopback6 = netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()

// group returns the group of a peer. A loopback that proves nothing is one of the site.
//
// 127.0.0.1 and ::1 alone are the loopback: sidecars of a mesh bring in strangers from
// other addresses of 127.0.0.0/8. So is a peer that has connected from this machine to
// one of its other addresses. A balancer may say what it likes: it never makes somebody
// the loopback.
func (p *peerPlace) group(trustLoopback bool) peerGroup {
	if !p.addr.IsValid() || p.proxied && p.addr.IsLoopback() {
		return groupPublic
	}
	if !p.proxied && (p.addr == loopback4 || p.addr == loopback6 || p.addr == p.local) {
		if trustLoopback {
			return groupLoopback
		}
		return groupSite
	}
	for _, prefix := range sitePrefixes {
		if prefix.Contains(p.addr) {
			return groupSite
		}
	}
	return groupPublic
}

// The bounds of address lists.
const (
	maxAddresses = 10_000 // addresses, prefixes and patterns of a file, after {} is multiplied out
	maxBraces    = 256    // patterns that the {} of one make
)

// An addressList is addresses that a rule is about.
type addressList struct {
	prefixes []netip.Prefix
	ranges   []addressRange
}

func (l *addressList) len() int { return len(l.prefixes) + len(l.ranges) }

// contains reports whether a is in the list. a is a plainAddr.
func (l *addressList) contains(a netip.Addr) bool {
	if !a.IsValid() {
		return false
	}
	for _, p := range l.prefixes {
		if p.Contains(a) {
			return true
		}
	}
	for i := range l.ranges {
		if l.ranges[i].contains(a) {
			return true
		}
	}
	return false
}

// An addressRange is the addresses each part of which is between two numbers: 10.0.1-9.*.
type addressRange struct {
	parts  int // 4 of IPv4, 8 of IPv6
	lo, hi [8]uint16
}

func (r *addressRange) contains(a netip.Addr) bool {
	if a.Is4() != (r.parts == 4) {
		return false
	}
	var part [8]uint16
	if a.Is4() {
		for i, b := range a.As4() {
			part[i] = uint16(b)
		}
	} else {
		b := a.As16()
		for i := range part {
			part[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
		}
	}
	for i := range r.parts {
		if part[i] < r.lo[i] || part[i] > r.hi[i] {
			return false
		}
	}
	return true
}

// add adds what a text of a file names: an address, a prefix, or a pattern of Java's
// plain_acl.yml: *, 10.0.0.*, 10.0.1-9.*, 10.0.0.{1,2}, 2001:db8::1-ff, and lists of
// these with commas. Java: RemoteAddressStrategyFactory.
//
// Differs from Java, which knows *, - and {} in the last two parts only.
func (l *addressList) add(text string) error {
	for _, item := range splitOutside(text) {
		item = strings.TrimSpace(item)
		if item == "" {
			return fmt.Errorf("%q has an empty item", clip(text))
		}
		patterns, err := expandBraces(item)
		if err != nil {
			return err
		}
		for _, p := range patterns {
			if err := l.addOne(p); err != nil {
				return err
			}
		}
		if l.len() > maxAddresses {
			return fmt.Errorf("there are more than %d addresses", maxAddresses)
		}
	}
	return nil
}

func (l *addressList) addOne(text string) error {
	if text == "*" {
		l.prefixes = append(l.prefixes, netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0))
		return nil
	}
	if a, err := netip.ParseAddr(text); err == nil {
		a = plainAddr(a)
		l.prefixes = append(l.prefixes, netip.PrefixFrom(a, a.BitLen()))
		return nil
	}
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		switch {
		case err != nil:
			return fmt.Errorf("%q is neither an address, nor a prefix, nor a pattern", clip(text))
		case p.Addr().Is4In6():
			return fmt.Errorf("%q is a prefix of IPv4 written as one of IPv6; write it as IPv4", clip(text))
		case p.Masked() != p:
			return fmt.Errorf("%q has bits beyond its prefix; %s is meant, or one address", clip(text), p.Masked())
		}
		l.prefixes = append(l.prefixes, p)
		return nil
	}
	r, ok := parseRange(text)
	if !ok {
		return fmt.Errorf("%q is neither an address, nor a prefix, nor a pattern", clip(text))
	}
	l.ranges = append(l.ranges, r)
	return nil
}

// parseRange reads a pattern without {}.
func parseRange(text string) (r addressRange, ok bool) {
	parts, base, most := strings.Split(text, "."), 10, uint64(255)
	r.parts = 4
	if strings.Contains(text, ":") {
		head, tail, short := strings.Cut(text, "::")
		parts, base, most = splitParts(head), 16, 0xFFFF
		r.parts = 8
		if short {
			behind := splitParts(tail)
			zeros := 8 - len(parts) - len(behind)
			if zeros < 1 {
				return r, false
			}
			for range zeros {
				parts = append(parts, "0")
			}
			parts = append(parts, behind...)
		}
	}
	if len(parts) != r.parts {
		return r, false
	}
	for i, part := range parts {
		if part == "*" {
			r.hi[i] = uint16(most)
			continue
		}
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		lo, err := strconv.ParseUint(from, base, 16)
		hi, err2 := strconv.ParseUint(to, base, 16)
		if err != nil || err2 != nil || lo > hi || hi > most {
			return r, false
		}
		r.lo[i], r.hi[i] = uint16(lo), uint16(hi)
	}
	return r, true
}

func splitParts(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ":")
}

// splitOutside splits a list at its commas, but for those within {}.
func splitOutside(text string) (items []string) {
	depth, from := 0, 0
	for i, c := range text {
		switch c {
		case '{':
			depth++
		case '}':
			depth--
		case ',':
			if depth <= 0 {
				items = append(items, text[from:i])
				from = i + 1
			}
		}
	}
	return append(items, text[from:])
}

// expandBraces returns the patterns that one with {} stands for.
func expandBraces(text string) ([]string, error) {
	done, rest := []string{""}, text
	for {
		before, inner, ok := strings.Cut(rest, "{")
		var choices []string
		if ok {
			if inner, rest, ok = strings.Cut(inner, "}"); !ok {
				return nil, fmt.Errorf("%q has a { without a }", clip(text))
			}
			choices = strings.Split(inner, ",")
		} else {
			choices = []string{""}
		}
		if len(done)*len(choices) > maxBraces {
			return nil, fmt.Errorf("%q stands for more than %d addresses; write a prefix or a range", clip(text), maxBraces)
		}
		next := make([]string, 0, len(done)*len(choices))
		for _, d := range done {
			for _, c := range choices {
				next = append(next, d+before+strings.TrimSpace(c))
			}
		}
		if done = next; !ok {
			return done, nil
		}
	}
}
