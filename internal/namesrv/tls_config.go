package namesrv

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"gonamesrv/engine"
)

// A TLSConfig is what Java has as system properties. Java: TlsSystemConfig.
type TLSConfig struct {
	ServerMode   string // tls.server.mode: disabled, permissive, enforcing
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
	wordKey("tls.server.need.client.auth", clientAuths, func(c *Config) *string { return &c.TLS.ServerNeedClientAuth }),
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
		wordKey("tls.server.mode", tlsModes, func(c *Config) *string { return &c.TLS.ServerMode }),
		boolKey("tls.enable", func(c *Config) *bool { return &c.TLS.ClientEnable }),
		stringKey("tls.config.file", func(c *Config) *string { return &c.TLS.ConfigFile }),
	}, tlsFileKeys...)
	for i := range keys {
		keys[i] = guard(never(keys[i]))
	}
	return keys
}()

// The words of tls.server.mode and tls.server.need.client.auth.
var (
	tlsModes    = []string{"disabled", "permissive", "enforcing"}
	clientAuths = []string{"none", "optional", "require"}
)

// mode returns what the engine makes of tls.server.mode, which is validated.
//
// Differs from Java, whose TlsMode#parse takes any other word for permissive.
func (t *TLSConfig) mode() engine.TLSMode {
	switch t.ServerMode {
	case "disabled":
		return engine.TLSDisabled
	case "permissive":
		return engine.TLSPermissive
	}
	return engine.TLSEnforcing
}

// withFile returns t overridden by the file it names, and whether there is such
// a file, and what the operator should know of it. Its error lists every value
// that does not parse; t is returned as it was then.
// Java: TlsHelper#extractTlsConfigFromFile.
func (t TLSConfig) withFile() (with TLSConfig, found bool, notes []Note, err error) {
	if t.ConfigFile == "" {
		return t, false, nil, nil
	}
	fields, err := readProperties(t.ConfigFile)
	if errors.Is(err, fs.ErrNotExist) {
		return t, false, nil, nil
	}
	if err != nil {
		return t, true, nil, err
	}
	c := Config{TLS: t}
	keys := readKeys{where: t.ConfigFile}
	var faults []error
	for _, f := range fields {
		i := slices.IndexFunc(tlsFileKeys, func(k configKey) bool { return k.name == f.Name })
		if i < 0 {
			keys.unknown(f.Name)
			continue
		}
		if err := tlsFileKeys[i].take(&c, f.Value); err != nil {
			faults = append(faults, fmt.Errorf("%w (%s)", err, t.ConfigFile))
		}
	}
	if len(faults) > 0 {
		return t, true, keys.notes(), errors.Join(faults...)
	}
	return c.TLS, true, keys.notes(), nil
}
