package namesrv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"gonamesrv/engine"
)

// A TLSConfig is what Java has as system properties. Java: TlsSystemConfig.
type TLSConfig struct {
	ServerMode   string // tls.server.mode: disabled, permissive, enforcing; any other means permissive
	ConfigFile   string // tls.config.file: a properties file that overrides what is below TestMode, and TestMode
	ClientEnable bool   // tls.enable: use TLS towards others

	TestMode bool // tls.test.mode.enable: a certificate made at the start, instead of the files below

	ServerKeyPath        string // tls.server.keyPath: PEM
	ServerKeyPassword    string // tls.server.keyPassword; "" means none
	ServerCertPath       string // tls.server.certPath: PEM, the chain
	ServerNeedClientAuth string // tls.server.need.client.auth: none, optional, require
	ServerAuthClient     bool   // tls.server.authClient: verify certificates of clients
	ServerTrustCertPath  string // tls.server.trustCertPath: PEM, for that; "" means the system's

	ClientKeyPath       string // tls.client.keyPath and so on: the same towards others
	ClientKeyPassword   string // tls.client.keyPassword
	ClientCertPath      string // tls.client.certPath
	ClientAuthServer    bool   // tls.client.authServer: verify certificates of servers, but not their names
	ClientTrustCertPath string // tls.client.trustCertPath
}

func defaultTLSConfig() TLSConfig {
	return TLSConfig{
		ServerMode:           "permissive",
		ConfigFile:           "/etc/rocketmq/tls.properties",
		TestMode:             true,
		ServerNeedClientAuth: "none",
	}
}

// tlsFileKeys are the keys that tls.config.file may have.
var tlsFileKeys = []configKey{
	boolKey("tls.test.mode.enable", func(c *Config) *bool { return &c.TLS.TestMode }),
	stringKey("tls.server.need.client.auth", func(c *Config) *string { return &c.TLS.ServerNeedClientAuth }),
	stringKey("tls.server.keyPath", func(c *Config) *string { return &c.TLS.ServerKeyPath }),
	secret(stringKey("tls.server.keyPassword", func(c *Config) *string { return &c.TLS.ServerKeyPassword })),
	stringKey("tls.server.certPath", func(c *Config) *string { return &c.TLS.ServerCertPath }),
	boolKey("tls.server.authClient", func(c *Config) *bool { return &c.TLS.ServerAuthClient }),
	stringKey("tls.server.trustCertPath", func(c *Config) *string { return &c.TLS.ServerTrustCertPath }),
	stringKey("tls.client.keyPath", func(c *Config) *string { return &c.TLS.ClientKeyPath }),
	secret(stringKey("tls.client.keyPassword", func(c *Config) *string { return &c.TLS.ClientKeyPassword })),
	stringKey("tls.client.certPath", func(c *Config) *string { return &c.TLS.ClientCertPath }),
	boolKey("tls.client.authServer", func(c *Config) *bool { return &c.TLS.ClientAuthServer }),
	stringKey("tls.client.trustCertPath", func(c *Config) *string { return &c.TLS.ClientTrustCertPath }),
}

// tlsKeys are all keys about TLS. No request may change them: whoever may talk
// to the server at all could turn TLS off.
var tlsKeys = func() []configKey {
	keys := append([]configKey{
		stringKey("tls.server.mode", func(c *Config) *string { return &c.TLS.ServerMode }),
		boolKey("tls.enable", func(c *Config) *bool { return &c.TLS.ClientEnable }),
		stringKey("tls.config.file", func(c *Config) *string { return &c.TLS.ConfigFile }),
	}, tlsFileKeys...)
	for i := range keys {
		keys[i] = never(keys[i])
	}
	return keys
}()

// mode returns what the engine makes of tls.server.mode, and whether that is a
// mode at all. Java: TlsMode#parse: any other word means permissive.
func (t *TLSConfig) mode() (mode engine.TLSMode, known bool) {
	switch t.ServerMode {
	case "disabled":
		return engine.TLSDisabled, true
	case "enforcing":
		return engine.TLSEnforcing, true
	}
	return engine.TLSPermissive, t.ServerMode == "permissive"
}

// withFile returns t overridden by the file it names. A file that is not there
// is none; after any other error, t is returned as it was.
// Java: TlsHelper#extractTlsConfigFromFile.
func (t TLSConfig) withFile() (TLSConfig, error) {
	text, err := os.ReadFile(t.ConfigFile)
	if t.ConfigFile == "" || errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return t, err
	}
	fields, err := parseProperties(text)
	if err != nil {
		return t, fmt.Errorf("%s: %w", t.ConfigFile, err)
	}
	c := Config{TLS: t}
	for _, f := range fields {
		if i := slices.IndexFunc(tlsFileKeys, func(k configKey) bool { return k.name == f.Name }); i >= 0 {
			_ = tlsFileKeys[i].set(&c, f.Value) // texts and truth values always parse
		}
	}
	return c.TLS, nil
}

// LoadJavaOptions takes the system properties that mean something here from
// the options of a JVM, such as "-Xmx4g -Dtls.server.mode=enforcing". The start
// scripts of RocketMQ have them in JAVA_OPT and JAVA_OPT_EXT.
func (c *Config) LoadJavaOptions(options string) {
	for option := range strings.FieldsSeq(options) {
		definition, ok := strings.CutPrefix(option, "-D")
		name, value, _ := strings.Cut(definition, "=")
		if ok && (strings.HasPrefix(name, "tls.") || strings.HasPrefix(name, "rocketmq.namesrv.domain")) {
			if k, known := knownKeys[name]; known {
				_ = k.set(c, value) // texts and truth values always parse
				c.JavaOptions = append(c.JavaOptions, name)
			}
		}
	}
}
