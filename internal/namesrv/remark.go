package namesrv

import (
	"fmt"
	"net/netip"
	"time"

	"gonamesrv/codec"
	"gonamesrv/route"
)

// Every text a peer may see, word for word as Java says it. Where Java sends
// the text of an exception, ours says the same thing in plain words.

const (
	remarkOverload       = "[OVERLOAD]system busy, start flow control for a while"
	remarkGoAway         = "please go away"
	remarkCRCMismatch    = "crc32 not match"
	remarkRegisterFailed = "register broker failed"
	// remarkUndecodableBody is followed by what is wrong with the body.
	remarkUndecodableBody = "Failed to decode RegisterBrokerBody, "
	remarkDisabled        = "disable"
	remarkNotReady        = "name server not ready"
	remarkNoKVKey         = "namespace or key is null"
	remarkBadProperties   = "string2Properties error"
	remarkBlackList       = "Can not update config in black list."
	// remarkNoCodeSet is sent with SUCCESS by GET_BROKER_MEMBER_GROUP, whose
	// handler in Java forgets to clear it.
	remarkNoCodeSet = "not set any response code"
)

// remarkNotSupported has a leading blank in Java too.
func remarkNotSupported(code int32) string {
	return fmt.Sprintf(" request type %d not supported", code)
}

// orNull shows a field that the request left out as Java does.
func orNull(field []byte) string {
	if field == nil {
		return "null"
	}
	return string(field)
}

// remarkNoConfigItem is followed by the key where one was asked for.
func remarkNoConfigItem(namespace []byte) string {
	return "No config item, Namespace: " + orNull(namespace)
}

func remarkKVConfigFull(size, limit int) string {
	return fmt.Sprintf("KV config would have %d bytes, more than %d", size, limit)
}

func remarkConfigTooLong(size, limit int) string {
	return fmt.Sprintf("configuration would have %d bytes, more than %d", size, limit)
}

// remarkUnknownKey is one of configFaults. Java has none.
func remarkUnknownKey(name string) string {
	remark := fmt.Sprintf("namesrv: %q is no key", clip(name))
	if near := nearestKey(name); near != "" {
		remark += ", the nearest is " + near
	}
	return remark
}

// remarkNotAudited says why nobody may change anything now. Java has no such remark.
const remarkNotAudited = "cannot be audited: auditRequired is true, and the audit log cannot be written"

// remarkNoPermission says what to change. It does not say whether there is such an
// account. Java has none.
func remarkNoPermission(right rights, why reason, from netip.Addr, preset string) string {
	where := "an unknown address"
	if from.IsValid() {
		where = from.String()
	}
	switch why {
	case reasonMayNotJoin:
		return fmt.Sprintf("No permission: %v from %s (%s); see brokerJoin in the accessFile of the name server", right, where, preset)
	case reasonNotTheBroker:
		return fmt.Sprintf("No permission: %v from %s (%s); the broker has registered from another address", right, where, preset)
	case reasonPinned:
		return fmt.Sprintf("No permission: %v from %s (%s); the broker is registered from another address and is heard, see brokerJoin in the accessFile of the name server", right, where, preset)
	case reasonUnknownKey, reasonBadSignature, reasonLockedOut: // one text for all, or it would tell which keys there are
		return fmt.Sprintf("No permission: %v from %s (%s); its signature gives nothing: no account of the accessFile has its key and secret, or too many were wrong", right, where, preset)
	case reasonKeyElsewhere:
		return fmt.Sprintf("No permission: %v from %s (%s); the account counts from other networks only", right, where, preset)
	case reasonKeyPlain:
		return fmt.Sprintf("No permission: %v from %s (%s); the account counts over TLS only", right, where, preset)
	case reasonKeyNotFresh:
		return fmt.Sprintf("No permission: %v from %s (%s); the account counts with the signature nsSign only, as nsctl makes it", right, where, preset)
	case reasonStaleSignature: // remarkClock follows
		return fmt.Sprintf("No permission: %v from %s (%s); the time of its nsSign", right, where, preset)
	case reasonReplayed:
		return fmt.Sprintf("No permission: %v from %s (%s); its nsSign has been used before", right, where, preset)
	case reasonNamespace:
		return fmt.Sprintf("No permission: %v from %s (%s); values of this name space take admin-read, see kvNamespaces in the accessFile of the name server", right, where, preset)
	case reasonManySignatures:
		return fmt.Sprintf("No permission: %v from %s (%s); the account has used as many nsSign as can be remembered, wait for two minutes", right, where, preset)
	}
	return fmt.Sprintf("No permission: %v from %s (%s); see accessFile / accessPreset of the name server", right, where, preset)
}

// remarkClock says which times of second signatures are taken, both in wall milliseconds.
func remarkClock(now, since int64) string {
	return fmt.Sprintf(" must be within %d s of %s, and not before %s", freshMillis/1000, shownMillis(now), shownMillis(since))
}

func shownMillis(wall int64) string {
	return time.UnixMilli(wall).UTC().Format("2006-01-02T15:04:05.000Z")
}

func remarkFileInUse(file string) string {
	return fmt.Sprintf("another process writes %s, nothing is changed here", file)
}

var remarksBeyond = map[route.Limit]string{
	route.LimitTopicLength:   "topic name has %d bytes, more than %d",
	route.LimitNameLength:    "name has %d bytes, more than %d",
	route.LimitAddrLength:    "address has %d bytes, more than %d",
	route.LimitFilterServers: "broker would have %d filter servers, more than %d",
	route.LimitConnBrokers:   "connection would have %d brokers, more than %d",
	route.LimitAddrClusters:  "address would be in %d clusters, more than %d",
	route.LimitNameIDs:       "broker name would have %d IDs, more than %d",
	route.LimitTopics:        "there would be %d topics, more than maxTopics, %d",
	route.LimitBrokers:       "there would be %d brokers, more than maxBrokers, %d",
	route.LimitEntries:       "there would be %d route entries, more than maxRouteEntries, %d",
}

func remarkBeyond(e *route.LimitError) string {
	return fmt.Sprintf(remarksBeyond[e.Limit], e.Size, e.Most)
}

// remarkReplyTooLong names what to ask instead, where there is something.
func remarkReplyTooLong(code codec.RequestCode, size, limit int) string {
	text := fmt.Sprintf("reply of %d bytes exceeds %d, the longest frame that clients read", size, limit)
	switch code {
	case codec.ReqGetAllTopicListFromNameserver:
		return text + "; GET_TOPICS_BY_CLUSTER (224) lists the topics of one cluster"
	case codec.ReqGetBrokerClusterInfo:
		return text + "; GET_BROKER_MEMBER_GROUP (901) shows the brokers of one name"
	}
	return text
}

func remarkKVNameTooLong(size, limit int) string {
	return fmt.Sprintf("namespace or key has %d bytes, more than %d", size, limit)
}

func remarkOrderTopicsFull(size, limit int) string {
	return fmt.Sprintf("namespace %s would have %d bytes, more than %d", orderTopicConfig, size, limit)
}

// remarkNoRoute holds one real newline. A topic that the request left out is
// shown as null.
func remarkNoRoute(topic []byte) string {
	return "No topic route info in name server for the topic: " + orNull(topic) +
		"\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."
}
