package namesrv_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
)

// TestTLSKeysOfConfig: where settings may come from, and who overrides whom.
func TestTLSKeysOfConfig(t *testing.T) {
	dir := t.TempDir()
	install(t, dir, newPKI(t).valid("from the files"))
	file := filepath.Join(dir, "tls.properties")
	writeFile(t, file, fmt.Sprintf("tls.test.mode.enable=false\ntls.server.keyPath=%s/server.key\n"+
		"tls.server.mode=enforcing\ntls.enable=true\ntls.config.file=/nowhere\n", dir)) // the last three count for nothing here
	cfg := namesrv.DefaultConfig()
	cfg.LoadJavaOptions("-server -Xmx4g -Dtls.server.mode=disabled -Dtls.config.file=" + file + " -Dtls.server.keyPath=/none -Dlisten=1 -DlistenPort=1 -Dnonsense -D")
	notes, err := cfg.LoadProperties(writeProperties(t, "tls.server.mode=permissive\ntls.server.keyPath=/nor this\ntls.server.certPath="+dir+"/server.pem"))
	if err != nil || len(notes) != 0 || cfg.ListenPort != 9876 || cfg.TLS.ServerMode != "permissive" || cfg.TLS.ConfigFile != file {
		t.Fatalf("%+v, notes %v, %v", cfg, notes, err)
	}
	if !slices.Equal(cfg.JavaOptions, []string{"tls.config.file"}) {
		t.Errorf("from Java's options: %q", cfg.JavaOptions)
	}
	s := start(t, func(c *namesrv.Config) { c.TLS = cfg.TLS })
	if name := serverName(t, s.addr); name != "from the files" {
		t.Errorf("the certificate is of %q", name)
	}
	s.dial(t).Do(brokerA.Register())
}

// TestTLSSecrets: no request shows a password, changes how TLS is spoken, or
// writes into the file what came from elsewhere.
func TestTLSSecrets(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "namesrv.properties")
	writeFile(t, file, "bindAddress=127.0.0.1\nlistenPort=0\ntls.server.keyPassword=from the file\n")
	s := start(t, func(c *namesrv.Config) {
		c.LoadJavaOptions("-Dtls.client.keyPassword=hidden -Dtls.server.mode=permissive")
		if _, err := c.LoadProperties(file); err != nil {
			t.Fatal(err)
		}
		c.ConfigStorePath = file
	})
	c := s.dial(t)
	if text := configText(c); !strings.Contains(text, "tls.server.keyPassword=******\n") || !strings.Contains(text, "tls.client.keyPassword=******\n") {
		t.Errorf("the configuration is\n%s", text)
	}
	for _, key := range []string{"tls.server.mode=disabled", "tls.enable=true", "tls.server.keyPassword=x", "tls.config.file=x", "proxyProtocolTrusted=0.0.0.0/0"} {
		wantCode(t, c.Do(updateConfig(key)), codec.RespNoPermission, "Can not update config in black list.")
	}
	wantCode(t, c.Do(updateConfig("supportActingMaster=true")), codec.RespSuccess, "")
	text := readFile(t, file)
	if !strings.Contains(text, "tls.server.keyPassword=from the file\n") || strings.Contains(text, "hidden") || strings.Contains(text, "tls.server.mode") {
		t.Errorf("the file is\n%s", text)
	}
}
