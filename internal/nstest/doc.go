// Package nstest helps tests speak to a name server: a raw client for the
// remoting protocol, registrations to send, and waiting for a condition.
//
// It is for tests only and may import anything. Its counterpart in RocketMQ is
// the test code around NettyRemotingClient.
package nstest
