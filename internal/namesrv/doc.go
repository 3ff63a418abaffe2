// Package namesrv is what each request means: it takes frames from the
// engine, asks or changes the route table, and says what is answered.
//
// It does not know event loops or buffers (engine), the layout of bytes
// (codec), or how routes change (route). This is where they meet, and the
// only place that reads a clock for them.
//
//	code  name                                 runs
//	100   PUT_KV_CONFIG                        default pool, disk
//	101   GET_KV_CONFIG                        default pool, admin
//	102   DELETE_KV_CONFIG                     default pool, disk
//	103   REGISTER_BROKER                      default pool, change
//	104   UNREGISTER_BROKER                    default pool, change
//	105   GET_ROUTEINFO_BY_TOPIC               event loop, or client pool (routeReadsOnLoop=false)
//	106   GET_BROKER_CLUSTER_INFO              default pool, admin
//	205   WIPE_WRITE_PERM_OF_BROKER            default pool, admin
//	206   GET_ALL_TOPIC_LIST_FROM_NAMESERVER   default pool, admin
//	216   DELETE_TOPIC_IN_NAMESRV              default pool, admin
//	217   REGISTER_TOPIC_IN_NAMESRV            default pool, change
//	219   GET_KVLIST_BY_NAMESPACE              default pool, admin
//	224   GET_TOPICS_BY_CLUSTER                default pool, admin
//	304   GET_SYSTEM_TOPIC_LIST_FROM_NS        default pool, admin
//	311   GET_UNIT_TOPIC_LIST                  default pool, admin
//	312   GET_HAS_UNIT_SUB_TOPIC_LIST          default pool, admin
//	313   GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST   default pool, admin
//	318   UPDATE_NAMESRV_CONFIG                default pool, disk
//	319   GET_NAMESRV_CONFIG                   default pool, admin
//	322   QUERY_DATA_VERSION                   event loop
//	327   ADD_WRITE_PERM_OF_BROKER             default pool, admin
//	901   GET_BROKER_MEMBER_GROUP              default pool, liveness
//	904   BROKER_HEARTBEAT                     event loop
//
// In the default pool liveness comes before change, change before admin and
// admin before disk: pools.go.
//
// Sent, and not received, is 905 NOTIFY_MIN_BROKER_ID_CHANGE: notify.go. An
// optional second port speaks HTTP: address_server.go. In
// cluster-test mode every code is a route request: cluster_test_mode.go.
//
// Where a request is served is its class. Who may send it is its right: each code needs
// one, and access.go looks on the event loop, before anything else, whether the peer has
// it. Java asks nobody.
//
//	route-read      101 105 106 901
//	broker-control  103 104 217 322 904
//	admin-read      206 219 224 304 311 312 313 319
//	admin-write     100 102 205 216 327
//	config          318
//
// The literal form of this table is in row.go, and a test compares the two. A row
// holds all that belongs to a code: where it is served, its handler, its counters.
// Each request has a file of its own, numbered by its code. Any other code is
// answered REQUEST_CODE_NOT_SUPPORTED. Whatever is refused is refused for a reason
// of reason.go, and counted by it. A handler may answer after it has returned:
// later.go.
//
// A frame is borrowed from the engine until its handler returns; whatever the
// route table keeps of it is copied there. A request on the event loop only
// reads published state and never waits. The requests of one connection that
// go to a pool run one after the other, in the order in which they came; so
// does the news that the connection has been closed, which is how a
// registration can never come after its own connection's end.
//
// Read server.go first, then components.go, dispatch.go, row.go, 105_get_routeinfo_by_topic.go and
// 103_register_broker.go. The counterpart in RocketMQ 5.3 is
// org.apache.rocketmq.namesrv: NamesrvController, its processors and
// BrokerHousekeepingService.
package namesrv
