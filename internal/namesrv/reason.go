package namesrv

// A reason says why a request was not served. Every refusal names one of these,
// and each request that is refused counts once, at its row.
type reason uint8

const (
	reasonFailed         reason = iota // no refusal: it went wrong here, as when a disk is full
	reasonMalformed                    // the header cannot be read; the connection is closed
	reasonStray                        // an answer to what was never asked; dropped
	reasonNotSupported                 // no row serves the code
	reasonGoAway                       // the server is about to end
	reasonQueueFull                    // the queue, or the connection's share of it, is full, or does not get shorter
	reasonTooOld                       // a question has waited so long that its asker has given up
	reasonNoMemory                     // the budget has no room for the request's body or its reply's
	reasonTooManyLate                  // too many requests wait to be answered later
	reasonNotReady                     // routes are not given yet
	reasonDisabled                     // the configuration turns the request off
	reasonMissingField                 // a field is missing or malformed
	reasonBadBody                      // the body cannot be decoded, or is not what its checksum says
	reasonNotFound                     // there is no such topic, namespace or key
	reasonSingleTopic                  // a registration of one topic for a broker that is not registered
	reasonTableLimit                   // the route tables would grow beyond a limit
	reasonConfigLimit                  // the KV config or the configuration would grow beyond a limit
	reasonForbidden                    // a key that no request may change
	reasonBadConfig                    // keys or values with which the server would not start
	reasonFileInUse                    // another process writes the file
	reasonReplyTooLong                 // the reply is longer than any client reads
	reasonHorizon                      // the client's horizon has no address of a broker for it
	reasonNoRight                      // the sender's address, certificate and signature do not give the right
	reasonDenied                       // a network of the accessFile denies its sender everything
	reasonMayNotJoin                   // brokerJoin does not list the broker
	reasonNotTheBroker                 // somebody says goodbye for a broker of another address
	reasonPinned                       // somebody else has registered the broker, and it is heard
	reasonNotAudited                   // auditRequired, and the audit log cannot be written
	reasonUnknownKey                   // the right lacks, and no account has the key that the request is signed with
	reasonBadSignature                 // the right lacks, and the signature is not that of the account
	reasonLockedOut                    // the right lacks, and too many signatures of the address were wrong
	reasonKeyElsewhere                 // the account does not count from the address
	reasonKeyPlain                     // the account counts over TLS only
	reasonKeyNotFresh                  // the account counts with the second signature only, nsSign
	reasonStaleSignature               // the second signature is of another time
	reasonReplayed                     // the second signature has been used before
	reasonNamespace                    // kvNamespaces does not list the name space of a value
	reasonManySignatures               // the account has used so many second signatures that no more can be remembered
	numReasons
)

var reasonNames = [numReasons]string{
	reasonFailed:       "failed",
	reasonMalformed:    "malformed",
	reasonStray:        "strayResponse",
	reasonNotSupported: "notSupported",
	reasonGoAway:       "goAway",
	reasonQueueFull:    "queueFull",
	reasonTooOld:       "tooOld",
	reasonNoMemory:     "noMemory",
	reasonTooManyLate:  "tooManyLate",
	reasonNotReady:     "notReady",
	reasonDisabled:     "disabled",
	reasonMissingField: "missingField",
	reasonBadBody:      "badBody",
	reasonNotFound:     "notFound",
	reasonSingleTopic:  "singleTopic",
	reasonTableLimit:   "tableLimit",
	reasonConfigLimit:  "configLimit",
	reasonForbidden:    "forbidden",
	reasonBadConfig:    "badConfig",
	reasonFileInUse:    "fileInUse",
	reasonReplyTooLong: "replyTooLong",
	reasonHorizon:      "horizon",
	reasonNoRight:      "noRight",
	reasonDenied:       "denied",
	reasonMayNotJoin:   "mayNotJoin",
	reasonNotTheBroker: "notTheBroker",
	reasonPinned:       "pinned",
	reasonNotAudited:   "notAudited",
	reasonUnknownKey:   "unknownKey",
	reasonBadSignature: "badSignature",
	reasonLockedOut:    "lockedOut",
	reasonKeyElsewhere: "keyElsewhere",
	reasonKeyPlain:     "keyPlain",

	reasonKeyNotFresh:    "keyNotFresh",
	reasonStaleSignature: "staleSignature",
	reasonReplayed:       "replayed",
	reasonManySignatures: "manySignatures",
	reasonNamespace:      "namespace",
}

func (y reason) String() string { return reasonNames[y] }

// reasonOf returns why a request ended with err, which is not nil.
func reasonOf(err error) reason {
	if ref := refusalOf(err); ref != nil {
		return ref.why
	}
	return reasonFailed
}
