package codec

// Ext fields that clients and brokers add to every request of theirs when a
// zone is configured. Java: MixAll.ZONE_NAME, MixAll.ZONE_MODE.
const (
	zoneNameField = "__ZONE_NAME"
	zoneModeField = "__ZONE_MODE"
)

// A GetRouteInfoRequestHeader goes with GET_ROUTEINFO_BY_TOPIC. Slices are
// borrowed from the frame; nil means absent.
// Java: GetRouteInfoRequestHeader, and the fields ZoneRouteRPCHook reads.
type GetRouteInfoRequestHeader struct {
	Topic                  []byte
	AcceptStandardJSONOnly bool // answer in the strict dialect whatever the version
	ZoneMode               bool // keep only brokers of ZoneName
	ZoneName               []byte
}

// Decode fills h from ext.
func (h *GetRouteInfoRequestHeader) Decode(ext ExtFields) {
	// One pass: this is most of a name server's traffic, and nearly all of it
	// carries the topic alone. A name sent twice counts as its last value.
	*h = GetRouteInfoRequestHeader{}
	for i := range ext {
		switch string(ext[i].Name) {
		case "topic":
			h.Topic = ext[i].Value
		case "acceptStandardJsonOnly":
			h.AcceptStandardJSONOnly, _ = ext[i : i+1].Bool("acceptStandardJsonOnly")
		case zoneModeField:
			h.ZoneMode, _ = ext[i : i+1].Bool(zoneModeField)
		case zoneNameField:
			h.ZoneName = ext[i].Value
		}
	}
}

// A TopicRequestHeader goes with DELETE_TOPIC_IN_NAMESRV and
// REGISTER_TOPIC_IN_NAMESRV; ClusterName means something to the first only.
// Java: DeleteTopicFromNamesrvRequestHeader, RegisterTopicRequestHeader.
type TopicRequestHeader struct {
	Topic       []byte
	ClusterName []byte // since 4.9.4
}

// Decode fills h from ext.
func (h *TopicRequestHeader) Decode(ext ExtFields) {
	h.Topic = ext.text("topic")
	h.ClusterName = ext.text("clusterName")
}

// A GetTopicsByClusterRequestHeader goes with GET_TOPICS_BY_CLUSTER.
// Java: GetTopicsByClusterRequestHeader.
type GetTopicsByClusterRequestHeader struct {
	Cluster []byte
}

// Decode fills h from ext.
func (h *GetTopicsByClusterRequestHeader) Decode(ext ExtFields) { h.Cluster = ext.text("cluster") }
