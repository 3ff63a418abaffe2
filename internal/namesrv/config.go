package namesrv

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"gonamesrv/codec"
	"gonamesrv/engine"
	"gonamesrv/route"
)

// A Config is everything an operator can set. The zero Config is not usable:
// start from DefaultConfig. Each field names its key in a Java properties file.
// Java: NamesrvConfig, NettyServerConfig.
type Config struct {
	RocketMQHome    string // rocketmqHome; honoured, not required
	KVConfigPath    string // kvConfigPath: the file of the KV config; "" keeps it in memory only
	ConfigStorePath string // configStorePath: where UPDATE_NAMESRV_CONFIG keeps the configuration; "" nowhere
	BindAddress     string // bindAddress; host names and IP addresses, split at ";" or ","
	ListenPort      int    // listenPort; 0 picks a free one for each address

	ClientRequestThreadPoolNums          int           // clientRequestThreadPoolNums: goroutines that serve route requests when they do not run on the loop
	DefaultThreadPoolNums                int           // defaultThreadPoolNums: goroutines that serve all other requests
	ClientRequestThreadPoolQueueCapacity int           // clientRequestThreadPoolQueueCapacity: requests that may wait
	DefaultThreadPoolQueueCapacity       int           // defaultThreadPoolQueueCapacity: requests that may wait
	ScanNotActiveBrokerInterval          time.Duration // scanNotActiveBrokerInterval, milliseconds in the file

	SupportActingMaster               bool // supportActingMaster
	EnableAllTopicList                bool // enableAllTopicList: serve GET_ALL_TOPIC_LIST_FROM_NAMESERVER
	EnableTopicList                   bool // enableTopicList: serve the lists of topics by cluster and by unit
	DeleteTopicWithBrokerRegistration bool // deleteTopicWithBrokerRegistration
	NotifyMinBrokerIDChanged          bool // notifyMinBrokerIdChanged: tell brokers when the smallest ID among them changes
	OrderMessageEnable                bool // orderMessageEnable: routes carry the order configuration of their topic
	ReturnOrderTopicConfigToBroker    bool // returnOrderTopicConfigToBroker: registrations are answered with all order configurations

	NeedWaitForService    bool  // needWaitForService: refuse route requests for a while after the start
	WaitSecondsForService int32 // waitSecondsForService: for how long; zero and less: not at all

	ConfigBlackList string // configBlackList: what UPDATE_NAMESRV_CONFIG may not change, besides what it never may; split at ";"

	ServerSelectorThreads    int           // serverSelectorThreads: event loops; 0 means half the CPUs, at least 1
	ServerChannelMaxIdle     time.Duration // serverChannelMaxIdleTimeSeconds; 0 never closes an idle connection
	ServerSocketSndBufSize   int           // serverSocketSndBufSize in bytes; 0 leaves it to the system
	ServerSocketRcvBufSize   int           // serverSocketRcvBufSize in bytes; 0 leaves it to the system
	WriteBufferHighWaterMark int           // writeBufferHighWaterMark in bytes; 0 means 64 KiB
	WriteBufferLowWaterMark  int           // writeBufferLowWaterMark in bytes; 0 means 32 KiB

	// How to shut down: closing connections one by one, so that their peers do
	// not all come to the other name servers at the same moment.
	EnableShutdownGracefully bool          // enableShutdownGracefully: spread over ShutdownWaitTime; otherwise one every 10 ms, or as DrainTime needs
	ShutdownWaitTime         time.Duration // shutdownWaitTimeSeconds; 0 closes all at once
	DrainTime                time.Duration // drainTimeSeconds, not a Java key; 0 closes all at once
	// Limits to what peers may cost us. None has a key in Java.

	MaxConnections      int           // maxConnections; 0 means as many as there are file descriptors
	MaxConnectionsPerIP int           // maxConnectionsPerIp, of an IPv4 address or a /64 of IPv6; 0 means no limit
	RequestsPerIP       int           // requestsPerSecondPerIp, of an IPv4 address or a /64 of IPv6: those beyond it are served later; up to 10,000,000, 0 means no limit
	MissDamping         string        // missDamping: off, monitor or enforce: a connection that asks more than 20 times a second for topics that are not there is answered 100 to 129 ms later; monitor only counts
	RequestRateMode     string        // requestRateMode: enforce, or monitor, which only counts them
	MemoryBudget        int64         // memoryBudget in bytes, for unfinished frames, queued requests and unread replies together; 0 means a quarter of the memory, 8 MiB to 4 GiB
	FirstFrameTimeout   time.Duration // firstFrameTimeoutMillis: from the first byte of a connection to the end of its first frame
	FrameTimeout        time.Duration // frameTimeoutMillis: the same for any later frame
	SlowReaderTimeout   time.Duration // slowReaderTimeoutMillis: how long a peer may leave more than writeBufferHighWaterMark unread
	MaxPendingInput     int           // maxPendingInputSize in bytes: what a peer may send that does not read, or sends faster than it is answered
	MaxPendingOutput    int           // maxPendingOutputSize in bytes: unread replies of a peer that asks for more
	MaxTopics           int           // maxTopics: topics in all; 0 means one per KiB of memory, 10,000 to 4,000,000
	MaxBrokers          int           // maxBrokers: brokers in all, each name in each cluster; 0 means one per 32 KiB of memory, 1,000 to 100,000
	MaxRouteEntries     int           // maxRouteEntries: broker names of all topics, filter servers, static mappings and their queues; 0 means one per 256 bytes of memory, 100,000 to 16,000,000
	RouteCacheBytes     int64         // routeCacheBytes: encoded routes that are kept; what finds no room is encoded when asked for. 0 means an eighth of the memory, 8 MiB to 2 GiB

	// SelfProtection (selfProtection, not a Java key) says what becomes of brokers when
	// many of a cluster fall silent at once, or lose their connections: off removes them
	// as Java does, monitor too, and counts those that it would have held back, on holds
	// them back. SelfProtectionMax (selfProtectionMaxSeconds, not a Java key) is for how
	// long a broker is, beyond its timeout; 0 is as long as it takes. CloseHold
	// (closeHoldMillis, not a Java key) is how long the end of a broker's connection waits
	// for those of others before it counts, with selfProtection=on only: 0 to 2,000 ms.
	SelfProtection    string
	SelfProtectionMax time.Duration
	CloseHold         time.Duration

	// Clients that are told other addresses of brokers than these register: behind a NAT,
	// outside of a cluster, on the host of a container. None has a key in Java.

	HorizonFile       string // horizonFile: who is told what, in YAML (docs/SPLIT_HORIZON.md); "" none
	HorizonMode       string // horizonMode: "on", "monitor" (all are told what brokers say, what would be is counted), "off"
	HorizonCacheBytes int64  // horizonCacheBytes: encoded answers that are kept for them; what finds no room is encoded when asked for. 0 means 64 MiB

	// RouteReadsOnLoop (routeReadsOnLoop, not a Java key) answers route requests
	// on the event loop. Off sends them through the client pool, as Java does.
	RouteReadsOnLoop bool

	// FrameMaxLength (frameMaxLength; in Java the system property
	// com.rocketmq.remoting.frameMaxLength) is the largest frame that is accepted,
	// in bytes, its length field included: 1 KiB to 1 GiB. More than the 16 MiB of
	// the default may be no more than a quarter of the memory budget: half of that
	// is for unfinished frames, which hold half as much again while they grow.
	FrameMaxLength int

	// AddressServerPort (addressServerPort, not a Java key) is where clients that
	// are configured with a domain ask over HTTP for the name servers; 0 turns
	// it off. AddressServerList (addressServerList, not a Java key) is what they
	// are told: ip:port;ip:port, at most 1,024 bytes.
	AddressServerPort int
	AddressServerList string

	// ClusterTest (clusterTest) answers every request as one for a route, and
	// asks the name servers of the product environment for routes that are not
	// known here. These are ProductNamesrvAddr (productNamesrvAddr, not a Java
	// key), ip:port;ip:port; when it is empty, an address server is asked, for the
	// unit ProductEnvName (productEnvName), at NamesrvDomain
	// (rocketmq.namesrv.domain, a system property in Java), which has port 8080
	// unless it says another.
	ClusterTest        bool
	ProductEnvName     string
	ProductNamesrvAddr string
	NamesrvDomain      string

	// NamesrvDomainSubgroup (rocketmq.namesrv.domain.subgroup, a system property
	// in Java) is the last part of the path that address servers are asked for.
	NamesrvDomainSubgroup string

	// TLS is who speaks it, and with which certificates.
	TLS TLSConfig

	// ProxyProtocolTrusted (proxyProtocolTrusted, not a Java key) are the load
	// balancers that may say by a PROXY header whom they speak for: addresses
	// and prefixes, 10.0.0.0/8;192.0.2.1. Java believes everybody.
	ProxyProtocolTrusted string

	// HandshakeTimeout (handshakeTimeoutSeconds, not a Java key) is how long a TLS
	// handshake or a PROXY header may take from its first byte.
	HandshakeTimeout time.Duration

	// Where log lines go and how they look. None has a key in Java, where
	// logback has a file of its own.

	LogFile        string // logFile, "" none: where lines go beside standard error
	LogLevel       string // logLevel: debug, info, warn, error, in any case; of which lines at least
	LogFormat      string // logFormat: text, json or java
	LogFileSize    int    // logFileMaxMegabytes, from 1 to 65536, in MiB: when the file is set aside and another one begun
	LogFileBackups int    // logFileMaxBackups, from 1 to 10000: how many are kept that were set aside

	// What /metrics of the admin listener shows. Not Java keys, and no request changes them.

	MetricsJavaNames  bool // metricsJavaNames: with the names that RocketMQ has for metrics, too
	MetricsMaxBrokers int  // metricsMaxBrokers, 0 to 100,000: if there are more, no broker has metrics of its own

	// The routes that outlive a restart. None has a key in Java, where a name server
	// starts with none.

	WarmStart         string        // warmStart: off, shadow or on. On keeps a snapshot of the routes and begins with it; shadow keeps it, and only says what it would have been good for
	RouteSnapshotPath string        // routeSnapshotPath: the file of the snapshot; "" turns warmStart off
	WarmStartIdentity string        // warmStartIdentity, at most 255 bytes: whose snapshot it must be; "" means host name and listenPort, host:port
	WarmStartMaxAge   time.Duration // warmStartMaxAgeSeconds, positive: a snapshot that was last known to be right longer ago is not used
	WarmStartLoadTime time.Duration // warmStartLoadMillis, positive: how long reading it may hold up the start

	// Other name servers that this one is compared with. Neither has a key in Java.

	PeerNamesrvAddr string        // peerNamesrvAddr: host:port;host:port, at most 32; this server may be among them. "" asks nobody
	PeerCheck       time.Duration // peerCheckSeconds, from 10 to 86,400: between two checks of one of them, give or take a tenth; sooner where something differs that does not count yet

	// The admin listener, where people and their tools ask over HTTP what the server
	// does. None has a key in Java, and no request changes any: whoever reaches the name
	// server must not open the admin listener.

	AdminServerPort      int    // adminServerPort; 0 is off. The default one may be taken by somebody else, any other stops the start then
	AdminBindAddress     string // adminBindAddress; as BindAddress
	AdminAnonymousLocal  string // adminAnonymousLocal: the role, of AdminRoles, of those who ask from 127.0.0.1 or ::1 without a token and for nobody else
	AdminAnonymousRemote string // adminAnonymousRemote: the role of all others who ask without a token
	AdminTokenFile       string // adminTokenFile, "" none: lines of role, name and token, read again when it changes; nobody but its owner may read it
	AdminAllowedHosts    string // adminAllowedHosts: by which names it may be asked, beside addresses, localhost and the machine's name; split at ";" or ","
	AdminTLSEnable       bool   // adminTlsEnable: it speaks TLS only, with the certificate of tls.server.*
	AdminMaxConnections  int    // adminMaxConnections: from 1 to 10,000 at the same time; one beyond it is closed
	AdminMaxWatchers     int    // adminMaxWatchers: who may wait for changes at the same time, 0 to 10,000

	ReadyMinBrokers int           // readyMinBrokers: the server is not ready before so many brokers have registered; 0 waits for none
	ReadyMaxWait    time.Duration // readyMaxWaitSeconds: for how long after the start it waits for them at most

	// Who may do what. None has a key in Java, which asks nobody, and no request changes any.

	AccessPreset  string // accessPreset: open, standard or strict: what addresses alone give, see docs/SECURING.md
	AccessMode    string // accessMode: enforce, or monitor, which serves and counts what it would refuse
	AccessFile    string // accessFile: rules beside the preset, in YAML; "" none. What it says of preset and mode comes before the keys
	TrustLoopback bool   // trustLoopback: in a container too, 127.0.0.1 and ::1 are this machine, and not anybody of the site

	// The audit log: who has asked for what that not everybody may. None has a key in
	// Java, and no request changes any.

	AuditLogPath    string // auditLogPath, "" none: its file, JSON lines
	AuditLogSize    int    // auditLogMaxMegabytes, from 1 to 65536, in MiB: when the file is set aside, compressed, and another one begun
	AuditLogBackups int    // auditLogMaxBackups, from 1 to 10000: how many are kept that were set aside
	AuditChain      bool   // auditChain: each line has a hash, of the line before too
	AuditSync       bool   // auditSync: the answer to admin-write and config waits until its line is on the disk, 10 s at most
	AuditRequired   bool   // auditRequired: while lines cannot be written, admin-write and config are refused

	// What happened, and how it was before. None has a key in Java.

	JournalSize   int   // journalSize: events that are kept, 1,024 to 1,048,576
	HistoryBudget int64 // historyBudget, about how many bytes routes of the last 15 minutes may keep alive, up to 4 GiB, and at most a sixteenth of the memory; 0 keeps none

	// JavaOptions are the keys that have their value by LoadJavaOptions: where that
	// comes from it is to be changed, so the properties file is not told of them.
	JavaOptions []string

	// Sources are where keys have their values from that are neither the default nor of
	// JavaOptions: the properties file, or a request. It is never changed, only replaced.
	Sources map[string]Source

	// Unused are keys of Java that mean nothing here. They are kept because
	// GET_NAMESRV_CONFIG shows them and UPDATE_NAMESRV_CONFIG keeps them.
	Unused UnusedConfig

	// Unknown are the keys of the properties file that nobody knows, in ascending
	// order of Name. They are kept for the same reason.
	Unknown []codec.Field

	// SerializeType is how reply headers are written, whatever the request used.
	// Java: the system property rocketmq.serialize.type.
	SerializeType codec.SerializeType
}

// An UnusedConfig is the part of Java's configuration without meaning here.
type UnusedConfig struct {
	UnRegisterBrokerQueue        int32 // unRegisterBrokerQueueCapacity: brokers leave at once
	EnableControllerInNamesrv    bool  // enableControllerInNamesrv
	ServerWorkerThreads          int32 // serverWorkerThreads
	ServerCallbackThreads        int32 // serverCallbackExecutorThreads
	ServerOnewaySemaphore        int32 // serverOnewaySemaphoreValue
	ServerAsyncSemaphore         int32 // serverAsyncSemaphoreValue
	ServerSocketBacklog          int32 // serverSocketBacklog
	ServerNettyWorkerGroupEnable bool  // serverNettyWorkerGroupEnable
	ServerPooledByteBufAllocator bool  // serverPooledByteBufAllocatorEnable
	UseEpollNativeSelector       bool  // useEpollNativeSelector
}

// DefaultConfig returns what a server without any configuration uses.
func DefaultConfig() Config {
	return Config{
		BindAddress:                          "0.0.0.0",
		ListenPort:                           9876,
		ClientRequestThreadPoolNums:          8,
		DefaultThreadPoolNums:                16,
		ClientRequestThreadPoolQueueCapacity: 50_000,
		DefaultThreadPoolQueueCapacity:       10_000,
		ScanNotActiveBrokerInterval:          5 * time.Second,
		EnableAllTopicList:                   true,
		EnableTopicList:                      true,
		ReturnOrderTopicConfigToBroker:       true,
		WaitSecondsForService:                45,
		ConfigBlackList:                      "configBlackList;configStorePath;kvConfigPath",
		ServerChannelMaxIdle:                 120 * time.Second,
		ShutdownWaitTime:                     30 * time.Second,
		DrainTime:                            5 * time.Second,
		RequestRateMode:                      modeEnforce,
		MissDamping:                          modeMonitor,
		FirstFrameTimeout:                    30 * time.Second,
		FrameTimeout:                         60 * time.Second,
		SlowReaderTimeout:                    60 * time.Second,
		MaxPendingInput:                      4 << 20,
		MaxPendingOutput:                     64 << 20,
		MetricsJavaNames:                     true,
		MetricsMaxBrokers:                    500,
		SelfProtection:                       "monitor",
		SelfProtectionMax:                    300 * time.Second,
		CloseHold:                            500 * time.Millisecond,
		RouteReadsOnLoop:                     true,
		FrameMaxLength:                       codec.MaxFrameLength,
		ProductEnvName:                       "center",
		NamesrvDomain:                        "jmenv.tbsite.net",
		NamesrvDomainSubgroup:                "nsaddr",
		SerializeType:                        codec.SerializeJSON,
		TLS:                                  defaultTLSConfig(),
		HandshakeTimeout:                     10 * time.Second,
		HorizonMode:                          horizonOn,
		LogLevel:                             "info",
		LogFormat:                            "text",
		LogFileSize:                          100,
		LogFileBackups:                       10,
		WarmStart:                            warmStartOn,
		WarmStartMaxAge:                      900 * time.Second,
		WarmStartLoadTime:                    10 * time.Second,
		PeerCheck:                            60 * time.Second,
		AdminServerPort:                      DefaultAdminPort,
		AdminBindAddress:                     DefaultAdminAddress,
		AdminAnonymousLocal:                  "read",
		AdminAnonymousRemote:                 "metrics",
		AdminMaxConnections:                  128,
		AdminMaxWatchers:                     64,
		ReadyMaxWait:                         120 * time.Second,
		AccessPreset:                         presetStandard,
		AccessMode:                           modeEnforce,
		AuditLogSize:                         100,
		AuditLogBackups:                      10,
		JournalSize:                          route.DefaultJournalSize,
		HistoryBudget:                        route.DefaultHistoryBytes,
		Unused: UnusedConfig{
			UnRegisterBrokerQueue:        3000,
			ServerWorkerThreads:          8,
			ServerOnewaySemaphore:        256,
			ServerAsyncSemaphore:         64,
			ServerSocketBacklog:          1024,
			ServerNettyWorkerGroupEnable: true,
			ServerPooledByteBufAllocator: true,
		},
	}
}

// maxPoolNums bounds the workers of a pool: all are there from the start.
const maxPoolNums = 1 << 14

// What the engine has as well, in the words of the keys.
const (
	maxLoops         = 255
	defaultHighWater = 64 << 10
)

// The modes of a measure against overload.
const (
	modeOff     = "off"
	modeMonitor = "monitor" // counts what it would do
	modeEnforce = "enforce"
)

// The bounds of frameMaxLength.
const (
	leastFrameLength   = 1 << 10
	largestFrameLength = 1 << 30
)

// Validate returns all faults of c, nil when there are none.
func (c Config) Validate() error {
	var faults []error
	atLeast := func(key string, got, least int) {
		if got < least {
			faults = append(faults, fmt.Errorf("namesrv: %s is %d, must be at least %d", key, got, least))
		}
	}
	atMost := func(key string, got, most int) {
		if got > most {
			faults = append(faults, fmt.Errorf("namesrv: %s is %d, must be at most %d", key, got, most))
		}
	}
	if err := checkBindAddress(c.BindAddress); err != nil {
		faults = append(faults, fmt.Errorf("namesrv: bindAddress %w", err))
	}
	atLeast("listenPort", c.ListenPort, 0)
	atMost("listenPort", c.ListenPort, 65535)
	atLeast("clientRequestThreadPoolNums", c.ClientRequestThreadPoolNums, 1)
	atMost("clientRequestThreadPoolNums", c.ClientRequestThreadPoolNums, maxPoolNums)
	atLeast("defaultThreadPoolNums", c.DefaultThreadPoolNums, 1)
	atMost("defaultThreadPoolNums", c.DefaultThreadPoolNums, maxPoolNums)
	atLeast("clientRequestThreadPoolQueueCapacity", c.ClientRequestThreadPoolQueueCapacity, 1)
	atLeast("defaultThreadPoolQueueCapacity", c.DefaultThreadPoolQueueCapacity, 1)
	atLeast("serverSelectorThreads", c.ServerSelectorThreads, 0)
	atMost("serverSelectorThreads", c.ServerSelectorThreads, maxLoops)
	atLeast("serverSocketSndBufSize", c.ServerSocketSndBufSize, 0)
	atLeast("serverSocketRcvBufSize", c.ServerSocketRcvBufSize, 0)
	atLeast("writeBufferHighWaterMark", c.WriteBufferHighWaterMark, 0)
	atLeast("writeBufferLowWaterMark", c.WriteBufferLowWaterMark, 0)
	atLeast("maxConnections", c.MaxConnections, 0)
	atLeast("maxConnectionsPerIp", c.MaxConnectionsPerIP, 0)
	atLeast("requestsPerSecondPerIp", c.RequestsPerIP, 0)
	atMost("requestsPerSecondPerIp", c.RequestsPerIP, engine.MaxRequestsPerAddress)
	atLeast("maxPendingInputSize", c.MaxPendingInput, 1)
	atLeast("maxPendingOutputSize", c.MaxPendingOutput, 1)
	faults = append(faults, c.frameFaults()...)
	if high := cmp.Or(c.WriteBufferHighWaterMark, defaultHighWater); c.WriteBufferLowWaterMark > high {
		faults = append(faults, fmt.Errorf("namesrv: writeBufferLowWaterMark is %d, must be at most %d, writeBufferHighWaterMark", c.WriteBufferLowWaterMark, high))
	}
	for _, k := range configKeys {
		if k.words != nil && !slices.Contains(k.words, k.get(&c)) {
			faults = append(faults, &badValue{key: k.name, value: k.get(&c), want: k.want})
		}
	}
	atLeast("maxTopics", c.MaxTopics, 0)
	atLeast("maxBrokers", c.MaxBrokers, 0)
	atLeast("maxRouteEntries", c.MaxRouteEntries, 0)
	if c.RouteCacheBytes < 0 {
		faults = append(faults, fmt.Errorf("namesrv: routeCacheBytes is %d, must be at least 0", c.RouteCacheBytes))
	}
	if c.HorizonCacheBytes < 0 {
		faults = append(faults, fmt.Errorf("namesrv: horizonCacheBytes is %d, must be at least 0", c.HorizonCacheBytes))
	}
	if c.MemoryBudget != 0 && c.MemoryBudget < leastBudget {
		faults = append(faults, fmt.Errorf("namesrv: memoryBudget is %d, must be 0 or at least %d", c.MemoryBudget, leastBudget))
	}
	for _, timeout := range []struct {
		key   string
		value time.Duration
	}{
		{"firstFrameTimeoutMillis", c.FirstFrameTimeout},
		{"frameTimeoutMillis", c.FrameTimeout},
		{"slowReaderTimeoutMillis", c.SlowReaderTimeout},
	} {
		if timeout.value <= 0 {
			faults = append(faults, fmt.Errorf("namesrv: %s is %v, must be positive", timeout.key, timeout.value))
		}
	}
	if c.SelfProtectionMax < 0 {
		faults = append(faults, fmt.Errorf("namesrv: selfProtectionMaxSeconds is %v, must not be negative", c.SelfProtectionMax))
	}
	if c.CloseHold < 0 || c.CloseHold > mostCloseHold {
		faults = append(faults, fmt.Errorf("namesrv: closeHoldMillis is %v, must be from 0 to %v", c.CloseHold, mostCloseHold))
	}
	faults = append(faults, c.addressServerFaults()...)
	faults = append(faults, c.clusterTestFaults()...)
	faults = append(faults, c.peerFaults()...)
	faults = append(faults, c.logFaults()...)
	faults = append(faults, c.journalFaults()...)
	faults = append(faults, c.auditFaults()...)
	faults = append(faults, c.warmStartFaults()...)
	faults = append(faults, c.adminFaults()...)
	if _, err := parseTrusted(c.ProxyProtocolTrusted); err != nil {
		faults = append(faults, err)
	}
	if c.HandshakeTimeout <= 0 {
		faults = append(faults, fmt.Errorf("namesrv: handshakeTimeoutSeconds is %v, must be positive", c.HandshakeTimeout))
	}
	if c.MetricsMaxBrokers < 0 || c.MetricsMaxBrokers > 100_000 {
		faults = append(faults, fmt.Errorf("namesrv: metricsMaxBrokers is %d, must be from 0 to 100000", c.MetricsMaxBrokers))
	}
	if c.ServerChannelMaxIdle < 0 {
		faults = append(faults, fmt.Errorf("namesrv: serverChannelMaxIdleTimeSeconds is %v, must not be negative", c.ServerChannelMaxIdle))
	}
	if c.ShutdownWaitTime < 0 {
		faults = append(faults, fmt.Errorf("namesrv: shutdownWaitTimeSeconds is %v, must not be negative", c.ShutdownWaitTime))
	}
	if c.DrainTime < 0 {
		faults = append(faults, fmt.Errorf("namesrv: drainTimeSeconds is %v, must not be negative", c.DrainTime))
	}
	if c.ScanNotActiveBrokerInterval <= 0 {
		faults = append(faults, fmt.Errorf("namesrv: scanNotActiveBrokerInterval is %v, must be positive", c.ScanNotActiveBrokerInterval))
	}
	return errors.Join(faults...)
}

// frameFaults is the share of frameMaxLength in Validate.
func (c *Config) frameFaults() (faults []error) {
	n := int64(c.FrameMaxLength)
	if n < leastFrameLength || n > largestFrameLength {
		faults = append(faults, fmt.Errorf("namesrv: frameMaxLength is %d, must be from %d to %d bytes", n, leastFrameLength, largestFrameLength))
	}
	if budget := c.memoryBudget(); n > codec.MaxFrameLength && n > budget/4 {
		faults = append(faults, fmt.Errorf("namesrv: frameMaxLength is %d, must be at most %d bytes, a quarter of the memory budget; memoryBudget would have to be at least %d", n, max(codec.MaxFrameLength, budget/4), 4*n))
	}
	return faults
}

// parseTrusted reads a list of addresses and prefixes.
func parseTrusted(list string) ([]netip.Prefix, error) {
	var trusted []netip.Prefix
	for text := range strings.SplitSeq(list, ";") {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		p, err := netip.ParsePrefix(text)
		if addr, bad := netip.ParseAddr(text); bad == nil {
			p, err = addr.Unmap().Prefix(addr.Unmap().BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("namesrv: proxyProtocolTrusted: %q is neither an address nor a prefix", text)
		}
		trusted = append(trusted, p)
	}
	return trusted, nil
}

// Addresses returns where to listen.
func (c Config) Addresses() []string { return c.addressesWith(c.ListenPort) }

func (c Config) addressesWith(port int) []string { return addressesOf(c.BindAddress, port) }

func addressesOf(list string, port int) []string {
	hosts := bindHosts(list)
	for i, host := range hosts {
		hosts[i] = net.JoinHostPort(host, strconv.Itoa(port))
	}
	return hosts
}

// bindHosts splits a bindAddress. An IPv6 address may have its brackets.
func bindHosts(list string) []string {
	hosts := strings.Split(strings.ReplaceAll(list, ",", ";"), ";")
	for i, host := range hosts {
		host = strings.TrimSpace(host)
		if inner, ok := strings.CutPrefix(host, "["); ok {
			host = strings.TrimSuffix(inner, "]")
		}
		hosts[i] = host
	}
	return hosts
}

// checkBindAddress returns what is wrong with a bindAddress. What is only known
// by trying, Listen says.
func checkBindAddress(list string) error {
	if strings.TrimSpace(list) == "" {
		return errors.New("is empty")
	}
	seen := map[string]bool{}
	for _, host := range bindHosts(list) {
		switch {
		case host == "":
			return fmt.Errorf("%q has an empty item", list)
		case seen[host]:
			return fmt.Errorf("%q has %s twice", list, host)
		}
		seen[host] = true
	}
	return nil
}
