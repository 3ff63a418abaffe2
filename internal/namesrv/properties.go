package namesrv

import (
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
	set    func(*Config, string) error
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
	live(intKey("waitSecondsForService", func(c *Config) *int32 { return &c.WaitSecondsForService })),
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
	restart(intKey("serverSocketSndBufSize", func(c *Config) *int { return &c.ServerSocketSndBufSize })),
	restart(intKey("serverSocketRcvBufSize", func(c *Config) *int { return &c.ServerSocketRcvBufSize })),
	restart(intKey("writeBufferHighWaterMark", func(c *Config) *int { return &c.WriteBufferHighWaterMark })),
	restart(intKey("writeBufferLowWaterMark", func(c *Config) *int { return &c.WriteBufferLowWaterMark })),
	unused(intKey("serverSocketBacklog", func(c *Config) *int32 { return &c.Unused.ServerSocketBacklog })),
	unused(boolKey("serverNettyWorkerGroupEnable", func(c *Config) *bool { return &c.Unused.ServerNettyWorkerGroupEnable })),
	unused(boolKey("serverPooledByteBufAllocatorEnable", func(c *Config) *bool { return &c.Unused.ServerPooledByteBufAllocator })),
	live(boolKey("enableShutdownGracefully", func(c *Config) *bool { return &c.EnableShutdownGracefully })),
	live(durationKey("shutdownWaitTimeSeconds", 32, time.Second, func(c *Config) *time.Duration { return &c.ShutdownWaitTime })),
	unused(boolKey("useEpollNativeSelector", func(c *Config) *bool { return &c.Unused.UseEpollNativeSelector })),

	live(durationKey("drainTimeSeconds", 32, time.Second, func(c *Config) *time.Duration { return &c.DrainTime })),
	restart(boolKey("routeReadsOnLoop", func(c *Config) *bool { return &c.RouteReadsOnLoop })),
	restart(intKey("maxConnections", func(c *Config) *int { return &c.MaxConnections })),
	restart(intKey("maxConnectionsPerIp", func(c *Config) *int { return &c.MaxConnectionsPerIP })),
	restart(longKey("memoryBudget", func(c *Config) *int64 { return &c.MemoryBudget })),
	restart(durationKey("firstFrameTimeoutMillis", 64, time.Millisecond, func(c *Config) *time.Duration { return &c.FirstFrameTimeout })),
	restart(durationKey("frameTimeoutMillis", 64, time.Millisecond, func(c *Config) *time.Duration { return &c.FrameTimeout })),
	restart(durationKey("slowReaderTimeoutMillis", 64, time.Millisecond, func(c *Config) *time.Duration { return &c.SlowReaderTimeout })),
	restart(intKey("maxPendingInputSize", func(c *Config) *int { return &c.MaxPendingInput })),
	restart(intKey("maxPendingOutputSize", func(c *Config) *int { return &c.MaxPendingOutput })),
	restart(intKey("maxTopics", func(c *Config) *int { return &c.MaxTopics })),
	restart(intKey("maxBrokers", func(c *Config) *int { return &c.MaxBrokers })),
	restart(intKey("maxRouteEntries", func(c *Config) *int { return &c.MaxRouteEntries })),
	restart(longKey("routeCacheBytes", func(c *Config) *int64 { return &c.RouteCacheBytes })),
	restart(intKey("addressServerPort", func(c *Config) *int { return &c.AddressServerPort })),
	restart(stringKey("addressServerList", func(c *Config) *string { return &c.AddressServerList })),
	restart(stringKey("rocketmq.namesrv.domain.subgroup", func(c *Config) *string { return &c.NamesrvDomainSubgroup })),
	restart(stringKey("rocketmq.namesrv.domain", func(c *Config) *string { return &c.NamesrvDomain })),
	restart(stringKey("productNamesrvAddr", func(c *Config) *string { return &c.ProductNamesrvAddr })),
	never(stringKey("proxyProtocolTrusted", func(c *Config) *string { return &c.ProxyProtocolTrusted })),
	restart(durationKey("handshakeTimeoutSeconds", 32, time.Second, func(c *Config) *time.Duration { return &c.HandshakeTimeout })),
}, tlsKeys...)

func live(k configKey) configKey    { k.update = updateLive; return k }
func restart(k configKey) configKey { k.update = updateRestart; return k }
func never(k configKey) configKey   { k.update = updateNever; return k }
func secret(k configKey) configKey  { k.secret = true; return k }
func unused(k configKey) configKey  { k.update, k.unused = updateRestart, true; return k }

// knownKeys finds a key by its name.
var knownKeys = func() map[string]configKey {
	known := make(map[string]configKey, len(configKeys))
	for _, k := range configKeys {
		known[k.name] = k
	}
	return known
}()

// LoadProperties reads a Java properties file over c. It returns, one line
// each, what it passed over: keys that mean nothing here, and values that do
// not parse, which Java ignores without a word. Its error names the file.
// Java: MixAll#properties2Object.
func (c *Config) LoadProperties(file string) (ignored []string, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("namesrv: configuration: %w", err)
	}
	fields, err := parseProperties(text)
	if err != nil {
		return nil, fmt.Errorf("namesrv: configuration %s: %w", file, err)
	}
	for _, f := range fields {
		k, ok := knownKeys[f.Name]
		if !ok {
			c.Unknown = withField(c.Unknown, f.Name, f.Value)
		} else if err := k.set(c, f.Value); err != nil {
			ignored = append(ignored, fmt.Sprintf("%s=%s: %v", f.Name, f.Value, err))
			continue
		}
		c.JavaOptions = slices.DeleteFunc(slices.Clone(c.JavaOptions), func(name string) bool { return name == f.Name })
		if !ok || k.unused {
			ignored = append(ignored, fmt.Sprintf("%s has no meaning here", f.Name))
		}
	}
	return ignored, nil
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

// text is the whole configuration, its values as they are but for secrets.
// Java: Configuration#getAllConfigsFormatString.
func (c *Config) text() []byte {
	var b []byte
	for _, f := range c.all() {
		if f.Value != "" && knownKeys[f.Name].secret {
			f.Value = "******"
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

// The value rules are Java's: text is trimmed, numbers and truth values are
// not, and whatever is not "true" is false.

func stringKey(name string, field func(*Config) *string) configKey {
	return configKey{
		name: name,
		get:  func(c *Config) string { return *field(c) },
		set: func(c *Config, v string) error {
			*field(c) = strings.TrimFunc(v, func(c rune) bool { return c <= ' ' })
			return nil
		},
	}
}

func boolKey(name string, field func(*Config) *bool) configKey {
	return configKey{
		name: name,
		get:  func(c *Config) string { return strconv.FormatBool(*field(c)) },
		set: func(c *Config, v string) error {
			*field(c) = strings.EqualFold(v, "true")
			return nil
		},
	}
}

func intKey[T int | int32](name string, field func(*Config) *T) configKey {
	return configKey{
		name: name,
		get:  func(c *Config) string { return strconv.Itoa(int(*field(c))) },
		set: func(c *Config, v string) error {
			n, err := strconv.ParseInt(v, 10, 32)
			if err != nil {
				return err
			}
			*field(c) = T(n)
			return nil
		},
	}
}

// longKey is a long of Java.
func longKey(name string, field func(*Config) *int64) configKey {
	return configKey{
		name: name,
		get:  func(c *Config) string { return strconv.FormatInt(*field(c), 10) },
		set: func(c *Config, v string) error {
			n, err := strconv.ParseInt(v, 10, 64)
			if err != nil {
				return err
			}
			*field(c) = n
			return nil
		},
	}
}

// durationKey is an int or a long of Java: bits is 32 or 64.
func durationKey(name string, bits int, unit time.Duration, field func(*Config) *time.Duration) configKey {
	return configKey{
		name: name,
		get:  func(c *Config) string { return strconv.FormatInt(int64(*field(c)/unit), 10) },
		set: func(c *Config, v string) error {
			n, err := strconv.ParseInt(v, 10, bits)
			if err != nil {
				return err
			}
			if most := int64(math.MaxInt64 / unit); n > most || n < -most {
				return fmt.Errorf("not between %d and %d", -most, most)
			}
			*field(c) = time.Duration(n) * unit
			return nil
		},
	}
}
