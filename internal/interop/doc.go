// Package interop checks the name server against the real parties: Java
// brokers, mqadmin and Java clients of RocketMQ 5.5.0 and 4.9.7, a 4.3.0
// broker, the Go client rocketmq-client-go v2.1.2, the JavaScript client
// ali-ons 3.12.0, and a broker container and a proxy of 5.5.0.
//
// It knows nothing of the packages codec, route and engine: it builds
// ./cmd/namesrv, starts it as a process and judges by what the real parties
// print and by a remoting client of its own (remoting_test.go). So a mistake
// in our codec cannot hide itself here.
//
// The package holds tests only, behind the build tag interop. "make interop"
// runs them, which is:
//
//	go -C internal/interop test -tags interop -count=1 -v -timeout 40m -parallel 3 .
//
// The folder is a module of its own, so that the go.mod of the name server does
// not list what the Go client needs.
//
// It needs a JDK (java and javac, 11 or later) and Maven (mvn), and Node.js
// (node and npm) for the JavaScript client. What lacks its tool says so and is
// skipped, except under CI=true, where it fails. The first run downloads about
// 250 MB from Maven Central and npm; later runs find it in the cache.
//
//	                    +--------------------+
//	master (JVM) -----> |                    | <----- mqadmin (JVM)
//	slave (JVM) - tap ->|  the name server   | <----- ProduceConsume (JVM)
//	                    |  under test        | <----- rocketmq-client-go
//	                    |                    | <----- ali-ons (node)
//	                    |                    | <----- remoting_test.go
//	                    +--------------------+
//
// The tap sits between the slave and the name server. It notes what the slave
// asks and how it is answered, and it can keep the slave's connection to the
// name server open after the slave has gone, so that an unregistration can be
// told from a lost connection.
//
// TestDifferential needs no brokers: it plays them (differential_test.go). It
// tells the same requests to our server and to a Java one and compares the
// replies: written stories, those of route/testdata/stories among them
// (carried_test.go), the differences of docs/COMPAT.md, and random histories.
// release_test.go has the setups, which are configurations of both servers.
//
//	testdata/VERSION/stories/SETUP      both must answer what the file says
//	testdata/VERSION/differences/SETUP  the file says what each answers; its
//	                                    number is that of COMPAT.md
//	testdata/VERSION/open/SETUP         the same, for what nobody has decided yet
//	testdata/VERSION/carried            the stories that route plays on its table:
//	                                    our replies must say what route says, and
//	                                    a step that differs names the difference
//
// The trials (trials_test.go, survive_test.go, wallclock_linux_test.go) say what
// becomes of routes when something happens: name servers are killed, stand
// still, lose all connections or half of their brokers, their clock steps.
// Ours and Java's stand beside each other, with the same brokers, under the
// eyes of a watcher that tells lookups that fail from routes that are shrunken
// (watcher_test.go). Brokers are real ones, or paced ones (paced_test.go) where
// eight of them are needed. They print a table. They take a quarter of an hour,
// so only "make trials" runs them. Network namespaces (netns_linux_test.go) take
// root; what cannot be made is skipped with a reason.
//
// Environment:
//
//	GONAMESRV_TRIALS             1 runs the trials
//	GONAMESRV_TRIALS_CONF        further configuration of our server in them,
//	                             such as "warmStart=on,selfProtection=on"
//	GONAMESRV_TRIALS_GOALS       1: a trial fails when ours misses its goal
//	GONAMESRV_TRIALS_JAVA        versions beside ours; default 5.5.0,4.9.7
//	GONAMESRV_TRIALS_OUT         file that receives the table, in Markdown
//	GONAMESRV_INTEROP_HISTORIES  how many random histories per setup; default 100
//	GONAMESRV_INTEROP_SEED       from which they are drawn; default 1
//	GONAMESRV_INTEROP_REFERENCE  a RocketMQ version, for example 5.5.0: the
//	                             suite runs against that Java name server
//	                             instead of ours, which shows whether the
//	                             checks themselves are right
//	GONAMESRV_INTEROP_RACE       0 builds our server without -race
//	GONAMESRV_INTEROP_CACHE      directory for the resolved class paths;
//	                             default gonamesrv-interop in the user's cache
//	                             directory
//	GONAMESRV_INTEROP_KEEP       directory that receives the files of all
//	                             processes and is not removed, but for
//	                             messages on another disk
//
// Rules: every process runs in a process group of its own, writes to a file
// and is killed when its test ends. A guard (guard_test.go) kills what is left
// if the test binary itself dies. Tests run side by side: they wait for brokers
// most of the time. Each has processes, ports and a directory of its own, and
// four at a time do with 6 GB and two processors. A subtest that needs what its
// test has started runs in the place of that (sideBySide): with t.Parallel it would
// wait behind all other tests. Ports are taken below the ephemeral range, from a
// block that no other run uses (port_test.go). Waiting is done on
// conditions with a deadline, which is generous (wait_test.go): a busy machine
// must not look like a broken server. Nor must a disk that is nearly full, on which
// brokers refuse to write: disk_test.go finds them another. Why tests have failed is
// printed once more at the end of the run, in 40 lines (faults_test.go).
//
// The directory java holds class paths and programs. pom.xml builds nothing: it
// resolves the class path of one version, given as -Drocketmq.version, so that
// class paths of different versions never mix; artifact.xml does so for one
// artifact that the common class path lacks. ProduceConsume.java and its gRPC
// sister are client programs, compiled against each version's class path.
// Client.java holds clients that are told what to do, Admin.java runs many
// commands of mqadmin in one JVM; Shutdowns.java makes both quick. The directory
// node holds the JavaScript client and the versions of its packages, and so do node/grpc
// and python for the clients of ecosystem_test.go, which "make interop-ecosystem" runs: the
// Spring Boot starter, the C++ client, and gRPC clients for Python and Node. That one needs
// Python 3 with venv too, and asks PyPI.
//
// Besides the story of one server (interop_test.go) there are failover_test.go,
// where name servers are killed under the clients; acting_test.go, where a slave
// answers for its killed master; registration_test.go, where a broker registers
// its topics in parts and one by one; container_test.go and proxy_test.go;
// addressserver_test.go, where nobody is told an address; tls_test.go, where
// broker and clients speak TLS; horizon_linux_test.go, where the broker is behind
// a NAT; mqadmindiff_test.go, where mqadmin must print the same for ours and for a
// Java name server; nsctl_test.go, where nsctl must do so with three; peers_test.go,
// where ours compares itself with a Java one; and operate_test.go, where an operator
// looks at it over HTTP. Read interop_test.go first, and differential_test.go for the
// comparison.
package interop
