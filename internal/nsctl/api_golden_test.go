package nsctl

import (
	"fmt"
	"strings"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// TestAPIGolden: each command that reads the API, in each format, with its exit code.
func TestAPIGolden(t *testing.T) {
	t.Parallel()
	s := newAPIWorld(t)
	for _, tc := range []struct {
		name string
		args []string
		code int
	}{
		{"explain_routed", []string{"explain", "topic", "ORDERS"}, exitYes},
		{"explain_slash", []string{"explain", "topic", "a/b"}, exitYes},
		{"explain_missing", []string{"explain", "topic", "orders", "--as-client-version", "4.9.7", "--zone", "z", "--from", "127.0.0.7"}, exitNo},
		{"explain_dots", []string{"explain", "topic", ".."}, exitNo},
		{"explain_wiped", []string{"explain", "topic", "WIPED"}, exitYes},
		{"explain_broker", []string{"explain", "broker", "broker-a"}, exitYes},
		{"explain_nobroker", []string{"explain", "broker", "none"}, exitNo},
		{"explain_badversion", []string{"explain", "topic", "T", "--as-client-version", "x"}, exitRefused},
		{"history_topic", []string{"history", "topic", "ORDERS"}, exitYes},
		{"history_broker", []string{"history", "broker", "broker c", "--since", "0"}, exitYes},
		{"history_none", []string{"history", "broker", "none"}, exitYes},
		{"events", []string{"events"}, exitYes},
		{"events_type", []string{"events", "--type", "broker.*", "--cluster", "c2"}, exitYes},
		{"events_gone", []string{"events", "--since", "aaaaaaaa.1"}, exitNo},
		{"events_badtype", []string{"events", "--type", "nothing"}, exitRefused},
		{"peers", []string{"peers"}, exitYes},
		{"clients", []string{"clients"}, exitYes},
		{"clients_address", []string{"clients", "--by", "address"}, exitYes},
		{"log_level", []string{"log", "level"}, exitYes},
		{"protect_status", []string{"protect", "status"}, exitYes},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var all strings.Builder
			for _, format := range []string{"table", "wide", "json", "yaml", "name"} {
				code, out, errs := runAPI(t, append([]string{"--admin", s.url, "-o", format}, tc.args...)...)
				if code != tc.code {
					t.Errorf("-o %s: exit %d, want %d", format, code, tc.code)
				}
				fmt.Fprintf(&all, "$ nsctl -o %s %s\n%s--- stderr\n%s--- exit %d\n\n", format, strings.Join(tc.args, " "), still(format, out), still("", errs), code)
			}
			compareAPI(t, tc.name, all.String())
		})
	}
}

// TestClientsList: each connection comes once, over several pages.
func TestClientsList(t *testing.T) {
	t.Parallel()
	s := newAPIServer(t, nil)
	const n = 1100 // more than a page
	for range n {
		nstest.Dial(t, s.addr).Do(nstest.Request(codec.ReqGetNamesrvConfig))
	}
	code, out, errs := runAPI(t, "--admin", s.url, "--no-headers", "clients", "--list", "-o", "name")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); code != exitYes || len(lines) != n || errs != "" {
		t.Errorf("exit %d, %d connections, %s", code, len(lines), errs)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(out) {
		if seen[line] {
			t.Errorf("%s comes twice", line)
		}
		seen[line] = true
	}
}
