//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// An overHTTP asks a server of ours over HTTP, at its admin listener.
type overHTTP struct{ addr string }

// adminListener takes a port for an admin listener, and returns who asks there and the
// line of configuration.
func adminListener(t *testing.T) (overHTTP, string) {
	t.Helper()
	port := freePort(t, 0)
	return overHTTP{fmt.Sprintf("127.0.0.1:%d", port)}, fmt.Sprintf("adminServerPort=%d", port)
}

// get returns what a path is answered.
func (w overHTTP) get(path string) (status int, body []byte, err error) {
	client := http.Client{Timeout: soon, Transport: &http.Transport{DisableKeepAlives: true}}
	for end := time.Now().Add(soon); ; time.Sleep(pollEvery) {
		a, err := client.Get("http://" + w.addr + path)
		if err != nil {
			return 0, nil, err
		}
		body, err = io.ReadAll(a.Body)
		a.Body.Close()
		if err != nil || a.StatusCode != http.StatusTooManyRequests || time.Now().After(end) { // an address may ask 20 times a second
			return a.StatusCode, body, err
		}
	}
}

// text returns an answer that must be a success.
func (w overHTTP) text(path string) (string, error) {
	status, body, err := w.get(path)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s: status %d: %s", path, status, body)
	}
	return string(body), err
}

// read decodes an answer that must be a success.
func (w overHTTP) read(path string, v any) error {
	text, err := w.text(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return fmt.Errorf("%s: %w in %s", path, err, text)
	}
	return nil
}
