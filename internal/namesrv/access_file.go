package namesrv

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// The accessFile: who may do what beside the preset, in YAML. docs/SECURING.md has
// examples. A plain_acl.yml of RocketMQ 4 can be named as it is: keys of it that are
// about brokers are passed over. Any other unknown key is an error: whoever has misspelt
// "deny" would let everybody in.

// The bounds of the accessFile.
const (
	maxAccessFile  = 512 << 10 // bytes
	maxAccessRules = 1000      // networks, and as many certificates and accounts
	maxSecret      = 4 << 10   // bytes
	maxRuleName    = 64        // bytes
)

// sampleSecret is that of the accounts that RocketMQ ships.
const sampleSecret = "12345678"

// whiteNetwork is the name of the network that globalWhiteRemoteAddresses makes.
const whiteNetwork = "globalWhiteRemoteAddresses"

// An accessFile is what was read.
type accessFile struct {
	preset, mode string // "" where the file does not say
	networks     []accessNetwork
	certificates []accessCertificate
	accounts     []accessAccount
	javaWhite    bool // javaWhiteAddresses
	join         joinRule
	kvNamespaces map[string]bool // whose values route-read is enough for; nil: of all
	secretFiles  []string        // whose contents it has taken
	warnings     []string
	weak         []string // what is a warning, and an error with the preset strict
}

// An accessNetwork gives rights to addresses, or takes all of them.
type accessNetwork struct {
	name   string
	addrs  addressList
	rights rights
	deny   bool
}

// An accessCertificate gives rights to whoever shows a certificate that we have
// verified. One of the three is set: what it must be, or with * at its end, begin with.
type accessCertificate struct {
	name         string
	uri, dns, cn string
	rights       rights
}

// An accessAccount is a key that requests may be signed with, and what that gives.
type accessAccount struct {
	key          string
	secret       secretText
	rights       rights
	networks     []string    // it counts from these only; none: from everywhere
	requireTLS   bool        // it counts over TLS only
	requireFresh bool        // it counts with a second signature only, which has a time
	white        addressList // whiteRemoteAddress: Java asks who comes from there for no signature
}

// A secretText shows itself to nobody by accident: package fmt does not follow pointers,
// and asks no methods of fields that are not exported.
type secretText struct{ text *string }

func (secretText) String() string               { return hidden }
func (secretText) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// A joinRule says which brokers may register: any of the required, if there are some.
type joinRule struct {
	groups       [numGroups]bool
	networks     []string
	certificates []string
	accounts     []string // their keys
	enforce      bool
	pin          string // pinOff, pinMonitor or pinEnforce; "" is pinMonitor
}

func (j *joinRule) isThere() bool {
	return len(j.networks)+len(j.certificates)+len(j.accounts) > 0 || j.groups != [numGroups]bool{}
}

// An accessSource is where the texts of secrets come from.
type accessSource struct {
	readFile func(path string, most int64) ([]byte, error)
	getenv   func(string) string
}

var systemSource = accessSource{readFile: readBounded, getenv: os.Getenv}

// readBounded returns what is in a file, unless that is too much.
func readBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s: has more than %d bytes", path, most)
	}
	return text, err
}

// An accessReader reads the nodes of an accessFile.
type accessReader struct {
	yamlReader
	f      *accessFile
	source accessSource
	addrs  int             // so far
	later  []func()        // what needs all of the file: references
	names  map[string]bool // of networks and certificates, "network:" in front
	keys   map[string]int  // of accounts, with their lines
	lines  map[string]int  // of names
}

// parseAccessFile reads the text of a file. Its error lists all faults, each with its
// line; none shows a secret.
func parseAccessFile(text []byte, source accessSource) (*accessFile, error) {
	body, err := yamlDocument(text, "the file must be one document with keys and values")
	if err != nil {
		return nil, err
	}
	r := &accessReader{f: &accessFile{}, source: source, names: map[string]bool{}, keys: map[string]int{}, lines: map[string]int{}}
	r.file(body)
	if r.faults == nil {
		for _, check := range r.later {
			check()
		}
	}
	return r.f, errors.Join(r.faults...)
}

func ignored(ast.Node) {}

func (r *accessReader) file(body ast.Node) {
	r.mapping(body, "the file", map[string]func(ast.Node){
		"preset":       r.oneOf("preset", presetNames, &r.f.preset),
		"mode":         r.oneOf("mode", []string{modeEnforce, modeMonitor}, &r.f.mode),
		"networks":     r.rules("networks", r.network),
		"certificates": r.rules("certificates", r.certificate),
		"accounts":     r.rules("accounts", r.account),
		"brokerJoin":   r.brokerJoin,
		"kvNamespaces": r.kvNamespaces,

		whiteNetwork:         r.globalWhite,
		"javaWhiteAddresses": r.truth("javaWhiteAddresses", &r.f.javaWhite),
		"dataVersion":        ignored, // brokers write it
	})
}

// rules reads a list that may be empty, as in files that are written by tools.
func (r *accessReader) rules(what string, each func(ast.Node)) func(ast.Node) {
	return func(n ast.Node) {
		if _, empty := n.(*ast.NullNode); empty {
			return
		}
		count := 0
		r.list(n, what, false, func(item ast.Node) {
			if count++; count <= maxAccessRules {
				each(item)
			} else if count == maxAccessRules+1 {
				r.fault(item, "%s has more than %d rules", what, maxAccessRules)
			}
		})
	}
}

func (r *accessReader) into(to *string) func(ast.Node) {
	return func(n ast.Node) { *to = r.text(n) }
}

func (r *accessReader) oneOf(what string, words []string, to *string) func(ast.Node) {
	return func(n ast.Node) {
		if *to = r.text(n); !slices.Contains(words, *to) {
			r.fault(n, "%s is %q, must be one of %s", what, clip(*to), strings.Join(words, ", "))
		}
	}
}

func (r *accessReader) truth(what string, to *bool) func(ast.Node) {
	return func(n ast.Node) {
		switch r.text(n) {
		case "true":
			*to = true
		case "false":
			*to = false
		default:
			r.fault(n, "%s must be true or false", what)
		}
	}
}

func (r *accessReader) rightsInto(to *rights) func(ast.Node) {
	return func(n ast.Node) {
		r.list(n, "rights", true, func(n ast.Node) {
			got, err := rightsNamed(r.text(n))
			if err != nil {
				r.fault(n, "rights: %v", err)
			}
			*to |= got
		})
	}
}

func (r *accessReader) addresses(what string, to *addressList) func(ast.Node) {
	return func(n ast.Node) {
		r.list(n, what, true, func(n ast.Node) {
			before := to.len()
			if err := to.add(r.text(n)); err != nil {
				r.fault(n, "%s: %v", what, err)
			}
			if r.addrs += to.len() - before; r.addrs > maxAddresses {
				r.fault(n, "%s: the file has more than %d addresses", what, maxAddresses)
			}
		})
	}
}

// ruleName is what rules may be named: lines of logs and other rules have the names.
var ruleName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

func (r *accessReader) named(n ast.Node, kind, name string) {
	id := kind + ":" + name
	switch {
	case !ruleName.MatchString(name) || len(name) > maxRuleName:
		r.fault(n, "a %s needs a name of letters, digits and . _ -, at most %d", kind, maxRuleName)
	case r.names[id]:
		r.fault(n, "the %s %s is there already, in line %d", kind, name, r.lines[id])
	}
	r.names[id], r.lines[id] = true, lineOf(n)
}

func (r *accessReader) network(n ast.Node) {
	var w accessNetwork
	r.mapping(n, "a network", map[string]func(ast.Node){
		"name": r.into(&w.name), "cidr": r.addresses("cidr", &w.addrs),
		"rights": r.rightsInto(&w.rights), "deny": r.truth("deny", &w.deny),
	})
	r.named(n, "network", w.name)
	switch {
	case w.addrs.len() == 0:
		r.fault(n, "network %s has no cidr", clip(w.name))
	case w.deny == (w.rights != 0):
		r.fault(n, "network %s needs rights, or deny: true, and not both", clip(w.name))
	}
	r.f.networks = append(r.f.networks, w)
}

func (r *accessReader) globalWhite(n ast.Node) {
	if _, empty := n.(*ast.NullNode); empty {
		return
	}
	w := accessNetwork{name: whiteNetwork, rights: allRights}
	r.addresses(whiteNetwork, &w.addrs)(n)
	if w.addrs.len() > 0 {
		r.named(n, "network", w.name)
		r.f.networks = append(r.f.networks, w)
		r.warn(n, "%s: these addresses may do all without being asked who they are", whiteNetwork)
	}
}

func (r *accessReader) warn(n ast.Node, format string, args ...any) {
	r.f.warnings = addBounded(r.f.warnings, n, format, args...)
}

func (r *accessReader) weak(n ast.Node, format string, args ...any) {
	r.f.weak = addBounded(r.f.weak, n, format, args...)
}

func addBounded(to []string, n ast.Node, format string, args ...any) []string {
	if len(to) < maxYAMLFaults {
		to = append(to, fmt.Sprintf("line %d: %s", lineOf(n), fmt.Sprintf(format, args...)))
	}
	return to
}

func (r *accessReader) certificate(n ast.Node) {
	var c accessCertificate
	r.mapping(n, "a certificate", map[string]func(ast.Node){
		"name": r.into(&c.name), "uri": r.into(&c.uri), "dns": r.into(&c.dns), "cn": r.into(&c.cn),
		"rights": r.rightsInto(&c.rights),
	})
	r.named(n, "certificate", c.name)
	given := 0
	for _, pattern := range []string{c.uri, c.dns, c.cn} {
		if pattern != "" {
			given++
		}
		if i := strings.IndexByte(pattern, '*'); i >= 0 && i != len(pattern)-1 {
			r.fault(n, "certificate %s: * may stand at the end only", clip(c.name))
		}
		if pattern == "*" {
			r.fault(n, "certificate %s: * alone is any certificate; say which", clip(c.name))
		}
	}
	if given != 1 {
		r.fault(n, "certificate %s needs one of uri, dns, cn", clip(c.name))
	}
	if c.rights == 0 {
		r.fault(n, "certificate %s has no rights", clip(c.name))
	}
	r.f.certificates = append(r.f.certificates, c)
}

func (r *accessReader) account(n ast.Node) {
	var a accessAccount
	var secret string
	var admin bool
	r.mapping(n, "an account", map[string]func(ast.Node){
		"accessKey": r.into(&a.key), "secretKey": r.into(&secret), "admin": r.truth("admin", &admin),
		"rights": r.rightsInto(&a.rights), "requireTLS": r.truth("requireTLS", &a.requireTLS), "requireFresh": r.truth("requireFresh", &a.requireFresh),
		"networks": func(n ast.Node) {
			r.list(n, "networks", true, func(n ast.Node) {
				name := r.text(n)
				a.networks = append(a.networks, name)
				r.later = append(r.later, func() { r.refers(n, "network:"+name) })
			})
		},
		"whiteRemoteAddress": func(n ast.Node) {
			if text, ok := n.(*ast.StringNode); ok && strings.TrimSpace(text.Value) == "" {
				return
			}
			if _, empty := n.(*ast.NullNode); !empty {
				r.addresses("whiteRemoteAddress", &a.white)(n)
			}
		},
		"defaultTopicPerm": ignored, "defaultGroupPerm": ignored, "topicPerms": ignored, "groupPerms": ignored,
	})
	if a.rights == 0 {
		a.rights = rightRouteRead
		if admin {
			a.rights = allRights
		}
	}
	if a.requireFresh && a.rights&^(rightRouteRead|rightBrokerControl) == 0 {
		r.warn(n, "account %s: requireFresh: true, but neither brokers nor clients sign with a time; nsctl does", clip(a.key))
	}
	if a.key == "" {
		r.fault(n, "an account has no accessKey")
		return
	}
	if first, twice := r.keys[a.key]; twice {
		r.weak(n, "accessKey %s is there already, in line %d; the first one counts", clip(a.key), first)
		return
	}
	r.keys[a.key] = lineOf(n)
	r.names["account:"+a.key] = true
	resolved, err := r.resolve(secret)
	if err != nil {
		r.fault(n, "secretKey of %s: %v", clip(a.key), err)
	}
	a.secret = secretText{&resolved}
	switch {
	case err != nil:
	case resolved == "":
		r.weak(n, "account %s has no secretKey: anybody can sign with it", clip(a.key))
	case resolved == sampleSecret:
		r.weak(n, "account %s has the secretKey that RocketMQ ships: everybody knows it", clip(a.key))
	}
	if a.white.len() > 0 {
		r.later = append(r.later, func() {
			if !r.f.javaWhite {
				r.warn(n, "whiteRemoteAddress of %s is not used: in Java, whoever comes from there may name the key without a signature; javaWhiteAddresses: true brings that back", clip(a.key))
			}
		})
	}
	r.f.accounts = append(r.f.accounts, a)
}

// resolve returns the text of a secret: as it is, of ${env:NAME} or of ${file:PATH}.
func (r *accessReader) resolve(text string) (string, error) {
	if inner, ok := strings.CutPrefix(text, "${"); ok {
		inner, closed := strings.CutSuffix(inner, "}")
		kind, name, _ := strings.Cut(inner, ":")
		switch {
		case closed && kind == "env" && name != "":
			if v := r.source.getenv(name); v != "" {
				return v, nil
			}
			return "", fmt.Errorf("the environment has no %s", clip(name))
		case closed && kind == "file" && name != "":
			r.f.secretFiles = append(r.f.secretFiles, name)
			text, err := r.source.readFile(name, maxSecret)
			return strings.TrimRight(string(text), "\r\n"), err
		}
		return "", errors.New("${ must be followed by env:NAME} or file:PATH}")
	}
	if len(text) > maxSecret {
		return "", fmt.Errorf("has more than %d bytes", maxSecret)
	}
	return text, nil
}

func (r *accessReader) refers(n ast.Node, id string) {
	if !r.names[id] {
		kind, name, _ := strings.Cut(id, ":")
		r.fault(n, "there is no %s %s", kind, clip(name))
	}
}

// reference returns kind:name. Within {} the parser takes that for a key and a value,
// blank or not.
func (r *accessReader) reference(n ast.Node) string {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) == 1 {
		n = m.Values[0]
	}
	if v, ok := n.(*ast.MappingValueNode); ok {
		return v.Key.GetToken().Value + ":" + r.text(v.Value)
	}
	return r.text(n)
}

func (r *accessReader) kvNamespaces(n ast.Node) {
	if _, empty := n.(*ast.NullNode); empty {
		return
	}
	r.f.kvNamespaces = map[string]bool{}
	r.rules("kvNamespaces", func(n ast.Node) { r.f.kvNamespaces[r.text(n)] = true })(n)
}

func (r *accessReader) brokerJoin(n ast.Node) {
	j, mode := &r.f.join, ""
	r.mapping(n, "brokerJoin", map[string]func(ast.Node){
		"mode": r.oneOf("mode", []string{modeMonitor, modeEnforce}, &mode),
		"pin":  r.oneOf("pin", []string{pinOff, pinMonitor, pinEnforce}, &j.pin),
		"require": func(n ast.Node) {
			r.list(n, "require", true, func(n ast.Node) {
				text := r.reference(n)
				kind, name, _ := strings.Cut(text, ":")
				switch {
				case text == groupNames[groupLoopback]:
					j.groups[groupLoopback] = true
				case text == groupNames[groupSite]:
					j.groups[groupSite] = true
				case kind == "network" && name != "":
					j.networks = append(j.networks, name)
				case kind == "certificate" && name != "": // "" would be everybody who has none
					j.certificates = append(j.certificates, name)
				case kind == "account":
					j.accounts = append(j.accounts, name)
				default:
					r.fault(n, "require has %q, must have loopback, site, network:NAME, certificate:NAME or account:KEY", clip(text))
					return
				}
				if name != "" {
					r.later = append(r.later, func() { r.refers(n, text) })
				}
			})
		},
	})
	j.enforce = mode == modeEnforce
	if !j.isThere() && (j.pin == "" || mode != "") {
		r.fault(n, "brokerJoin requires nobody")
	}
}
