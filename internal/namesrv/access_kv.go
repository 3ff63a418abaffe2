package namesrv

// Who may read which name spaces of the KV config. Java asks nobody, and clients of old
// releases read some; what operators keep in others need not be for everybody.

// mayReadNamespace returns why the sender of r may not have a value of a name space, nil if
// it may: kvNamespaces lists it, or is not there; or the sender may read what operators do,
// by a key too. Whether there is such a value, or name space, makes no difference.
func (s *Server) mayReadNamespace(r *request, namespace []byte) error {
	p := s.rules.inForce.Load()
	if p.file.kvNamespaces == nil || p.file.kvNamespaces[string(namespace)] {
		return nil
	}
	peer := accessPeerOf(r.conn)
	id := p.identify(&peer)
	if id.rights&rightAdminRead != 0 || s.isSignedFor(p, r, &id, rightAdminRead) {
		return nil
	}
	return s.refuseOf(p, r, &id, &refusal{why: reasonNamespace}, p.monitor)
}

// isSignedFor reports whether a request is signed by an account that has a right which its
// code alone does not take. In a worker.
func (s *Server) isSignedFor(p *accessPolicy, r *request, id *identity, right rights) bool {
	if r.key == nil && r.how == signedNot && !id.denied && len(p.keys) > 0 {
		r.key, _ = s.signer(p, r, id)
	}
	return r.key != nil && r.key.rights&right != 0
}
