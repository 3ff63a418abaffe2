package namesrv

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"gonamesrv/codec"
)

// System properties of Java's name server. Its start scripts take them from
// JAVA_OPT and JAVA_OPT_EXT: "-server -Xmx4g -Dtls.server.mode=enforcing".

// javaOptionKeys are the system properties that are keys of ours. Java:
// NettySystemConfig, TlsSystemConfig, MixAll, NameServerAddressUtils (which the
// client of cluster-test mode asks), TopAddressing.
var javaOptionKeys = func() map[string]string {
	keys := map[string]string{
		"com.rocketmq.remoting.frameMaxLength":               "frameMaxLength",
		"com.rocketmq.remoting.socket.sndbuf.size":           "serverSocketSndBufSize",
		"com.rocketmq.remoting.socket.rcvbuf.size":           "serverSocketRcvBufSize",
		"com.rocketmq.remoting.socket.backlog":               "serverSocketBacklog",
		"com.rocketmq.remoting.write.buffer.high.water.mark": "writeBufferHighWaterMark",
		"com.rocketmq.remoting.write.buffer.low.water.mark":  "writeBufferLowWaterMark",
		"rocketmq.home.dir":                                  "rocketmqHome",
		"rocketmq.namesrv.addr":                              "productNamesrvAddr",
		"rocketmq.namesrv.domain":                            "rocketmq.namesrv.domain",
		"rocketmq.namesrv.domain.subgroup":                   "rocketmq.namesrv.domain.subgroup",
	}
	for _, k := range tlsKeys {
		keys[k.name] = k.name
	}
	return keys
}()

// LoadJavaOptions takes the system properties that mean something here from the
// options of a JVM. It returns what the operator should know: which others look
// like RocketMQ's. Its error lists every value that does not parse; all others
// have been taken then. As the start scripts have it, blanks separate options
// and quotes mean nothing.
func (c *Config) LoadJavaOptions(options string) (notes []Note, err error) {
	var faults []error
	var ignored []string
	for option := range strings.FieldsSeq(options) {
		definition, ok := strings.CutPrefix(option, "-D")
		name, value, _ := strings.Cut(definition, "=")
		if !ok {
			continue
		}
		known, err := c.takeJavaOption(name, value)
		if err != nil {
			faults = append(faults, err)
		}
		if !known && looksLikeOurs(name) {
			ignored = append(ignored, "-D"+name)
		}
	}
	if len(ignored) > 0 {
		notes = []Note{{Level: slog.LevelWarn, Msg: "options for Java without meaning here", Attrs: []any{"options", someOf(ignored)}}}
	}
	return notes, errors.Join(faults...)
}

// takeJavaOption takes one system property, if it is known.
func (c *Config) takeJavaOption(name, value string) (known bool, err error) {
	switch name {
	case "user.home":
		if value != "" {
			c.SetHome(value)
			c.JavaOptions = append(c.JavaOptions, "kvConfigPath", "configStorePath", "routeSnapshotPath")
		}
		return true, nil
	case "rocketmq.serialize.type":
		return true, c.SetSerializeType("-D"+name, value)
	}
	key, known := javaOptionKeys[name]
	if !known {
		return false, nil
	}
	if err := guard(knownKeys[key]).take(c, value); err != nil {
		var bad *badValue
		if errors.As(err, &bad) {
			bad.key = "-D" + name
		}
		return true, err
	}
	if !slices.Contains(c.JavaOptions, key) {
		c.JavaOptions = append(c.JavaOptions, key)
	}
	return true, nil
}

// looksLikeOurs reports whether a system property was probably meant for a name
// server: it begins like one of RocketMQ's, or is called like a key.
func looksLikeOurs(name string) bool {
	for _, prefix := range []string{"rocketmq.", "com.rocketmq.", "org.apache.rocketmq.", "rmq.", "tls."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	_, key := knownKeys[name]
	return key
}

// SetHome puts the files that have no other place into a home folder, as Java
// does. "" changes nothing.
func (c *Config) SetHome(home string) {
	if home != "" {
		c.KVConfigPath = filepath.Join(home, "namesrv", "kvConfig.json")
		c.RouteSnapshotPath = besideKVConfig(c.KVConfigPath)
		c.ConfigStorePath = filepath.Join(home, "namesrv", "namesrv.properties")
	}
}

// SetSerializeType sets how reply headers are written to what the named setting
// says; blank is JSON. Java: RemotingCommand, whose case matters too.
func (c *Config) SetSerializeType(setting, name string) error {
	if strings.TrimFunc(name, isTrimmed) == "" {
		c.SerializeType = codec.SerializeJSON
		return nil
	}
	t, err := codec.ParseSerializeType(name)
	if err != nil {
		return fmt.Errorf("namesrv: %s is %q, must be %v or %v", setting, clip(name), codec.SerializeJSON, codec.SerializeRocketMQ)
	}
	c.SerializeType = t
	return nil
}
