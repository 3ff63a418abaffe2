// Package route is what the name server knows: which brokers are alive, which
// topics they serve, and how clients reach them.
//
// It does not know sockets, frames, requests, clocks, goroutines or logs. The
// time is an argument (now, in milliseconds of a clock that does not jump),
// changes are reported as events, and the bytes of a request have been decoded
// before.
//
// The six tables keep their Java names:
//
//	topicQueueTable             topic             -> broker name -> queue data
//	brokerAddrTable             broker name       -> broker ID   -> address
//	clusterAddrTable            cluster           -> broker names
//	brokerLiveTable             (cluster, address)-> last sign of life
//	filterServerTable           broker name       -> broker ID   -> filter servers
//	topicQueueMappingInfoTable  topic             -> broker name -> static mapping
//
// A Table holds them. Changes are serial, under one lock that is held only
// while indexes are updated and pointers swapped: the body of a registration
// is decoded before. Each change publishes a View: an immutable picture of all
// tables that shares with its predecessor whatever did not change. Readers
// load the newest View with one atomic instruction, take no lock and wait for
// nobody.
//
//	RegisterBroker, UnregisterBrokers,
//	ConnClosed, ForgetConn, Due + Remove
//	            |  mu
//	            v
//	  Table: tables + indexes ----publish----> View  <---- readers
//	            ^                                |
//	            +---- Heartbeat (atomic) --------+
//
// Views are numbered. Whoever wants to know what happens needs nothing of the
// writer: Subscribe signals that there is a new View, Diff says what has changed
// between two, and events (Options.OnEvent) come in order, each with the number of
// the first View that shows it.
//
// Who points to whom among the types for a broker. What Views have is on the left,
// and never changes; what only changes see, under mu, is on the right. In brackets:
// what it is found by, and where.
//
//	[name: brokerAddrTable]
//	[number: brokerByID]
//	        |                set
//	        |            ------------>
//	     Broker                           brokerSet      one broker name
//	        |            <------------        |    ^
//	        |              published          |    |
//	        | members                 members |    |
//	        v                  of             v    |
//	     Member          ------------>     member  |     one of its IDs
//	                                        |  ^   |     [set and address: memberByAddr]
//	                                  lives |  |   |
//	                                        v  |   |
//	                                        link --+     a live entry keeps a member
//	                                        ^  |         [both: links; number: linkTable, which Views have]
//	                                 owners |  |
//	                                        |  v
//	    LiveInfo         ------------>    liveBroker     one cluster and address
//	        |                live             |          [connection: byConn]
//	        |            <------------        |          [time: expiry, or overdue]
//	        |                info             |
//	[cluster and address:              appliedRegistration: what it said last
//	 brokerLiveTable]
//
// A link says that a live entry keeps a member. There is one of each in the simple
// case. A member has several when its address registers the name under several
// clusters, a live entry when several names share its address. The last link takes
// with it whatever it has kept: the live entry, the member, and, with the last
// member, the broker set. A listing, one row of clusterAddrTable, counts the
// reasons for which a cluster lists a name: that it is the set's own, and each
// link whose live entry is in that cluster. TopicEntry names broker sets by their
// numbers.
//
// A change costs what changed. The indexes that see to it: the topics of each
// broker set (brokerSet.topics), the members kept by each live entry
// (liveBroker.owners), the brokers of each connection (Table.byConn) and the
// queue of those that may have expired (Table.expiry). Who can send n of anything
// makes n times the work of one, times log n at most; who sends much at once
// lets others in after each step (step.go). A registration that
// repeats the previous one is recognised by the hash of its body and decodes
// nothing (RegisterUnchanged); of one that repeats most of it only the rest is
// decoded (KnownTopics). The encoded answer to a route request is made by
// the first reader and lives with its TopicEntry; a hash index leads to it without
// the trie and the entry (View.Route).
//
// What a Table knows outlives its process: View.Save gives it as plain values,
// Restore makes a Table of these, and warm.go says how brokers confirm what was
// restored of them.
// Groups of clients may be told other addresses than brokers register (horizon.go,
// rewrite.go): what is encoded for them lives with the TopicEntry too.
//
// Strangers decide what is put in, so the tables are bounded (limits.go), and so
// is what is kept of encoded routes (body_cache.go).
//
// What outlives a process is a Saved: View.Save makes one, WriteSnapshot and
// ReadSnapshot have it as bytes (snapshot.go).
//
// What happened is in the Journal, in the order of the changes (journal.go, written in
// journal_record.go); how it was before something was lost is in the History (history.go).
//
// What holds after every change is written down in CheckInvariants; what each
// change means, in the plain words of one map per table, in reference_test.go.
//
// Strings and slices given to a Table are copied when they are kept; those
// that a View hands out never change.
//
// Read table.go first, then register.go and view.go. The counterpart in
// RocketMQ 5.3 is org.apache.rocketmq.namesrv.routeinfo.RouteInfoManager.
package route
