package namesrv

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"gonamesrv/codec"
)

// An updateRule says what becomes of a key that UPDATE_NAMESRV_CONFIG sets.
type updateRule uint8

const (
	updateLive    updateRule = iota // takes effect at once; of a connection's keys: for new connections
	updateRestart                   // is kept, and takes effect with the next start
	updateNever                     // refused: always in the black list
)

// A configKey is one line of a properties file.
type configKey struct {
	name   string
	update updateRule
	unused bool // means nothing here
	secret bool // is not shown to peers
	get    func(*Config) string
	set    func(*Config, string) error // of a value without blanks around it; see take

	want    string   // what a value must be, in words
	words   []string // all it can be, if it is one of a few words
	lenient bool     // at the start a value that does not parse is said, and the one before stays
}

// take sets k to a value. Blanks around it do not matter: Java trims texts only,
// so that a blank behind a number costs the key its value. The error is a
// *badValue.
func (k configKey) take(c *Config, value string) error {
	value = strings.TrimFunc(value, isTrimmed)
	err := k.set(c, value)
	if err == nil {
		return nil
	}
	bad := &badValue{key: k.name, value: value, want: k.want}
	var r *rangeError
	if errors.As(err, &r) {
		bad.want += r.Error()
	}
	if strings.ContainsAny(value, "#!") {
		bad.want += "; a comment needs a line of its own"
	}
	return bad
}

// isTrimmed says what Java's String#trim removes.
func isTrimmed(c rune) bool { return c <= ' ' }

// A badValue is a value that its key cannot have.
type badValue struct{ key, value, want string }

func (e *badValue) Error() string {
	return fmt.Sprintf("namesrv: %s is %q, must be %s", e.key, clip(e.value), e.want)
}

// configKeys are all keys of Java, in its order of declaration, and ours last.
// Java: NamesrvConfig, NettyServerConfig.
var configKeys = append([]configKey{
	never(stringKey("rocketmqHome", func(c *Config) *string { return &c.RocketMQHome })),
	never(stringKey("kvConfigPath", func(c *Config) *string { return &c.KVConfigPath })),
	never(stringKey("configStorePath", func(c *Config) *string { return &c.ConfigStorePath })),
	restart(stringKey("productEnvName", func(c *Config) *string { return &c.ProductEnvName })),
	restart(boolKey("clusterTest", func(c *Config) *bool { return &c.ClusterTest })),
	live(boolKey("orderMessageEnable", func(c *Config) *bool { return &c.OrderMessageEnable })),
	live(boolKey("returnOrderTopicConfigToBroker", func(c *Config) *bool { return &c.ReturnOrderTopicConfigToBroker })),
	restart(intKey("clientRequestThreadPoolNums", func(c *Config) *int { return &c.ClientRequestThreadPoolNums })),
	restart(intKey("defaultThreadPoolNums", func(c *Config) *int { return &c.DefaultThreadPoolNums })),
	restart(intKey("clientRequestThreadPoolQueueCapacity", func(c *Config) *int { return &c.ClientRequestThreadPoolQueueCapacity })),
	restart(intKey("defaultThreadPoolQueueCapacity", func(c *Config) *int { return &c.DefaultThreadPoolQueueCapacity })),
	restart(durationKey("scanNotActiveBrokerInterval", 64, time.Millisecond, func(c *Config) *time.Duration { return &c.ScanNotActiveBrokerInterval })),
	unused(intKey("unRegisterBrokerQueueCapacity", func(c *Config) *int32 { return &c.Unused.UnRegisterBrokerQueue })),
	live(boolKey("supportActingMaster", func(c *Config) *bool { return &c.SupportActingMaster })),
	live(boolKey("enableAllTopicList", func(c *Config) *bool { return &c.EnableAllTopicList })),
	live(boolKey("enableTopicList", func(c *Config) *bool { return &c.EnableTopicList })),
	live(boolKey("notifyMinBrokerIdChanged", func(c *Config) *bool { return &c.NotifyMinBrokerIDChanged })),
	unused(boolKey("enableControllerInNamesrv", func(c *Config) *bool { return &c.Unused.EnableControllerInNamesrv })),
	live(boolKey("needWaitForService", func(c *Config) *bool { return &c.NeedWaitForService })),
	live(in("seconds", intKey("waitSecondsForService", func(c *Config) *int32 { return &c.WaitSecondsForService }))),
	live(boolKey("deleteTopicWithBrokerRegistration", func(c *Config) *bool { return &c.DeleteTopicWithBrokerRegistration })),
	never(stringKey("configBlackList", func(c *Config) *string { return &c.ConfigBlackList })),

	restart(stringKey("bindAddress", func(c *Config) *string { return &c.BindAddress })),
	restart(intKey("listenPort", func(c *Config) *int { return &c.ListenPort })),
	unused(intKey("serverWorkerThreads", func(c *Config) *int32 { return &c.Unused.ServerWorkerThreads })),
	unused(intKey("serverCallbackExecutorThreads", func(c *Config) *int32 { return &c.Unused.ServerCallbackThreads })),
	restart(intKey("serverSelectorThreads", func(c *Config) *int { return &c.ServerSelectorThreads })),
	unused(intKey("serverOnewaySemaphoreValue", func(c *Config) *int32 { return &c.Unused.ServerOnewaySemaphore })),
	unused(intKey("serverAsyncSemaphoreValue", func(c *Config) *int32 { return &c.Unused.ServerAsyncSemaphore })),
	live(durationKey("serverChannelMaxIdleTimeSeconds", 32, time.Second, func(c *Config) *time.Duration { return &c.ServerChannelMaxIdle })),
	restart(in("bytes", intKey("serverSocketSndBufSize", func(c *Config) *int { return &c.ServerSocketSndBufSize }))),
	restart(in("bytes", intKey("serverSocketRcvBufSize", func(c *Config) *int { return &c.ServerSocketRcvBufSize }))),
	restart(in("bytes", intKey("writeBufferHighWaterMark", func(c *Config) *int { return &c.WriteBufferHighWaterMark }))),
	restart(in("bytes", intKey("writeBufferLowWaterMark", func(c *Config) *int { return &c.WriteBufferLowWaterMark }))),
	unused(intKey("serverSocketBacklog", func(c *Config) *int32 { return &c.Unused.ServerSocketBacklog })),
	unused(boolKey("serverNettyWorkerGroupEnable", func(c *Config) *bool { return &c.Unused.ServerNettyWorkerGroupEnable })),
	unused(boolKey("serverPooledByteBufAllocatorEnable", func(c *Config) *bool { return &c.Unused.ServerPooledByteBufAllocator })),
	live(boolKey("enableShutdownGracefully", func(c *Config) *bool { return &c.EnableShutdownGracefully })),
	live(durationKey("shutdownWaitTimeSeconds", 32, time.Second, func(c *Config) *time.Duration { return &c.ShutdownWaitTime })),
	unused(boolKey("useEpollNativeSelector", func(c *Config) *bool { return &c.Unused.UseEpollNativeSelector })),

	live(durationKey("drainTimeSeconds", 32, time.Second, func(c *Config) *time.Duration { return &c.DrainTime })),
	restart(boolKey("routeReadsOnLoop", func(c *Config) *bool { return &c.RouteReadsOnLoop })),
	restart(in("bytes", intKey("frameMaxLength", func(c *Config) *int { return &c.FrameMaxLength }))),
	restart(intKey("maxConnections", func(c *Config) *int { return &c.MaxConnections })),
	restart(intKey("maxConnectionsPerIp", func(c *Config) *int { return &c.MaxConnectionsPerIP })),
	restart(intKey("requestsPerSecondPerIp", func(c *Config) *int { return &c.RequestsPerIP })),
	restart(wordKey("requestRateMode", []string{modeMonitor, modeEnforce}, func(c *Config) *string { return &c.RequestRateMode })),
	live(wordKey("missDamping", []string{modeOff, modeMonitor, modeEnforce}, func(c *Config) *string { return &c.MissDamping })),
	restart(in("bytes", longKey("memoryBudget", func(c *Config) *int64 { return &c.MemoryBudget }))),
	restart(durationKey("firstFrameTimeoutMillis", 64, time.Millisecond, func(c *Config) *time.Duration { return &c.FirstFrameTimeout })),
	restart(durationKey("frameTimeoutMillis", 64, time.Millisecond, func(c *Config) *time.Duration { return &c.FrameTimeout })),
	restart(durationKey("slowReaderTimeoutMillis", 64, time.Millisecond, func(c *Config) *time.Duration { return &c.SlowReaderTimeout })),
	restart(in("bytes", intKey("maxPendingInputSize", func(c *Config) *int { return &c.MaxPendingInput }))),
	restart(in("bytes", intKey("maxPendingOutputSize", func(c *Config) *int { return &c.MaxPendingOutput }))),
	restart(intKey("maxTopics", func(c *Config) *int { return &c.MaxTopics })),
	restart(intKey("maxBrokers", func(c *Config) *int { return &c.MaxBrokers })),
	restart(intKey("maxRouteEntries", func(c *Config) *int { return &c.MaxRouteEntries })),
	restart(in("bytes", longKey("routeCacheBytes", func(c *Config) *int64 { return &c.RouteCacheBytes }))),
	live(wordKey("selfProtection", []string{"off", "monitor", "on"}, func(c *Config) *string { return &c.SelfProtection })),
	live(durationKey("selfProtectionMaxSeconds", 32, time.Second, func(c *Config) *time.Duration { return &c.SelfProtectionMax })),
	live(durationKey("closeHoldMillis", 32, time.Millisecond, func(c *Config) *time.Duration { return &c.CloseHold })),
	never(stringKey("horizonFile", func(c *Config) *string { return &c.HorizonFile })),
	live(wordKey("horizonMode", []string{horizonOff, horizonMonitor, horizonOn}, func(c *Config) *string { return &c.HorizonMode })),
	restart(in("bytes", longKey("horizonCacheBytes", func(c *Config) *int64 { return &c.HorizonCacheBytes }))),
	restart(intKey("addressServerPort", func(c *Config) *int { return &c.AddressServerPort })),
	restart(stringKey("addressServerList", func(c *Config) *string { return &c.AddressServerList })),
	never(stringKey("rocketmq.namesrv.domain.subgroup", func(c *Config) *string { return &c.NamesrvDomainSubgroup })),
	never(stringKey("rocketmq.namesrv.domain", func(c *Config) *string { return &c.NamesrvDomain })),
	never(stringKey("productNamesrvAddr", func(c *Config) *string { return &c.ProductNamesrvAddr })),
	never(stringKey("proxyProtocolTrusted", func(c *Config) *string { return &c.ProxyProtocolTrusted })),
	restart(durationKey("handshakeTimeoutSeconds", 32, time.Second, func(c *Config) *time.Duration { return &c.HandshakeTimeout })),
	never(boolKey("metricsJavaNames", func(c *Config) *bool { return &c.MetricsJavaNames })),
	never(intKey("metricsMaxBrokers", func(c *Config) *int { return &c.MetricsMaxBrokers })),
	never(stringKey("logFile", func(c *Config) *string { return &c.LogFile })),
	live(wordKey("logLevel", []string{"debug", "info", "warn", "error"}, func(c *Config) *string { return &c.LogLevel })),
	restart(wordKey("logFormat", []string{"text", "json", "java"}, func(c *Config) *string { return &c.LogFormat })),
	restart(intKey("logFileMaxMegabytes", func(c *Config) *int { return &c.LogFileSize })),
	restart(intKey("logFileMaxBackups", func(c *Config) *int { return &c.LogFileBackups })),
	restart(wordKey("warmStart", []string{warmStartOff, warmStartShadow, warmStartOn}, func(c *Config) *string { return &c.WarmStart })),
	never(stringKey("routeSnapshotPath", func(c *Config) *string { return &c.RouteSnapshotPath })),
	restart(stringKey("warmStartIdentity", func(c *Config) *string { return &c.WarmStartIdentity })),
	restart(durationKey("warmStartMaxAgeSeconds", 32, time.Second, func(c *Config) *time.Duration { return &c.WarmStartMaxAge })),
	restart(durationKey("warmStartLoadMillis", 64, time.Millisecond, func(c *Config) *time.Duration { return &c.WarmStartLoadTime })),
	never(stringKey("peerNamesrvAddr", func(c *Config) *string { return &c.PeerNamesrvAddr })),
	never(durationKey("peerCheckSeconds", 32, time.Second, func(c *Config) *time.Duration { return &c.PeerCheck })),
	never(intKey("adminServerPort", func(c *Config) *int { return &c.AdminServerPort })),
	never(stringKey("adminBindAddress", func(c *Config) *string { return &c.AdminBindAddress })),
	never(wordKey("adminAnonymousLocal", AdminRoles, func(c *Config) *string { return &c.AdminAnonymousLocal })),
	never(wordKey("adminAnonymousRemote", AdminRoles, func(c *Config) *string { return &c.AdminAnonymousRemote })),
	never(stringKey("adminTokenFile", func(c *Config) *string { return &c.AdminTokenFile })),
	never(stringKey("adminAllowedHosts", func(c *Config) *string { return &c.AdminAllowedHosts })),
	never(guard(boolKey("adminTlsEnable", func(c *Config) *bool { return &c.AdminTLSEnable }))),
	never(intKey("adminMaxConnections", func(c *Config) *int { return &c.AdminMaxConnections })),
	never(intKey("adminMaxWatchers", func(c *Config) *int { return &c.AdminMaxWatchers })),
	never(intKey("readyMinBrokers", func(c *Config) *int { return &c.ReadyMinBrokers })),
	never(durationKey("readyMaxWaitSeconds", 32, time.Second, func(c *Config) *time.Duration { return &c.ReadyMaxWait })),
	never(wordKey("accessPreset", presetNames, func(c *Config) *string { return &c.AccessPreset })),
	never(wordKey("accessMode", []string{modeMonitor, modeEnforce}, func(c *Config) *string { return &c.AccessMode })),
	never(stringKey("accessFile", func(c *Config) *string { return &c.AccessFile })),
	never(guard(boolKey("trustLoopback", func(c *Config) *bool { return &c.TrustLoopback }))),
	never(stringKey("auditLogPath", func(c *Config) *string { return &c.AuditLogPath })),
	never(intKey("auditLogMaxMegabytes", func(c *Config) *int { return &c.AuditLogSize })),
	never(intKey("auditLogMaxBackups", func(c *Config) *int { return &c.AuditLogBackups })),
	never(guard(boolKey("auditChain", func(c *Config) *bool { return &c.AuditChain }))),
	never(guard(boolKey("auditSync", func(c *Config) *bool { return &c.AuditSync }))),
	never(guard(boolKey("auditRequired", func(c *Config) *bool { return &c.AuditRequired }))),
	restart(intKey("journalSize", func(c *Config) *int { return &c.JournalSize })),
	restart(in("bytes", longKey("historyBudget", func(c *Config) *int64 { return &c.HistoryBudget }))),
}, tlsKeys...)

func live(k configKey) configKey    { k.update = updateLive; return k }
func restart(k configKey) configKey { k.update = updateRestart; return k }
func never(k configKey) configKey   { k.update = updateNever; return k }
func secret(k configKey) configKey  { k.secret = true; return k }
func unused(k configKey) configKey  { k.update, k.unused = updateRestart, true; return k }

// in says what a number counts.
func in(unit string, k configKey) configKey { k.want += " of " + unit; return k }

// guard makes sure that a key that guards something never has a value that
// nobody meant: what does not parse stops the start.
func guard(k configKey) configKey { k.lenient = false; return k }

// knownKeys finds a key by its name.
var knownKeys = func() map[string]configKey {
	known := make(map[string]configKey, len(configKeys))
	for _, k := range configKeys {
		known[k.name] = k
	}
	return known
}()

// readProperties returns what is in a properties file.
func readProperties(file string) ([]codec.Field, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	fields, err := parseProperties(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return fields, nil
}

// LoadProperties reads a Java properties file over c. It returns what the
// operator should know of it: unknown keys, keys without meaning here, truth
// values that are none. Its error lists every value that does not parse, and
// names the file; all other values have been taken then.
// Java: MixAll#properties2Object.
//
// Differs from Java, which passes over what does not parse without a word, and
// takes what is not "true" for false.
func (c *Config) LoadProperties(file string) (notes []Note, err error) {
	fields, err := readProperties(file)
	if err != nil {
		return nil, fmt.Errorf("namesrv: configuration: %w", err)
	}
	var faults []error
	var others []codec.Field // keys that nobody knows, and those that only Java knows
	found := readKeys{where: file}
	taken := make(map[string]bool, len(fields))
	for _, f := range fields {
		k, known := knownKeys[f.Name]
		switch {
		case f.Name == versionKey:
			continue // as GET_NAMESRV_CONFIG answers it
		case !known:
			others = append(others, f)
			found.unknown(f.Name)
		default:
			if err := k.take(c, f.Value); err != nil {
				if k.lenient {
					found.odd(err, k.get(c))
				} else {
					faults = append(faults, fmt.Errorf("%w (%s)", err, file))
				}
				continue
			}
			if k.unused {
				found.meaningless = append(found.meaningless, f.Name)
			}
		}
		taken[f.Name] = true
	}
	if taken["kvConfigPath"] && !taken["routeSnapshotPath"] {
		c.RouteSnapshotPath = besideKVConfig(c.KVConfigPath)
	}
	c.Unknown = withFields(c.Unknown, others)
	c.noteSources(SourceFile, taken)
	c.JavaOptions = slices.DeleteFunc(slices.Clone(c.JavaOptions), func(name string) bool { return taken[name] })
	return found.notes(), errors.Join(faults...)
}

// Properties returns name=value for every known key, in the order in which -p
// prints them.
func (c *Config) Properties() []string {
	lines := make([]string, len(configKeys))
	for i, k := range configKeys {
		lines[i] = k.name + "=" + k.get(c)
	}
	return lines
}

// all returns every key with its value in ascending order, the unknown ones
// included.
func (c *Config) all() []codec.Field {
	all := slices.Clone(c.Unknown)
	for _, k := range configKeys {
		if k.name == "rocketmqHome" && c.RocketMQHome == "" {
			continue // Java leaves out what is null, and no other key ever is
		}
		all = append(all, codec.Field{Name: k.name, Value: k.get(c)})
	}
	slices.SortFunc(all, func(a, b codec.Field) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// text is the whole configuration, its values as they are but for secrets, and
// our version. Of keys that we do not know those are secrets whose names say so.
// Java: Configuration#getAllConfigsFormatString.
func (c *Config) text() []byte {
	var b []byte
	for _, f := range withFields(c.all(), []codec.Field{{Name: versionKey, Value: Version()}}) {
		if k, known := knownKeys[f.Name]; f.Value != "" && (k.secret || !known && soundsSecret(f.Name)) {
			f.Value = hidden
		}
		b = append(b, f.Name...)
		b = append(b, '=')
		b = append(b, f.Value...)
		b = append(b, '\n')
	}
	return b
}

// fileText is the whole configuration, to be read again by LoadProperties.
//
// Differs from Java, which writes what text returns: a backslash or a letter
// beyond ASCII is then another one at the next start, and a line break in a
// value starts another key.
func (c *Config) fileText() []byte {
	var b []byte
	for _, f := range c.all() {
		if !slices.Contains(c.JavaOptions, f.Name) {
			b = appendProperty(b, f)
		}
	}
	return b
}

func stringKey(name string, field func(*Config) *string) configKey {
	return configKey{
		name: name,
		get:  func(c *Config) string { return *field(c) },
		set:  func(c *Config, v string) error { *field(c) = v; return nil },
	}
}

// wordKey is one of a few words, in whatever case, and kept in lower case.
// Such a word guards something, so an unknown one is never a default.
func wordKey(name string, words []string, field func(*Config) *string) configKey {
	last := len(words) - 1
	return configKey{
		name:  name,
		words: words,
		want:  strings.Join(words[:last], ", ") + " or " + words[last],
		get:   func(c *Config) string { return *field(c) },
		set: func(c *Config, v string) error {
			v = strings.ToLower(v)
			if !slices.Contains(words, v) {
				return errUnknownWord
			}
			*field(c) = v
			return nil
		},
	}
}

var (
	errUnknownWord = errors.New("unknown word")
	errNoNumber    = errors.New("not a whole number")
)

// boolKey is "true" or "false", in whatever case.
//
// Differs from Java, where whatever is not "true" is false.
func boolKey(name string, field func(*Config) *bool) configKey {
	return configKey{
		name:    name,
		want:    "true or false",
		lenient: true,
		get:     func(c *Config) string { return strconv.FormatBool(*field(c)) },
		set: func(c *Config, v string) error {
			switch strings.ToLower(v) {
			case "true":
				*field(c) = true
			case "false":
				*field(c) = false
			default:
				return errUnknownWord
			}
			return nil
		},
	}
}

// A rangeError is a whole number that is too small or too large.
type rangeError struct{ least, most int64 }

func (e *rangeError) Error() string { return fmt.Sprintf(", from %d to %d", e.least, e.most) }

// whole returns the whole number that v is.
func whole(v string, least, most int64) (int64, error) {
	n, err := strconv.ParseInt(v, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrSyntax):
		return 0, errNoNumber
	case err != nil || n < least || n > most:
		return 0, &rangeError{least, most}
	}
	return n, nil
}

// intKey is an int of Java.
func intKey[T int | int32](name string, field func(*Config) *T) configKey {
	return configKey{
		name: name,
		want: "a whole number",
		get:  func(c *Config) string { return strconv.Itoa(int(*field(c))) },
		set: func(c *Config, v string) error {
			n, err := whole(v, math.MinInt32, math.MaxInt32)
			if err == nil {
				*field(c) = T(n)
			}
			return err
		},
	}
}

// longKey is a long of Java.
func longKey(name string, field func(*Config) *int64) configKey {
	return configKey{
		name: name,
		want: "a whole number",
		get:  func(c *Config) string { return strconv.FormatInt(*field(c), 10) },
		set: func(c *Config, v string) error {
			n, err := whole(v, math.MinInt64, math.MaxInt64)
			if err == nil {
				*field(c) = n
			}
			return err
		},
	}
}

// durationKey is an int or a long of Java: bits is 32 or 64.
func durationKey(name string, bits int, unit time.Duration, field func(*Config) *time.Duration) configKey {
	most := int64(math.MaxInt64 / unit)
	if bits == 32 {
		most = math.MaxInt32
	}
	names := map[time.Duration]string{time.Millisecond: "milliseconds", time.Second: "seconds"}
	return in(names[unit], configKey{
		name: name,
		want: "a whole number",
		get:  func(c *Config) string { return strconv.FormatInt(int64(*field(c)/unit), 10) },
		set: func(c *Config, v string) error {
			n, err := whole(v, -most, most)
			if err == nil {
				*field(c) = time.Duration(n) * unit
			}
			return err
		},
	})
}
