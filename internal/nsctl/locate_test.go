package nsctl

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// TestAdminsGiven: where the APIs of --admin are asked, and under which name they are shown.
func TestAdminsGiven(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		admin string
		env   map[string]string
		want  string
	}{
		{"a:1; https://b:2/x ;;", nil, "a:1=http://a:1 https://b:2/x=https://b:2/x"},
		{"http://me:secret@a:1", nil, "me:xxxxx@a:1=http://me:xxxxx@a:1"},
		{"", map[string]string{"NSCTL_ADMIN": "c:3"}, "c:3=http://c:3"},
	} {
		c := &ctl{servers: "ns1:9876", admin: tc.admin, env: func(key string) string { return tc.env[key] }}
		all, err := c.admins()
		var got []string
		for _, a := range all {
			base, err := a.base(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, a.name+"="+base.Redacted())
		}
		if err != nil || strings.Join(got, " ") != tc.want {
			t.Errorf("%q: %v, %v", tc.admin, got, err)
		}
	}
}

// TestAPIOf: a name server says itself where its API is.
func TestAPIOf(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ addr, config, want string }{
		{"ns1:9876", "version=1\nadminServerPort=19876", "http://ns1:19876"},
		{"[::1]:1", "version=1\nadminServerPort=2\nadminTlsEnable=true", "https://[::1]:2"},
		{"ns1:9876", "adminServerPort=19876", "it is a name server of Java"},
		{"ns1:9876", "version=1\nadminServerPort=0", `its adminServerPort is "0"`},
		{"ns1:9876", "version=1", `its adminServerPort is ""`},
		{"ns1:9876", "version=1\nadminServerPort=65536", `its adminServerPort is "65536"`},
	} {
		config := serverConfig{}
		for line := range strings.SplitSeq(tc.config, "\n") {
			key, value, _ := strings.Cut(line, "=")
			config[key] = value
		}
		at, err := apiOf(tc.addr, config)
		got := fmt.Sprint(err)
		if err == nil {
			got = at.String()
		}
		if got != tc.want {
			t.Errorf("%s, %q: %s, want %s", tc.addr, tc.config, got, tc.want)
		}
	}
}

// TestLocateUsual: where a name server cannot be asked, only one on the usual port has its
// API where that usually is.
func TestLocateUsual(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{"127.0.0.1:9876": "http://127.0.0.1:19876", "127.0.0.1:1": ""} {
		if addr == "127.0.0.1:9876" {
			if conn, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
				conn.Close()
				addr, want = "nobody.invalid:9876", "http://nobody.invalid:19876"
			}
		}
		a := &admin{ctl: &ctl{timeout: nstest.Patience}, addr: addr}
		at, err := a.base(t.Context())
		if want == "" && !errors.Is(err, errNoAPI) || want != "" && (err != nil || at.String() != want) {
			t.Errorf("%s: %v, %v", addr, at, err)
		}
	}
}

// TestAPIOfAnother: two servers on one host do not share an API, though the configuration
// of the second names the port too.
func TestAPIOfAnother(t *testing.T) {
	t.Parallel()
	s := newAPIServer(t, nil)
	const mine = "listenPort=0\nbindAddress=127.0.0.1" // as it was told, and tells
	c := &ctl{admin: s.url, timeout: nstest.Patience, env: func(string) string { return "" }}
	all, err := c.admins()
	if err != nil {
		t.Fatal(err)
	}
	at := all[0]
	for config, want := range map[string]string{mine: "", "listenPort=9877\nbindAddress=127.0.0.1": "of another name server", "listenPort=0\nbindAddress=10.0.0.1": "of another name server"} {
		said := serverConfig{}
		for line := range strings.SplitSeq(config, "\n") {
			key, value, _ := strings.Cut(line, "=")
			said[key] = value
		}
		base, _ := at.base(t.Context())
		err := at.isOf(t.Context(), base, said)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", config, err, want)
		}
	}
}

// TestOneDiscovery: commands of every kind find the API of servers on ports of their own.
func TestOneDiscovery(t *testing.T) {
	t.Parallel()
	first, second := startWithAPI(t, nil), startWithAPI(t, nil)
	java := fakeServer(t, int(codec.Version), func(r *codec.Command) *codec.Reply { return &codec.Reply{Body: []byte("listenPort=9876\n")} })
	both := first + ";" + second
	for _, line := range []string{"status", "peers", "clients", "events", "top --once", "log level", "protect status", "diff --confirm 0s", "kv list", "history topic T"} {
		code, out, errs := run(t, append([]string{"--timeout", nstest.Patience.String(), "-n", both}, strings.Fields(line)...)...)
		if code != exitYes || strings.Contains(errs, "needs a gonamesrv") || strings.Contains(errs, "not used") || strings.Contains(out, "  up  ") {
			t.Errorf("%s: exit %d, %s%s", line, code, out, errs)
		}
	}
	for _, line := range []string{"peers", "clients", "events", "events -f", "watch brokers", "top --once", "protect status"} {
		code, out, errs := run(t, append([]string{"-n", java}, strings.Fields(line)...)...)
		if code != exitNobody || out != "" || !strings.Contains(errs, "this needs a gonamesrv with its admin listener: it is a name server of Java") {
			t.Errorf("%s: exit %d, %s%s", line, code, out, errs)
		}
	}
}

// TestMovedAPI: an API that is not where it was any more is looked for again.
func TestMovedAPI(t *testing.T) {
	t.Parallel()
	web := func(name string) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "%q", name) }))
		t.Cleanup(s.Close)
		return s
	}
	old, new := web("old"), web("new")
	is := old
	addr := fakeServer(t, int(codec.Version), func(r *codec.Command) *codec.Reply {
		port := is.Listener.Addr().(*net.TCPAddr).Port
		return &codec.Reply{Body: []byte("version=1\nadminServerPort=" + strconv.Itoa(port) + "\n")}
	})
	c := &ctl{servers: addr, timeout: nstest.Patience, env: func(string) string { return "" }}
	all, err := c.admins()
	if err != nil {
		t.Fatal(err)
	}
	ask := func() (said string, err error) {
		err = all[0].get(t.Context(), "/", nil, &said)
		return said, err
	}
	if said, err := ask(); said != "old" {
		t.Fatal(said, err)
	}
	old.Close()
	is = new
	if _, err := ask(); err == nil {
		t.Fatal("who is gone answers")
	}
	if said, err := ask(); said != "new" {
		t.Error(said, err)
	}
}
