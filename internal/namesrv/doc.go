// Package namesrv is what each request means: it takes frames from the
// engine, asks or changes the route table, and says what is answered.
//
// It does not know event loops or buffers (engine), the layout of bytes
// (codec), or how routes change (route). This is where they meet, and the
// only place that reads a clock for them.
//
//	code  name                                 runs
//	100   PUT_KV_CONFIG                        default pool
//	101   GET_KV_CONFIG                        default pool
//	102   DELETE_KV_CONFIG                     default pool
//	103   REGISTER_BROKER                      default pool
//	104   UNREGISTER_BROKER                    default pool
//	105   GET_ROUTEINFO_BY_TOPIC               event loop, or client pool (routeReadsOnLoop=false)
//	106   GET_BROKER_CLUSTER_INFO              default pool
//	205   WIPE_WRITE_PERM_OF_BROKER            default pool
//	206   GET_ALL_TOPIC_LIST_FROM_NAMESERVER   default pool
//	216   DELETE_TOPIC_IN_NAMESRV              default pool
//	217   REGISTER_TOPIC_IN_NAMESRV            default pool
//	219   GET_KVLIST_BY_NAMESPACE              default pool
//	224   GET_TOPICS_BY_CLUSTER                default pool
//	304   GET_SYSTEM_TOPIC_LIST_FROM_NS        default pool
//	311   GET_UNIT_TOPIC_LIST                  default pool
//	312   GET_HAS_UNIT_SUB_TOPIC_LIST          default pool
//	313   GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST   default pool
//	318   UPDATE_NAMESRV_CONFIG                default pool
//	319   GET_NAMESRV_CONFIG                   default pool
//	322   QUERY_DATA_VERSION                   event loop
//	327   ADD_WRITE_PERM_OF_BROKER             default pool
//	901   GET_BROKER_MEMBER_GROUP              default pool
//	904   BROKER_HEARTBEAT                     event loop
//
// Sent, and not received, is 905 NOTIFY_MIN_BROKER_ID_CHANGE: notify.go. An
// optional second port speaks HTTP: address_server.go. In
// cluster-test mode every code is a route request: cluster_test_mode.go.
//
// The literal form of this table is in dispatch.go; each request has a file
// of its own, numbered by its code. Any other code is answered
// REQUEST_CODE_NOT_SUPPORTED.
//
// A frame is borrowed from the engine until its handler returns; whatever the
// route table keeps of it is copied there. A request on the event loop only
// reads published state and never waits. The requests of one connection that
// go to a pool run one after the other, in the order in which they came; so
// does the news that the connection has been closed, which is how a
// registration can never come after its own connection's end.
//
// Read server.go first, then dispatch.go, 105_get_routeinfo_by_topic.go and
// 103_register_broker.go. The counterpart in RocketMQ 5.3 is
// org.apache.rocketmq.namesrv: NamesrvController, its processors and
// BrokerHousekeepingService.
package namesrv
