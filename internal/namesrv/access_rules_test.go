package namesrv

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestAccessFile reads all that may be in a file, and names the line of each mistake. No
// fault shows a secret.
func TestAccessFile(t *testing.T) {
	f, err := parseAccessFile([]byte(wholeFile), aWorld("").source)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.networks) != 3 || len(f.certificates) != 1 || len(f.accounts) != 3 || !f.join.enforce || f.preset != presetStandard || f.mode != modeEnforce {
		t.Errorf("read is %+v", f)
	}
	for i, want := range []struct {
		secret string
		rights rights
	}{{"canary-of-a-file", allRights}, {"canary-of-the-environment", allRights}, {"canary-in-the-file", rightRouteRead}} {
		if a := f.accounts[i]; *a.secret.text != want.secret || a.rights != want.rights {
			t.Errorf("account %s: %v, %q", a.key, a.rights, *a.secret.text)
		}
	}
	if said := fmt.Sprintf("%v %+v %#v %s %q", f, f, f.accounts, f.accounts[0].secret, f.accounts[0].secret); strings.Contains(said, "canary") {
		t.Errorf("it shows a secret: %s", said)
	}
	if len(f.warnings) != 1 || !strings.Contains(f.warnings[0], "line 20: whiteRemoteAddress of reader is not used") {
		t.Errorf("warnings are %q", f.warnings)
	}
	for _, tc := range []struct{ from, to, want string }{
		{"preset: standard", "preset: open-ish", `line 2: preset is "open-ish", must be one of open, standard, strict`},
		{"preset: standard", "presets: standard", `line 2: unknown key "presets"`},
		{"mode: enforce\n", "mode: off\n", `line 3: mode is "off"`},
		{"deny: true", "denied: true", `line 9: unknown key "denied"; a network has cidr, deny, name, rights`},
		{"deny: true", "deny: yes", "line 9: deny must be true or false"},
		{"deny: true", "deny: true, rights: all", "line 9: network scanners needs rights, or deny: true"},
		{"deny: true", "deny: false", "line 9: network scanners needs rights, or deny: true"},
		{"10.1.2.0/28", "10.1.2.1/28", "line 5: cidr:"},
		{"admin-write, config", "admin, config", `line 5: rights: "admin" is no right; there are route-read,`},
		{"name: scanners", "name: bastion", "line 9: the network bastion is there already, in line 5"},
		{"name: scanners", "name: \"a b\"", "line 9: a network needs a name of letters"},
		{`uri: "spiffe://prod/broker*"`, `uri: "*"`, "line 11: certificate brokers: * alone is any certificate"},
		{`uri: "spiffe://prod/broker*"`, `uri: "spiffe://*/broker"`, "line 11: certificate brokers: * may stand at the end only"},
		{`uri: "spiffe://prod/broker*"`, `uri: "x", dns: y`, "line 11: certificate brokers needs one of uri, dns, cn"},
		{"networks: [bastion]", "networks: [bastions]", "line 16: there is no network bastions"},
		{"/run/secrets/ops", "/run/secrets/none", "line 13: secretKey of ops-eu: file does not exist"},
		{"${env:OPS}", "${env:NONE}", "line 19: secretKey of ops-us: the environment has no NONE"},
		{"${env:OPS}", "${OPS}", "line 19: secretKey of ops-us: ${ must be followed by"},
		{"accessKey: reader, ", "", "line 20: an account has no accessKey"},
		{"network:brokers", "network:broker", "line 21: there is no network broker"},
		{"network:brokers", "brokers", `line 21: require has "brokers"`},
		{`require: [network:brokers, "certificate:brokers", loopback], `, "", "line 21: brokerJoin requires nobody"},
		{wholeFile, "", "line 1: the file must be one document"},
		{wholeFile, "networks: 5\n", "line 1: networks must be a list"},
		{wholeFile, "networks: [*a]\n", "line 1: "},
	} {
		text := strings.Replace(wholeFile, tc.from, tc.to, 1)
		if text == wholeFile {
			t.Errorf("%q is not in the file", tc.from)
		}
		_, err := parseAccessFile([]byte(text), aWorld("").source)
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("with %q: error is %v, want %s", tc.to, err, tc.want)
		}
	}
}

// TestPlainACL: a file of Java can be named as it is, and what is weak in it is said, or
// stops a strict start.
func TestPlainACL(t *testing.T) {
	p, warnings := policyOf(t, presetStandard, plainACL, aWorld(""))
	if n := len(p.file.accounts); n != 2 || p.file.accounts[0].rights != rightRouteRead || p.file.accounts[1].rights != allRights {
		t.Errorf("%d accounts", n)
	}
	peer := at("192.168.0.9")
	if id := p.identify(&peer); id.rights != allRights {
		t.Errorf("a white address has %v", id.rights)
	}
	said := strings.Join(warnings, "\n")
	for _, want := range []string{"may do all", "account RocketMQ has the secretKey that RocketMQ ships", "account rocketmq2 has", "whiteRemoteAddress of rocketmq2 is not used"} {
		if !strings.Contains(said, want) {
			t.Errorf("nothing says %q: %s", want, said)
		}
	}
	cfg := DefaultConfig()
	cfg.AccessPreset = presetStrict
	w := aWorld("")
	w.mode = func(string) (uint32, error) { return 0o644, nil }
	_, _, err := newAccessPolicy(&cfg, []byte(plainACL), &w)
	for _, want := range []string{"line 7: account RocketMQ has the secretKey that RocketMQ ships", "mode 0644"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("strict: %v, want %s", err, want)
		}
	}
	twice := "accounts:\n - {accessKey: a, secretKey: x1}\n - {accessKey: a, secretKey: x2}\n - {accessKey: b, secretKey: ''}\n"
	if _, warnings := policyOf(t, presetOpen, twice, aWorld("")); len(warnings) != 2 {
		t.Errorf("warnings are %q", warnings)
	}
	if _, _, err := newAccessPolicy(&cfg, []byte(twice), &w); err == nil || !strings.Contains(err.Error(), "accessKey a is there already, in line 2") || !strings.Contains(err.Error(), "account b has no secretKey") {
		t.Error(err)
	}
}

// staircase is nested once in each line.
func staircase() string {
	var text strings.Builder
	for i := range 900 {
		text.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return text.String()
}

// TestAccessFileBounds: a file that is too long, too deep or multiplies itself is refused,
// and soon.
func TestAccessFileBounds(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1)
	}
	many := "networks:\n"
	for i := range maxAccessRules + 2 {
		many += fmt.Sprintf(" - { name: n%d, cidr: 10.0.0.1, rights: all }\n", i)
	}
	wide := "networks:\n"
	for i := range 50 {
		wide += fmt.Sprintf(" - { name: n%d, cidr: \"10.0.0.{%s1}\", rights: all }\n", i, strings.Repeat("1,", 250))
	}
	for text, want := range map[string]string{
		bomb:                                     `line 1: unknown key "a"`,
		"networks: " + strings.Repeat("[", 5000): "line 1: more than 100 levels",
		strings.Repeat("- ", 5000):               "line 1: more than 100 levels",
		// What hides brackets from who does not read as the lexer does.
		"a: {\"#\": " + strings.Repeat("[", 200_000): "line 1: more than 100 levels",
		"a: [x#, " + strings.Repeat("[", 200_000):    "line 1: more than 100 levels",
		strings.Repeat("[\"]\",", 80_000):            "line 1: more than 100 levels",
		"a: !t " + strings.Repeat("- ", 100_000):     "line 1: more than 100 levels",
		"a: &a " + strings.Repeat("? ", 100_000):     "line 1: more than 100 levels",
		staircase():                                  "more than 100 levels",
		many:                                         "networks has more than 1000 rules",
		wide:                                         "the file has more than 10000 addresses",
	} {
		_, err := parseAccessFile([]byte(text), aWorld("").source)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: %v, want %s", text, err, want)
		}
	}
	path := t.TempDir() + "/access.yaml"
	if err := os.WriteFile(path, make([]byte, maxAccessFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.AccessFile = path
	if _, _, err := CheckAccess(cfg); err == nil || !strings.Contains(err.Error(), "has more than 524288 bytes") {
		t.Error(err)
	}
	cfg.AccessFile = path + "x"
	if _, _, err := CheckAccess(cfg); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "accessFile") {
		t.Error(err)
	}
}

// TestAccessWarnings: what somebody may not have meant.
func TestAccessWarnings(t *testing.T) {
	for _, tc := range []struct{ preset, text, want string }{
		{presetStrict, "", "no rule gives broker-control"},
		{presetStrict, "networks: [{name: a, cidr: 10.0.0.0/8, rights: broker-control}]\n", ""},
		{presetStandard, "", ""},
		{presetStandard, "networks: [{name: a, cidr: 0.0.0.0/0, rights: all}]\n", "network a gives all to the Internet"},
		{presetStandard, "networks: [{name: a, cidr: '*', deny: true}]\n", "network a denies everything to this machine itself"},
	} {
		text := tc.text
		if text == "" {
			text = "networks: []\n"
		}
		_, warnings := policyOf(t, tc.preset, text, aWorld(""))
		if got := strings.Join(warnings, "\n"); tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
			t.Errorf("%s %s: warnings are %q", tc.preset, tc.text, warnings)
		}
	}
}

// FuzzAccessFile reads anything: it is refused, or makes a policy, and nothing panics.
func FuzzAccessFile(f *testing.F) {
	f.Add(wholeFile)
	f.Add(plainACL)
	f.Add("networks: [{name: a, cidr: 1:*::{5,6}, rights: all}]")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<12 {
			return
		}
		cfg := DefaultConfig()
		w := aWorld("")
		p, _, err := newAccessPolicy(&cfg, []byte(text), &w)
		if (p == nil) == (err == nil) {
			t.Fatal(p, err)
		}
		if p != nil {
			p.columns()
			for _, a := range []string{"127.0.0.1", "10.0.0.1", "203.0.113.7", "2001:db8::1"} {
				peer := at(a)
				id := p.identify(&peer)
				if id.denied && id.rights != 0 {
					t.Fatalf("%+v", id)
				}
				if !id.denied && p.everybody&^id.rights != 0 {
					t.Fatalf("everybody has %v, %s has %v", p.everybody, a, id.rights)
				}
			}
		}
	})
}
