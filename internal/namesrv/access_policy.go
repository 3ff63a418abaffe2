package namesrv

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"gonamesrv/engine"
)

// An accessPolicy is who may do what: the preset and the rules of the file. It never
// changes; another one takes its place.
type accessPolicy struct {
	generation    uint64 // of those in force, from 1
	preset        string
	monitor       bool // what would be refused is served and counted
	trustLoopback bool
	groups        [numGroups]rights

	// everybody is what each peer may do, whoever it is: with such a right nobody looks
	// at the connection.
	everybody rights

	file   *accessFile
	keys   map[string]*accessKey // of the accounts; nil if there are none
	nobody *accessKey            // verifies what is signed with others

	trust *clientTrust // what makes a certificate count; nil: whatever was verified does
}

// An accessWorld is what a policy depends on beside the configuration.
type accessWorld struct {
	container string // what shows that we run in one; "" nothing
	source    accessSource
	mode      func(path string) (perm uint32, err error) // of a file
}

// newAccessPolicy makes a policy of a configuration and of the text of the accessFile,
// nil if there is none. It returns warnings beside. The file's own preset and mode come
// before those of the configuration.
func newAccessPolicy(cfg *Config, text []byte, w *accessWorld) (*accessPolicy, []string, error) {
	p := &accessPolicy{preset: cfg.AccessPreset, monitor: cfg.AccessMode == modeMonitor, file: &accessFile{}}
	p.trustLoopback = cfg.TrustLoopback || w.container == ""
	var warnings []string
	if text != nil {
		f, err := parseAccessFile(text, w.source)
		if err != nil {
			return nil, nil, err
		}
		p.file = f
		if f.preset != "" {
			p.preset = f.preset
		}
		if f.mode != "" {
			p.monitor = f.mode == modeMonitor
		}
		weak := f.weak
		if perm, err := w.mode(cfg.AccessFile); err == nil && perm&0o007 != 0 && len(f.accounts) > 0 {
			weak = append(weak, fmt.Sprintf("others than its owner and its group may get at the file, which has secrets: mode %04o; chmod 640", perm))
		}
		if p.preset == presetStrict && len(weak) > 0 {
			var faults []error
			for _, text := range weak {
				faults = append(faults, errors.New(text))
			}
			return nil, nil, errors.Join(faults...)
		}
		warnings = append(f.warnings, weak...)
	}
	p.groups = presets[p.preset]
	p.everybody = p.forEverybody()
	for i := range p.file.accounts {
		if p.keys == nil {
			p.keys, p.nobody = map[string]*accessKey{}, newNobody()
		}
		a := &p.file.accounts[i]
		p.keys[a.key] = newAccessKey(a, slices.Contains(p.file.join.accounts, a.key))
	}
	return p, append(warnings, p.warnings()...), nil
}

// forEverybody returns the rights that no peer lacks.
func (p *accessPolicy) forEverybody() rights {
	all := allRights
	for _, r := range p.groups {
		all &= r
	}
	for i := range p.file.networks {
		if p.file.networks[i].deny {
			return noRights
		}
	}
	if p.file.join.isThere() {
		all &^= rightBrokerControl
	}
	return all
}

// warnings are what an operator may not have meant.
func (p *accessPolicy) warnings() (said []string) {
	if p.preset == presetStrict {
		given := false
		for i := range p.file.networks {
			given = given || p.file.networks[i].rights&rightBrokerControl != 0
		}
		for i := range p.file.certificates {
			given = given || p.file.certificates[i].rights&rightBrokerControl != 0
		}
		for i := range p.file.accounts {
			given = given || p.file.accounts[i].rights&rightBrokerControl != 0
		}
		if !given {
			said = append(said, "no rule gives broker-control, and the preset strict gives it to loopback only: no broker of another machine can register")
		}
	}
	for i := range p.file.networks {
		n := &p.file.networks[i]
		if n.deny && (n.addrs.contains(loopback4) || n.addrs.contains(loopback6)) {
			said = append(said, fmt.Sprintf("network %s denies everything to this machine itself", n.name))
		}
		if !n.deny && n.name != whiteNetwork && n.addrs.contains(netip.MustParseAddr("203.0.113.1")) && n.addrs.contains(netip.MustParseAddr("198.51.100.1")) {
			said = append(said, fmt.Sprintf("network %s gives %v to the Internet", n.name, n.rights))
		}
	}
	return said
}

// certificateWarnings are of rules whose certificates nobody verifies, or anybody can have.
func (p *accessPolicy) certificateWarnings(cfg *Config) []string {
	if len(p.file.certificates) == 0 {
		return nil
	}
	t, _, _, err := cfg.TLS.withFile()
	switch {
	case err != nil: // TLS says so itself
		return nil
	case t.TestMode || !t.ServerAuthClient:
		return []string{"no certificate counts: that needs tls.server.authClient=true and tls.test.mode.enable=false"}
	case t.ServerTrustCertPath == "":
		return []string{"the certificates of all authorities count that the system trusts; name your own in tls.server.trustCertPath"}
	}
	return nil
}

// An accessPeer is what rules look at.
type accessPeer struct {
	peerPlace
	leaf   *x509.Certificate     // that we have verified; nil if there is none
	chains [][]*x509.Certificate // by which: each ends in a root that was trusted then
}

// accessPeerOf returns what rules look at of a connection.
func accessPeerOf(c engine.Conn) accessPeer {
	p := accessPeer{peerPlace: placeOf(c.Peer().Addr(), c.Local().Addr(), c.Claimed().Addr(), c.Proxied())}
	if state := c.TLS(); state != nil && len(state.VerifiedChains) > 0 && len(state.PeerCertificates) > 0 {
		p.leaf, p.chains = state.PeerCertificates[0], state.VerifiedChains
	}
	return p
}

// An identity is what a policy says of a peer.
type identity struct {
	addr        netip.Addr // of the peer
	group       peerGroup
	rights      rights // none where denied
	byRules     rights // of these, what networks and certificates give
	denied      bool
	mayJoin     bool // brokerJoin has nothing against it
	networks    []string
	certificate string // "" if none matches
	account     string // that has signed the request; "" if none has, or nobody has looked
}

// signedBy adds what an account gives.
func (p *accessPolicy) signedBy(id *identity, k *accessKey) {
	id.account = k.key
	id.byRules |= k.rights
	id.rights |= k.rights
	id.mayJoin = p.mayJoin(id)
}

// identify finds out who a peer is.
func (p *accessPolicy) identify(peer *accessPeer) identity {
	id := identity{addr: peer.addr, group: peer.group(p.trustLoopback)}
	for i := range p.file.networks {
		n := &p.file.networks[i]
		if !n.addrs.contains(peer.addr) {
			continue
		}
		id.networks = append(id.networks, n.name)
		id.denied = id.denied || n.deny
		id.byRules |= n.rights
	}
	if c := p.certificateOf(p.believed(peer)); c != nil {
		id.certificate = c.name
		id.byRules |= c.rights
	}
	id.mayJoin = p.mayJoin(&id)
	if id.denied {
		id.byRules = noRights
		return id
	}
	id.rights = p.groups[id.group] | id.byRules
	return id
}

// believed returns the certificate of a peer if it counts: its connection may be older than
// those who are trusted now.
func (p *accessPolicy) believed(peer *accessPeer) *x509.Certificate {
	if peer.leaf == nil || len(p.file.certificates) == 0 || p.trust != nil && !p.trust.has(peer.chains) {
		return nil
	}
	return peer.leaf
}

// certificateOf returns the rule of a certificate: the first for the first of its URIs
// that has one, else for its DNS names, else, where it has neither, for its common name.
func (p *accessPolicy) certificateOf(leaf *x509.Certificate) *accessCertificate {
	if leaf == nil {
		return nil
	}
	find := func(name string, pattern func(*accessCertificate) string) *accessCertificate {
		for i := range p.file.certificates {
			if c := &p.file.certificates[i]; matchesName(pattern(c), name) {
				return c
			}
		}
		return nil
	}
	for _, uri := range leaf.URIs {
		if c := find(uri.String(), func(c *accessCertificate) string { return c.uri }); c != nil {
			return c
		}
	}
	for _, dns := range leaf.DNSNames {
		if c := find(strings.ToLower(dns), func(c *accessCertificate) string { return strings.ToLower(c.dns) }); c != nil {
			return c
		}
	}
	if len(leaf.URIs)+len(leaf.DNSNames)+len(leaf.IPAddresses)+len(leaf.EmailAddresses) == 0 {
		return find(leaf.Subject.CommonName, func(c *accessCertificate) string { return c.cn })
	}
	return nil
}

// matchesName compares a name with a pattern, which matches nothing if it is empty.
func matchesName(pattern, name string) bool {
	if head, open := strings.CutSuffix(pattern, "*"); open {
		return strings.HasPrefix(name, head)
	}
	return pattern != "" && pattern == name
}

// mayJoin reports whether brokerJoin lets a peer register.
func (p *accessPolicy) mayJoin(id *identity) bool {
	j := &p.file.join
	return !j.isThere() || j.groups[id.group] || slices.Contains(j.certificates, id.certificate) ||
		id.account != "" && slices.Contains(j.accounts, id.account) ||
		slices.ContainsFunc(id.networks, func(name string) bool { return slices.Contains(j.networks, name) })
}

// maxShownNetworks is how many networks of a peer are named.
const maxShownNetworks = 4

// who names a peer for the log: who it is by rules, or else by its address.
func (id *identity) who() string {
	var names []string
	if id.certificate != "" {
		names = append(names, "certificate:"+id.certificate)
	}
	if id.account != "" {
		names = append(names, "account:"+clip(id.account))
	}
	for _, name := range id.networks {
		names = append(names, "network:"+name)
	}
	if len(names) == 0 {
		return id.group.String()
	}
	return strings.Join(names[:min(len(names), maxShownNetworks)], " ")
}
