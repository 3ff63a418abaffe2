package namesrv

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"golang.org/x/time/rate"

	"gonamesrv/codec"
)

// TestChangeLinesAreBounded: a flood of requests without effect hides neither
// one that has an effect nor one of another kind, and the next line says how
// many were held back, and of whom.
func TestChangeLinesAreBounded(t *testing.T) {
	var out bytes.Buffer
	h := slog.NewTextHandler(&out, nil)
	var l adminLog
	wipe := func(host int, changed bool) {
		l.write(h, &adminChange{Code: codec.ReqWipeWritePermOfBroker, Remote: fmt.Sprintf("10.0.0.%d:1", host), Changed: changed})
	}
	for range 10_000 {
		wipe(1, false)
	}
	if n := strings.Count(out.String(), "\n"); n < changeLinesAtOnce || n == 10_000 {
		t.Errorf("%d lines of 10,000, want about %d", n, changeLinesAtOnce)
	}
	out.Reset()
	wipe(2, true)
	l.write(h, &adminChange{Code: codec.ReqAddWritePermOfBroker, Remote: "10.0.0.3:1"})
	if text := out.String(); strings.Count(text, "\n") != 2 || strings.Contains(text, "suppressed") {
		t.Errorf("another kind is held back:\n%s", text)
	}
	k := l.byKind[changeKind{codec.ReqWipeWritePermOfBroker, false}]
	k.held, k.hosts = 0, nil
	k.limit = rate.NewLimiter(0, 0)
	for i := range 20 {
		wipe(i/2, false)
	}
	out.Reset()
	k.limit = rate.NewLimiter(rate.Inf, 0)
	wipe(1, false)
	if want := ` suppressed=20 suppressedFrom="10.0.0.0 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7"`; !strings.Contains(out.String(), want) {
		t.Errorf("the line is %s, want%s", &out, want)
	}
	out.Reset()
	wipe(1, false)
	if strings.Contains(out.String(), "suppressed") {
		t.Errorf("said twice: %s", &out)
	}
}

// TestShown: what is a secret is one by its key, whatever that is called.
func TestShown(t *testing.T) {
	knownKeys["pin"] = secret(stringKey("pin", nil))
	defer delete(knownKeys, "pin")
	for key, want := range map[string]string{
		"pin": hidden, "tls.server.keyPassword": hidden, "DB_PASSWD": hidden, "apiToken": hidden, "listenPort": "1234",
	} {
		if got := shown(key, "1234"); got != want {
			t.Errorf("%s is shown as %q, want %q", key, got, want)
		}
		if got := shown(key, ""); got != "" {
			t.Errorf("an empty %s is shown as %q", key, got)
		}
	}
}
