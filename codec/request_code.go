package codec

import "strconv"

// A RequestCode says what a request asks for. Java: RequestCode.
type RequestCode int32

// The requests a name server answers, and the one it sends.
const (
	ReqPutKVConfig                   RequestCode = 100 // PUT_KV_CONFIG
	ReqGetKVConfig                   RequestCode = 101 // GET_KV_CONFIG
	ReqDeleteKVConfig                RequestCode = 102 // DELETE_KV_CONFIG
	ReqRegisterBroker                RequestCode = 103 // REGISTER_BROKER
	ReqUnregisterBroker              RequestCode = 104 // UNREGISTER_BROKER
	ReqGetRouteInfoByTopic           RequestCode = 105 // GET_ROUTEINFO_BY_TOPIC
	ReqGetBrokerClusterInfo          RequestCode = 106 // GET_BROKER_CLUSTER_INFO
	ReqWipeWritePermOfBroker         RequestCode = 205 // WIPE_WRITE_PERM_OF_BROKER
	ReqGetAllTopicListFromNameserver RequestCode = 206 // GET_ALL_TOPIC_LIST_FROM_NAMESERVER
	ReqDeleteTopicInNamesrv          RequestCode = 216 // DELETE_TOPIC_IN_NAMESRV
	ReqRegisterTopicInNamesrv        RequestCode = 217 // REGISTER_TOPIC_IN_NAMESRV, since 5.0.0
	ReqGetKVListByNamespace          RequestCode = 219 // GET_KVLIST_BY_NAMESPACE
	ReqGetTopicsByCluster            RequestCode = 224 // GET_TOPICS_BY_CLUSTER
	ReqGetSystemTopicListFromNS      RequestCode = 304 // GET_SYSTEM_TOPIC_LIST_FROM_NS
	ReqGetUnitTopicList              RequestCode = 311 // GET_UNIT_TOPIC_LIST
	ReqGetHasUnitSubTopicList        RequestCode = 312 // GET_HAS_UNIT_SUB_TOPIC_LIST
	ReqGetHasUnitSubUnunitTopicList  RequestCode = 313 // GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST
	ReqUpdateNamesrvConfig           RequestCode = 318 // UPDATE_NAMESRV_CONFIG
	ReqGetNamesrvConfig              RequestCode = 319 // GET_NAMESRV_CONFIG
	ReqQueryDataVersion              RequestCode = 322 // QUERY_DATA_VERSION, since 4.3.0
	ReqAddWritePermOfBroker          RequestCode = 327 // ADD_WRITE_PERM_OF_BROKER, since 4.9.2
	ReqGetBrokerMemberGroup          RequestCode = 901 // GET_BROKER_MEMBER_GROUP, since 5.0.0
	ReqBrokerHeartbeat               RequestCode = 904 // BROKER_HEARTBEAT, since 5.0.0
	ReqNotifyMinBrokerIDChange       RequestCode = 905 // NOTIFY_MIN_BROKER_ID_CHANGE, sent to brokers
)

// String returns the Java name, or the number where there is none.
func (c RequestCode) String() string {
	switch c {
	case ReqPutKVConfig:
		return "PUT_KV_CONFIG"
	case ReqGetKVConfig:
		return "GET_KV_CONFIG"
	case ReqDeleteKVConfig:
		return "DELETE_KV_CONFIG"
	case ReqRegisterBroker:
		return "REGISTER_BROKER"
	case ReqUnregisterBroker:
		return "UNREGISTER_BROKER"
	case ReqGetRouteInfoByTopic:
		return "GET_ROUTEINFO_BY_TOPIC"
	case ReqGetBrokerClusterInfo:
		return "GET_BROKER_CLUSTER_INFO"
	case ReqWipeWritePermOfBroker:
		return "WIPE_WRITE_PERM_OF_BROKER"
	case ReqGetAllTopicListFromNameserver:
		return "GET_ALL_TOPIC_LIST_FROM_NAMESERVER"
	case ReqDeleteTopicInNamesrv:
		return "DELETE_TOPIC_IN_NAMESRV"
	case ReqRegisterTopicInNamesrv:
		return "REGISTER_TOPIC_IN_NAMESRV"
	case ReqGetKVListByNamespace:
		return "GET_KVLIST_BY_NAMESPACE"
	case ReqGetTopicsByCluster:
		return "GET_TOPICS_BY_CLUSTER"
	case ReqGetSystemTopicListFromNS:
		return "GET_SYSTEM_TOPIC_LIST_FROM_NS"
	case ReqGetUnitTopicList:
		return "GET_UNIT_TOPIC_LIST"
	case ReqGetHasUnitSubTopicList:
		return "GET_HAS_UNIT_SUB_TOPIC_LIST"
	case ReqGetHasUnitSubUnunitTopicList:
		return "GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST"
	case ReqUpdateNamesrvConfig:
		return "UPDATE_NAMESRV_CONFIG"
	case ReqGetNamesrvConfig:
		return "GET_NAMESRV_CONFIG"
	case ReqQueryDataVersion:
		return "QUERY_DATA_VERSION"
	case ReqAddWritePermOfBroker:
		return "ADD_WRITE_PERM_OF_BROKER"
	case ReqGetBrokerMemberGroup:
		return "GET_BROKER_MEMBER_GROUP"
	case ReqBrokerHeartbeat:
		return "BROKER_HEARTBEAT"
	case ReqNotifyMinBrokerIDChange:
		return "NOTIFY_MIN_BROKER_ID_CHANGE"
	}
	return strconv.Itoa(int(c))
}
