package namesrv

import (
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"
)

// An accessColumn is one kind of peer in the matrix.
type accessColumn struct {
	name string
	id   identity
}

// columns are the groups and the rules: a network as its first address is treated, and
// who has a certificate or an account, at an address that gives nothing but what all have.
func (p *accessPolicy) columns() []accessColumn {
	var all []accessColumn
	bare := func(g peerGroup) identity {
		if g == groupLoopback && !p.trustLoopback {
			g = groupSite
		}
		id := identity{group: g, rights: p.groups[g]}
		id.mayJoin = p.mayJoin(&id)
		return id
	}
	for _, g := range []peerGroup{groupLoopback, groupSite, groupPublic} {
		all = append(all, accessColumn{g.String(), bare(g)})
	}
	for i := range p.file.networks {
		n := &p.file.networks[i]
		id := p.identify(&accessPeer{peerPlace: peerPlace{addr: n.addrs.first()}})
		all = append(all, accessColumn{"network:" + n.name, id})
	}
	for i := range p.file.certificates {
		c := &p.file.certificates[i]
		id := bare(groupPublic)
		id.rights |= c.rights
		id.certificate = c.name
		id.mayJoin = p.mayJoin(&id)
		all = append(all, accessColumn{"certificate:" + c.name, id})
	}
	for i := range p.file.accounts {
		a := &p.file.accounts[i]
		id := bare(groupPublic)
		p.signedBy(&id, p.keys[a.key])
		all = append(all, accessColumn{"account:" + clip(a.key), id})
	}
	return all
}

// first returns one address of the list, the least of its first item.
func (l *addressList) first() netip.Addr {
	if len(l.prefixes) > 0 {
		return l.prefixes[0].Addr()
	}
	r := &l.ranges[0]
	if r.parts == 4 {
		return netip.AddrFrom4([4]byte{byte(r.lo[0]), byte(r.lo[1]), byte(r.lo[2]), byte(r.lo[3])})
	}
	var b [16]byte
	for i, part := range r.lo {
		b[2*i], b[2*i+1] = byte(part>>8), byte(part)
	}
	return netip.AddrFrom16(b)
}

// may says in a word whether a request is served.
func (p *accessPolicy) may(w *row, id *identity) string {
	switch {
	case id.rights&w.right == 0:
		return "-"
	case w.right == rightBrokerControl && !id.mayJoin && p.file.join.enforce:
		return "-"
	}
	return "yes"
}

// matrix returns which request is served to whom.
func (p *accessPolicy) matrix(rows []*row, columns []accessColumn) string {
	var text strings.Builder
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "code\trequest\tright")
	for _, c := range columns {
		fmt.Fprint(t, "\t"+c.name)
	}
	fmt.Fprintln(t)
	for _, w := range rows {
		fmt.Fprintf(t, "%d\t%v\t%v", w.code, w.code, w.right)
		for i := range columns {
			fmt.Fprint(t, "\t"+p.may(w, &columns[i].id))
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush()
	return text.String()
}

// besides returns what decides beside the matrix: who sends what for which broker, or asks
// for which name space.
func (p *accessPolicy) besides() string {
	var who []string
	for _, c := range p.columns() {
		if c.id.rights&rightAdminWrite != 0 || c.id.group == groupLoopback && c.name == groupLoopback.String() {
			who = append(who, c.name)
		}
	}
	text := "a goodbye (104) for a broker that lives is served to who is where it registered last"
	if len(who) > 0 {
		text += ", and to " + strings.Join(who, ", ")
	}
	text += "\na registration (103) in the place of a broker that somebody else has registered, and that is heard, is "
	switch {
	case p.file.join.pin == pinOff:
		text += "served, brokerJoin.pin is off"
	case p.file.join.pin == pinEnforce && !p.monitor:
		text += "refused, brokerJoin.pin is enforce"
	default:
		text += "counted and logged, refused with brokerJoin.pin enforce"
	}
	if p.file.kvNamespaces != nil {
		text += "\na value of the KV config (101) takes admin-read"
		if names := slices.Sorted(maps.Keys(p.file.kvNamespaces)); len(names) > 0 {
			text += ", but in " + clip(strings.Join(names, ", "))
		}
	}
	return text + "\n"
}

// CheckAccess returns which request would be served to whom with a configuration, as a
// table for people, and warnings. Its error lists all faults of the accessFile. It is
// about this machine: whether loopback counts, and the secrets that the file names.
func CheckAccess(cfg Config) (table string, notes []Note, err error) {
	return checkAccess(&cfg, systemWorld())
}

func checkAccess(cfg *Config, w accessWorld) (table string, notes []Note, err error) {
	k := &accessKeeper{cfg: cfg, world: w}
	text, err := k.read()
	var p *accessPolicy
	var warnings []string
	if err == nil {
		p, warnings, err = newAccessPolicy(cfg, text, &w)
	}
	if err != nil {
		return "", nil, fmt.Errorf("namesrv: accessFile %s: %w", cfg.AccessFile, err)
	}
	for _, text := range append(warnings, p.certificateWarnings(cfg)...) {
		notes = append(notes, Note{Level: slog.LevelWarn, Msg: text})
	}
	var said strings.Builder
	fmt.Fprintf(&said, "accessPreset %s, accessMode %s", p.preset, modeOf(p.monitor))
	if cfg.AccessFile != "" {
		fmt.Fprintf(&said, ", accessFile %s", cfg.AccessFile)
	}
	fmt.Fprintln(&said)
	if !p.trustLoopback {
		fmt.Fprintf(&said, "loopback counts as site: %s shows that this is a container; trustLoopback=true changes that\n", w.container)
	}
	if p.monitor {
		fmt.Fprintln(&said, "nothing is refused: accessMode monitor serves and counts what the table refuses")
	}
	if cfg.ClusterTest {
		fmt.Fprintln(&said, "clusterTest: every code is a request for a route, and needs route-read")
	}
	fmt.Fprintln(&said)
	said.WriteString(p.matrix(servedRows(cfg), p.columns()))
	if !cfg.ClusterTest {
		said.WriteString("\n" + p.besides())
	}
	return said.String(), notes, nil
}
