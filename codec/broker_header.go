package codec

// The slices of these headers are borrowed from the frame; nil means that the
// field is absent. Nothing is required: Java logs a missing or unreadable
// field and goes on with its default, so each handler decides what it needs.
// Java: RemotingCommand#decodeCommandCustomHeader.

// A RegisterBrokerRequestHeader goes with REGISTER_BROKER.
// Java: RegisterBrokerRequestHeader.
type RegisterBrokerRequestHeader struct {
	BrokerName                []byte
	BrokerAddr                []byte // ip:port
	ClusterName               []byte
	HAServerAddr              []byte
	BrokerID                  int64 // 0 is the master
	HasBrokerID               bool
	HeartbeatTimeoutMillis    int64
	HasHeartbeatTimeoutMillis bool // false means 120 s
	EnableActingMaster        bool
	HasEnableActingMaster     bool   // false marks a broker older than 5.0
	Compressed                bool   // 5.x brokers send false even when they compress
	BodyCRC32                 int32  // 0 means unchecked
	ZoneName                  []byte // of the ext field __ZONE_NAME, which Java's class does not have
}

// Decode fills h from ext.
func (h *RegisterBrokerRequestHeader) Decode(ext ExtFields) {
	*h = RegisterBrokerRequestHeader{
		BrokerName:   ext.text("brokerName"),
		BrokerAddr:   ext.text("brokerAddr"),
		ClusterName:  ext.text("clusterName"),
		HAServerAddr: ext.text("haServerAddr"),
		ZoneName:     ext.text(zoneNameField),
	}
	h.BrokerID, h.HasBrokerID = ext.Int64("brokerId")
	h.HeartbeatTimeoutMillis, h.HasHeartbeatTimeoutMillis = ext.Int64("heartbeatTimeoutMillis")
	h.EnableActingMaster, h.HasEnableActingMaster = ext.Bool("enableActingMaster")
	h.Compressed, _ = ext.Bool("compressed")
	h.BodyCRC32, _ = ext.Int32("bodyCrc32")
}

// An UnregisterBrokerRequestHeader goes with UNREGISTER_BROKER.
// Java: UnRegisterBrokerRequestHeader.
type UnregisterBrokerRequestHeader struct {
	BrokerName  []byte
	BrokerAddr  []byte
	ClusterName []byte
	BrokerID    int64
	HasBrokerID bool
}

// Decode fills h from ext.
func (h *UnregisterBrokerRequestHeader) Decode(ext ExtFields) {
	h.BrokerName = ext.text("brokerName")
	h.BrokerAddr = ext.text("brokerAddr")
	h.ClusterName = ext.text("clusterName")
	h.BrokerID, h.HasBrokerID = ext.Int64("brokerId")
}

// A BrokerHeartbeatRequestHeader goes with BROKER_HEARTBEAT. What a controller
// would read beyond these fields means nothing to a name server.
// Java: BrokerHeartbeatRequestHeader.
type BrokerHeartbeatRequestHeader struct {
	ClusterName []byte
	BrokerAddr  []byte
	BrokerName  []byte
}

// Decode fills h from ext.
func (h *BrokerHeartbeatRequestHeader) Decode(ext ExtFields) {
	h.ClusterName = ext.text("clusterName")
	h.BrokerAddr = ext.text("brokerAddr")
	h.BrokerName = ext.text("brokerName")
}

// A QueryDataVersionRequestHeader goes with QUERY_DATA_VERSION.
// Java: QueryDataVersionRequestHeader.
type QueryDataVersionRequestHeader struct {
	BrokerName  []byte
	BrokerAddr  []byte
	ClusterName []byte
	BrokerID    int64
	HasBrokerID bool
}

// Decode fills h from ext.
func (h *QueryDataVersionRequestHeader) Decode(ext ExtFields) {
	h.BrokerName = ext.text("brokerName")
	h.BrokerAddr = ext.text("brokerAddr")
	h.ClusterName = ext.text("clusterName")
	h.BrokerID, h.HasBrokerID = ext.Int64("brokerId")
}

// A GetBrokerMemberGroupRequestHeader goes with GET_BROKER_MEMBER_GROUP.
// Java: GetBrokerMemberGroupRequestHeader.
type GetBrokerMemberGroupRequestHeader struct {
	ClusterName []byte
	BrokerName  []byte
}

// Decode fills h from ext.
func (h *GetBrokerMemberGroupRequestHeader) Decode(ext ExtFields) {
	h.ClusterName = ext.text("clusterName")
	h.BrokerName = ext.text("brokerName")
}

// A WritePermRequestHeader goes with WIPE_WRITE_PERM_OF_BROKER and
// ADD_WRITE_PERM_OF_BROKER. Java: WipeWritePermOfBrokerRequestHeader,
// AddWritePermOfBrokerRequestHeader.
type WritePermRequestHeader struct {
	BrokerName []byte
}

// Decode fills h from ext.
func (h *WritePermRequestHeader) Decode(ext ExtFields) { h.BrokerName = ext.text("brokerName") }
