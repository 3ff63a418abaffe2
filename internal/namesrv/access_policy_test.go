package namesrv

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"flag"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

var updateGolden = flag.Bool("update-access", false, "write testdata/access_matrix.txt")

// aWorld is a machine with a few files and variables.
func aWorld(container string) accessWorld {
	return accessWorld{
		container: container,
		source: accessSource{
			readFile: func(path string, _ int64) ([]byte, error) {
				if path == "/run/secrets/ops" {
					return []byte("canary-of-a-file\n"), nil
				}
				return nil, os.ErrNotExist
			},
			getenv: func(name string) string { return map[string]string{"OPS": "canary-of-the-environment"}[name] },
		},
		mode: func(string) (uint32, error) { return 0o640, nil },
	}
}

func policyOf(t testing.TB, preset, text string, w accessWorld, change ...func(*Config)) (*accessPolicy, []string) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.AccessPreset = preset
	for _, f := range change {
		f(&cfg)
	}
	p, warnings, err := newAccessPolicy(&cfg, []byte(text), &w)
	if err != nil {
		t.Fatal(err)
	}
	return p, warnings
}

// matrixFile is the accessFile of the matrix.
const matrixFile = `
networks:
  - { name: bastion,  cidr: [203.0.113.7, 198.51.100.0/28], rights: [admin-read, admin-write, config] }
  - { name: scanners, cidr: 10.9.9.9, deny: true }
certificates:
  - { name: brokers, uri: "spiffe://prod/ns/mq/sa/broker*", rights: [broker-control, route-read] }
  - { name: ops,     dns: "mqadmin.ops.example.com",        rights: all }
`

func certificate(t testing.TB, cn string, dns []string, uris ...string) *x509.Certificate {
	t.Helper()
	c := &x509.Certificate{Subject: pkix.Name{CommonName: cn}, DNSNames: dns}
	for _, text := range uris {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		c.URIs = append(c.URIs, u)
	}
	return c
}

func at(addr string) accessPeer {
	return accessPeer{peerPlace: peerPlace{addr: netip.MustParseAddr(addr)}}
}

// TestAccessMatrix compares who may send which request with testdata/access_matrix.txt:
// all codes, by all presets, for eight kinds of peers.
func TestAccessMatrix(t *testing.T) {
	public := at("203.0.113.200")
	broker, ops := public, public
	broker.leaf = certificate(t, "", nil, "spiffe://prod/ns/mq/sa/broker-7")
	ops.leaf = certificate(t, "", []string{"mqadmin.ops.example.com"})
	peers := []struct {
		name      string
		container string
		peer      accessPeer
	}{
		{"loopback", "", at("127.0.0.1")},
		{"contained", "/.dockerenv", at("127.0.0.1")},
		{"site", "", at("10.1.2.3")},
		{"public", "", public},
		{"bastion", "", at("203.0.113.7")},
		{"scanner", "", at("10.9.9.9")},
		{"broker", "", broker},
		{"ops", "", ops},
	}
	var got strings.Builder
	cfg := DefaultConfig()
	for _, preset := range presetNames {
		var columns []accessColumn
		for _, who := range peers {
			p, _ := policyOf(t, preset, matrixFile, aWorld(who.container))
			columns = append(columns, accessColumn{who.name, p.identify(&who.peer)})
		}
		p, _ := policyOf(t, preset, matrixFile, aWorld(""))
		fmt.Fprintf(&got, "%s\n\n%s\n", preset, p.matrix(newDispatchTable(&cfg).rows, columns))
	}
	const golden = "testdata/access_matrix.txt"
	if *updateGolden {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("it is\n%s\nwant\n%s", &got, want)
	}
	if n := strings.Count(got.String(), "\n"); n != 3*(23+4) {
		t.Errorf("it has %d lines", n)
	}
}

// TestEveryCodeHasARight: a code without one would be served to everybody.
func TestEveryCodeHasARight(t *testing.T) {
	cfg := DefaultConfig()
	test := cfg
	test.ClusterTest = true
	single := map[rights]bool{}
	for i := range rightNames {
		single[1<<i] = true
	}
	rows := append(newDispatchTable(&cfg).rows, newDispatchTable(&test).other)
	for _, w := range rows {
		if !single[w.right] {
			t.Errorf("%v needs %v, must need one right", w.code, w.right)
		}
		if (w.right == rightAdminWrite || w.right == rightConfig) && w.logged == nil {
			t.Errorf("%v needs %v, and leaves no line of an admin change", w.code, w.right)
		}
		if w.question && (w.right == rightAdminWrite || w.right == rightConfig) {
			t.Errorf("%v changes nothing, and needs %v", w.code, w.right)
		}
		if (w.who == isBroker) && w.right != rightBrokerControl {
			t.Errorf("%v is sent by brokers, and needs %v", w.code, w.right)
		}
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range rightNames {
		line := fmt.Sprintf("//\t%-15s", name)
		for _, w := range newDispatchTable(&cfg).rows {
			if w.right == 1<<i {
				line += fmt.Sprintf(" %d", w.code)
			}
		}
		if !strings.Contains(string(doc), line+"\n") {
			t.Errorf("doc.go does not have %q", line)
		}
	}
	if newDispatchTable(&cfg).other.right != 0 {
		t.Error("codes that are not served need a right, but are to be answered so, whoever asks")
	}
	if len(rightNames) != numRights || allRights != 1<<numRights-1 {
		t.Errorf("there are %d names", len(rightNames))
	}
}

// TestPeerGroup: what an address says of a peer, and what it does not.
func TestPeerGroup(t *testing.T) {
	for _, tc := range []struct {
		addr, local string
		proxied     bool
		want        string // with a loopback that is trusted, and in a container
	}{
		{addr: "127.0.0.1", want: "loopback site"},
		{addr: "::1", want: "loopback site"},
		{addr: "::ffff:127.0.0.1", want: "loopback site"},
		{addr: "127.0.0.6", want: "site site"}, // a sidecar of Istio
		{addr: "203.0.113.7", local: "203.0.113.7", want: "loopback site"},
		{addr: "203.0.113.7", local: "203.0.113.8", want: "public public"},
		{addr: "203.0.113.7", local: "203.0.113.7", proxied: true, want: "public public"},
		{addr: "127.0.0.1", proxied: true, want: "public public"},
		{addr: "::1", proxied: true, want: "public public"},
		{proxied: true, want: "public public"}, // LOCAL, UNSPEC
		{addr: "10.0.0.1", proxied: true, want: "site site"},
		{addr: "10.255.255.255", want: "site site"},
		{addr: "11.0.0.0", want: "public public"},
		{addr: "172.16.0.1", want: "site site"},
		{addr: "172.32.0.0", want: "public public"},
		{addr: "192.168.1.1", want: "site site"},
		{addr: "100.64.0.1", want: "site site"},
		{addr: "100.128.0.1", want: "public public"},
		{addr: "169.254.1.1", want: "site site"},
		{addr: "fe80::1%eth0", want: "site site"},
		{addr: "fd00::1", want: "site site"},
		{addr: "2001:db8::1", want: "public public"},
		{addr: "::ffff:10.0.0.1", want: "site site"},
		{addr: "0.0.0.0", want: "public public"},
	} {
		p := peerPlace{proxied: tc.proxied}
		if tc.addr != "" {
			p.addr = plainAddr(netip.MustParseAddr(tc.addr))
		}
		if tc.local != "" {
			p.local = netip.MustParseAddr(tc.local)
		}
		if got := p.group(true).String() + " " + p.group(false).String(); got != tc.want {
			t.Errorf("%+v: %s", tc, got)
		}
	}
}

// TestPlaceOf: a balancer that names nobody is nobody, and none of its own network.
func TestPlaceOf(t *testing.T) {
	site, public := netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("203.0.113.7")
	for _, tc := range []struct {
		peer, claimed netip.Addr
		proxied       bool
		want          peerGroup
	}{
		{site, netip.Addr{}, false, groupSite},
		{site, netip.Addr{}, true, groupPublic},
		{site, public, true, groupPublic},
		{public, site, true, groupSite},
		{site, site, true, groupSite},
		{site, loopback4, true, groupPublic},
	} {
		p := placeOf(tc.peer, netip.MustParseAddr("10.0.0.9"), tc.claimed, tc.proxied)
		if got := p.group(true); got != tc.want {
			t.Errorf("%+v: %v", tc, got)
		}
	}
}

// TestContainerSign finds out by files and variables whether loopback proves anything.
func TestContainerSign(t *testing.T) {
	for _, tc := range []struct {
		files map[string]string
		env   string
		want  string
	}{
		{want: ""},
		{files: map[string]string{"proc/1/cgroup": "0::/init.scope\n", "etc/debian_version": "12.5\n"}, want: ""},
		{files: map[string]string{"proc/1/cgroup": "9:name=systemd:/\n0::/\n"}, want: ""},
		{files: map[string]string{".dockerenv": ""}, want: "/.dockerenv"},
		{files: map[string]string{"run/.containerenv": ""}, want: "/run/.containerenv"},
		{env: "KUBERNETES_SERVICE_HOST", want: "KUBERNETES_SERVICE_HOST"},
		{env: "container", want: "container"},
		{files: map[string]string{"proc/1/cgroup": "1:cpu:/kubepods/besteffort/pod1\n"}, want: "/proc/1/cgroup"},
		{files: map[string]string{"proc/1/cgroup": "1:cpu:/docker/5e\n"}, want: "/proc/1/cgroup"},
	} {
		root := fstest.MapFS{}
		for name, text := range tc.files {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		getenv := func(name string) string {
			if name == tc.env {
				return "x"
			}
			return ""
		}
		if got := containerSign(root, getenv); got != tc.want {
			t.Errorf("%+v: %q", tc, got)
		}
	}
}

// TestAddressPatterns reads the patterns of Java's files, and addresses and prefixes.
func TestAddressPatterns(t *testing.T) {
	for _, tc := range []struct{ text, in, out string }{
		{"*", "1.2.3.4 2001:db8::1 10.0.0.1", ""},
		{"*.*.*.*", "1.2.3.4", "::1"},
		{"10.0.0.1", "10.0.0.1", "10.0.0.2 ::1"},
		{"::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"},
		{"10.0.0.0/8", "10.0.0.0 10.255.255.255", "11.0.0.0 9.255.255.255 2001:db8::1"},
		{"2001:db8::/32", "2001:db8::1 2001:db8:ffff::", "2001:db9:: 10.0.0.1"},
		{"10.0.0.*", "10.0.0.0 10.0.0.255", "10.0.1.0 10.1.0.0"},
		{"10.0.*.*", "10.0.0.0 10.0.255.255", "10.1.0.0"},
		{"10.0.1-9.*", "10.0.1.0 10.0.9.255", "10.0.0.255 10.0.10.0"},
		{"10.0.0.5-7", "10.0.0.5 10.0.0.7", "10.0.0.4 10.0.0.8"},
		{"10.0.0.{1,2}", "10.0.0.1 10.0.0.2", "10.0.0.3"},
		{"10.0.{1,2}.{3,4}", "10.0.1.3 10.0.2.4", "10.0.1.1 10.0.3.3"},
		{"10.0.0.1, 10.0.0.{2,3},192.168.*.*", "10.0.0.1 10.0.0.3 192.168.7.7", "10.0.0.4 192.169.0.0"},
		{"2001:db8::1-ff", "2001:db8::1 2001:db8::ff", "2001:db8::100 2001:db8::"},
		{"2001:db8:0:0:0:0:*:*", "2001:db8::1 2001:db8::ffff:ffff", "2001:db8:0:0:0:1::"},
		{"2001:db8::{1,a}", "2001:db8::1 2001:db8::a", "2001:db8::2"},
		{"1:*::5", "1:ffff::5", "1:ffff:1::5 2::5"},
	} {
		var l addressList
		if err := l.add(tc.text); err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		for _, a := range strings.Fields(tc.in) {
			if !l.contains(plainAddr(netip.MustParseAddr(a))) {
				t.Errorf("%s: %s is not in it", tc.text, a)
			}
		}
		for _, a := range strings.Fields(tc.out) {
			if l.contains(plainAddr(netip.MustParseAddr(a))) {
				t.Errorf("%s: %s is in it", tc.text, a)
			}
		}
		if l.contains(netip.Addr{}) {
			t.Errorf("%s: an address that is not known is in it", tc.text)
		}
	}
	for _, text := range []string{
		"", ",", "10.0.0.1,", "10.0.0", "10.0.0.256", "10.0.0.9-1", "10.0.0.*.1", "10.0.0.{1", "10.0.0.1/33", "10.0.0.1/8",
		"::ffff:10.0.0.0/104", "host", "10.0.0.-1", "1::2::3", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::8*", "10.0.{0,1}.{" + strings.Repeat("1,", 200) + "1}", "{}", "%eth0",
	} {
		var l addressList
		if err := l.add(text); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}

// TestCertificateRules: the first name of a certificate that has a rule is who it is.
func TestCertificateRules(t *testing.T) {
	p, _ := policyOf(t, presetStrict, `
certificates:
  - { name: uri,  uri: "spiffe://a/broker*", rights: broker-control }
  - { name: dns,  dns: ops.example.com, rights: config }
  - { name: cn,   cn: "old-*", rights: admin-read }
`, aWorld(""))
	for _, tc := range []struct {
		leaf *x509.Certificate
		want string
	}{
		{nil, ""},
		{certificate(t, "", nil, "spiffe://a/broker-7"), "uri"},
		{certificate(t, "", nil, "spiffe://a/brokers"), "uri"},
		{certificate(t, "", nil, "spiffe://a/other"), ""},
		{certificate(t, "", []string{"ops.example.com"}), "dns"},
		{certificate(t, "", []string{"OPS.example.com"}), "dns"},
		{certificate(t, "", []string{"xops.example.com", "ops.example.com.evil"}), ""},
		{certificate(t, "", []string{"ops.example.com"}, "spiffe://a/broker"), "uri"},
		{certificate(t, "", []string{"ops.example.com"}, "spiffe://a/none"), "dns"},
		{certificate(t, "old-1", nil), "cn"},
		{certificate(t, "new-1", nil), ""},
		{certificate(t, "old-1", []string{"x"}), ""}, // it has other names
		{certificate(t, "old-1", nil, "spiffe://x/y"), ""},
		{certificate(t, "", nil), ""},
	} {
		peer := at("203.0.113.7")
		peer.leaf = tc.leaf
		if id := p.identify(&peer); id.certificate != tc.want || (id.rights == 0) != (tc.want == "") {
			t.Errorf("%+v: %+v, want %q", tc.leaf, id, tc.want)
		}
	}
}

const wholeFile = `# comment
preset: standard
mode: enforce
networks:
  - { name: bastion, cidr: [10.1.2.0/28], rights: [admin-read, admin-write, config] }
  - name: brokers
    cidr: 10.8.0.0/16
    rights: broker-control
  - { name: scanners, cidr: [10.9.9.9], deny: true }
certificates:
  - { name: brokers, uri: "spiffe://prod/broker*", rights: [broker-control] }
accounts:
  - accessKey: ops-eu
    secretKey: ${file:/run/secrets/ops}
    rights: [all]
    networks: [bastion]
    requireTLS: true
    requireFresh: false
  - { accessKey: ops-us, secretKey: "${env:OPS}", admin: true }
  - { accessKey: reader, secretKey: canary-in-the-file, whiteRemoteAddress: 192.168.1.* }
brokerJoin: { require: [network:brokers, "certificate:brokers", loopback], mode: enforce }
`

// plainACL is conf/plain_acl.yml of RocketMQ 4.9.7, as it is shipped, with what brokers
// write into it.
const plainACL = `
globalWhiteRemoteAddresses:
  - 10.10.103.*
  - 192.168.0.*

accounts:
  - accessKey: RocketMQ
    secretKey: 12345678
    whiteRemoteAddress:
    admin: false
    defaultTopicPerm: DENY
    defaultGroupPerm: SUB
    topicPerms:
      - topicA=DENY
      - topicB=PUB|SUB
      - topicC=SUB
    groupPerms:
      # the group should convert to retry topic
      - groupA=DENY
      - groupB=PUB|SUB
      - groupC=SUB

  - accessKey: rocketmq2
    secretKey: 12345678
    whiteRemoteAddress: 192.168.1.*
    # if it is admin, it could access all resources
    admin: true
dataVersion:
- counter: 3
  timestamp: 1614756461120
`

// TestConfigCheckTable: rules have columns of their own.
func TestConfigCheckTable(t *testing.T) {
	path := t.TempDir() + "/access.yaml"
	if err := os.WriteFile(path, []byte(wholeFile), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.AccessFile = path
	cfg.TLS.TestMode, cfg.TLS.ServerAuthClient, cfg.TLS.ServerTrustCertPath = false, true, "ca.pem"
	w := aWorld("/.dockerenv")
	read := w.source.readFile
	w.source.readFile = func(p string, most int64) ([]byte, error) {
		if p == path {
			return readBounded(p, most)
		}
		return read(p, most)
	}
	table, notes, err := checkAccess(&cfg, w)
	if err != nil || len(notes) != 1 {
		t.Fatal(notes, err)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(table) {
		if f := strings.Fields(line); len(f) > 3 {
			rows[f[0]] = f[3:]
		}
	}
	for code, want := range map[string]string{
		"code": "loopback site public network:bastion network:brokers network:scanners certificate:brokers account:ops-eu account:ops-us account:reader",
		"103":  "yes - - - yes - yes - - -",
		"105":  "yes yes yes yes yes - yes yes yes yes",
		"205":  "yes yes - yes yes - - yes yes -",
		"318":  "- - - yes - - - yes yes -",
	} {
		if got := strings.Join(rows[code], " "); code != "103" && got != want {
			t.Errorf("%s: %s, want %s", code, got, want)
		} else if code == "103" && !strings.HasSuffix(got, "- - - yes - yes - - -") {
			t.Errorf("103: %s", got)
		}
	}
	if !strings.Contains(table, "loopback counts as site: /.dockerenv") || strings.Contains(table, "canary") {
		t.Errorf("it says %s", table)
	}
}
