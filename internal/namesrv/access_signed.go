package namesrv

import (
	"slices"
	"sync/atomic"

	"gonamesrv/codec"
)

// What a signature gives. It is looked at only where a request is not served without it:
// a client with a foreign key, or a wrong one, is treated as with Java, whose name servers
// look at none. One of an unknown key is as good as none, for mqadmin signs all with the
// sample key that it is shipped with.

// maxSignedOnLoop is how long a frame may be, in bytes, whose signature is verified on the
// event loop. A worker verifies those of longer ones, before the handler.
const maxSignedOnLoop = 4 << 10

// A signed is what came of a signature.
type signed uint8

const (
	signedNot       signed = iota // there is none, or none was looked at
	signedGood                    // with the secret of the account
	signedWhite                   // without one, from a whiteRemoteAddress with javaWhiteAddresses
	signedUnknown                 // with a key that no account has
	signedWrong                   // it is not that of the account
	signedLockedOut               // not looked at, for its address has sent too many wrong ones
	signedElsewhere               // the account does not count from there
	signedPlain                   // the account counts over TLS only
	signedFresh                   // with the secret of the account, code, names and time too: nsSign
	signedNotFresh                // the account counts with nsSign only
	signedStale                   // nsSign is of another time
	signedReplayed                // nsSign has been used before
	signedTooMany                 // the account has used so many that no more can be remembered
	signedUnchanged               // it was not verified: it is that of the registration verified last over the connection
	numSigned
)

var signedNames = [numSigned]string{
	signedNot: "none", signedGood: "good", signedWhite: "white", signedUnknown: "unknownKey",
	signedWrong: "wrong", signedLockedOut: "lockedOut", signedElsewhere: "elsewhere", signedPlain: "plain",
	signedFresh: "fresh", signedNotFresh: "notFresh", signedStale: "stale", signedReplayed: "replayed", signedTooMany: "tooMany",
	signedUnchanged: "unchanged",
}

// reasons are why a request was refused whose signature was of no use.
var signedReasons = [numSigned]reason{
	signedNot: reasonNoRight, signedGood: reasonNoRight, signedWhite: reasonNoRight, signedUnknown: reasonUnknownKey,
	signedWrong: reasonBadSignature, signedLockedOut: reasonLockedOut, signedElsewhere: reasonKeyElsewhere, signedPlain: reasonKeyPlain,
	signedFresh: reasonNoRight, signedNotFresh: reasonKeyNotFresh, signedStale: reasonStaleSignature, signedReplayed: reasonReplayed, signedTooMany: reasonManySignatures,
	signedUnchanged: reasonNoRight,
}

// A signedCounts counts signatures that were looked at.
type signedCounts [numSigned]atomic.Uint64

// A SignatureCount is how many signatures were looked at with one outcome.
type SignatureCount struct {
	Outcome string // one of SignatureOutcomes
	Count   uint64
}

// SignatureOutcomes returns the names of all outcomes.
func SignatureOutcomes() []string { return slices.Clone(signedNames[signedGood:]) }

func (c *signedCounts) snapshot() (all []SignatureCount) {
	for how := range c {
		if n := c[how].Load(); n > 0 {
			all = append(all, SignatureCount{signedNames[how], n})
		}
	}
	return all
}

// accessSigned is access for a request that is not served by what its sender's address
// and certificate give. size is that of the frame, 0 in a worker.
func (s *Server) accessSigned(p *accessPolicy, r *request, id *identity, size int) error {
	if id.denied || id.rights&r.row.right != 0 && r.cmd.Code == codec.ReqUnregisterBroker {
		return s.refuseAccess(p, r, id, nil, signedNot)
	}
	if size > maxSignedOnLoop {
		how, worth := s.isWorthVerifying(p, r)
		if worth {
			r.unverified = true
			return nil
		}
		return s.refuseAccess(p, r, id, nil, how)
	}
	key, how := s.signer(p, r, id)
	joins := r.row.right == rightBrokerControl && r.cmd.Code != codec.ReqUnregisterBroker // who may not join may leave
	if key != nil && (id.rights|key.rights)&r.row.right != 0 && (!joins || id.mayJoin || key.mayJoin) {
		r.key = key
		return nil
	}
	return s.refuseAccess(p, r, id, key, how)
}

// accessQueued is access in a worker, for a request that has waited for it. Other rules
// may have come into force meanwhile.
func (s *Server) accessQueued(r *request) error {
	p := s.rules.inForce.Load()
	peer := accessPeerOf(r.conn)
	id := p.identify(&peer)
	if id.rights&r.row.right == 0 || r.row.right == rightBrokerControl && !id.mayJoin {
		if err := s.accessSigned(p, r, &id, 0); err != nil {
			return err
		}
	} else if r.row.right&changing != 0 {
		s.useUp(p, r, 0)
	}
	if f, _ := r.conn.Value().(*peerFacts); f != nil && f.proven != nil && r.row.who == isBroker {
		f.proven.Store(true)
	}
	return nil
}

// isWorthVerifying reports whether a worker is to be asked for a large request, or else
// what came of its signature. No peer sends as much with a request that the event loop
// serves: of those none is verified.
func (s *Server) isWorthVerifying(p *accessPolicy, r *request) (how signed, worth bool) {
	name, _ := r.cmd.Ext.Get(fieldAccessKey)
	if len(name) == 0 || r.row.class == onLoop {
		return signedNot, false
	}
	known := p.keys[string(name)] != nil
	peer := accessPeerOf(r.conn)
	if s.rules.lockOuts.mayTry(&peer.peerPlace, known, s.clock.Now()) {
		return signedNot, true
	}
	if how = signedUnknown; known {
		how = signedLockedOut
	}
	s.rules.signed[how].Add(1)
	return how, false
}

// signer returns the account that has signed a request, nil if none has that counts for
// it, and how that was found out.
//
// A request is looked at once: its nonce is used up.
func (s *Server) signer(p *accessPolicy, r *request, id *identity) (*accessKey, signed) {
	key, how := s.verify(p, r, id)
	r.how = how
	if how != signedNot {
		s.rules.signed[how].Add(1)
	}
	return key, how
}

func (s *Server) verify(p *accessPolicy, r *request, id *identity) (*accessKey, signed) {
	name, _ := r.cmd.Ext.Get(fieldAccessKey)
	if len(name) == 0 || len(p.keys) == 0 { // as C++ without keys; or the accounts have gone while it waited
		return nil, signedNot
	}
	key := p.keys[string(name)]
	peer := accessPeerOf(r.conn)
	if key != nil && p.file.javaWhite && !key.requireFresh && key.white.contains(peer.addr) {
		return key, signedWhite
	}
	signature, _ := r.cmd.Ext.Get(fieldSignature)
	if len(signature) == 0 {
		return nil, signedNot
	}
	now := s.clock.Now()
	if !s.rules.lockOuts.mayTry(&peer.peerPlace, key != nil, now) {
		if key == nil {
			return nil, signedUnknown
		}
		return nil, signedLockedOut
	}
	how, is := signedGood, verifiedOf(p, &r.cmd) // of an unknown key too: the time is not to tell
	again := s.isVerified(r, is)
	switch {
	case key == nil:
		p.nobody.verify(&r.cmd, signature, r.row.right != rightBrokerControl)
		s.rules.lockOuts.failed(&peer.peerPlace, false, now)
		return nil, signedUnknown
	case again:
		how = signedUnchanged
	case !key.verify(&r.cmd, signature, r.row.right != rightBrokerControl):
		s.rules.lockOuts.failed(&peer.peerPlace, true, now)
		return nil, signedWrong
	}
	r.verified = is
	switch what := s.counts(p, key, r, id, &peer.peerPlace); what {
	case signedGood:
		return key, how
	case signedFresh:
		return key, what
	default:
		return nil, what // only who knows the secret is told what else is missing
	}
}

// counts returns signedGood or signedFresh if an account counts for a request that is
// signed with its secret, and else why not.
func (s *Server) counts(p *accessPolicy, key *accessKey, r *request, id *identity, peer *peerPlace) signed {
	if len(key.networks) > 0 && !slices.ContainsFunc(id.networks, func(name string) bool { return slices.Contains(key.networks, name) }) {
		return signedElsewhere
	}
	if key.requireTLS && !r.conn.IsTLS() {
		return signedPlain
	}
	return s.fresh(p, key, r, peer)
}
