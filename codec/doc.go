// Package codec says what the bytes of RocketMQ's remoting protocol mean, as
// far as a name server speaks it: frames, both forms of the command header,
// and every header and body of its requests and replies.
//
// It knows nothing of sockets, of brokers that live or die, of clocks or of
// logs: it turns bytes into values and values into bytes, and returns errors.
//
// One frame is one Command:
//
//	+----------------+----------------------+--------------+------------+
//	| length   int32 | header word    int32 | header bytes | body bytes |
//	+----------------+----------------------+--------------+------------+
//	 length      = 4 + header + body; it does not count itself
//	 header word = serialize type << 24 | header length
//
// All integers are big endian. The header is a flat JSON object or RocketMQ's
// binary form; which of the two, says the serialize type. What a request asks
// with stands in its ext fields, all strings; lists and tables stand in the
// body, as JSON.
//
// That JSON is fastjson's. It reads much that is not JSON (jsonReader) and
// writes two dialects, one of which is not JSON either (Dialect). Where this
// package and encoding/json disagree, Java decides.
//
// Values are not safe for use by several goroutines at once; functions are.
// Bytes are borrowed on the way in: what Decode returns are windows into the
// frame or body it was given, unless its comment says that they are owned. On
// the way out everything is appended to a slice the caller brings.
//
// A number from the network is a claim: every length and count is compared
// with what is left before anything is cut or allocated, nesting ends at a
// fixed depth, inflating at a fixed size.
//
// Start reading with command.go, then header_json.go and register_body.go.
//
// The counterpart in Java is the package org.apache.rocketmq.remoting.protocol
// of RocketMQ 5.3.3 with fastjson 1.2.83; "Java:" in a comment names the class
// and method there that a rule was taken from.
package codec
