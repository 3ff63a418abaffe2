package namesrv

import "gonamesrv/codec"

// GET_NAMESRV_CONFIG: the configuration as it is now.
//
// Asked by  mqadmin getNamesrvConfig
// Runs      in the default pool; reads what is published, takes no lock
// Java      DefaultRequestProcessor#getConfig, Configuration#getAllConfigsFormatString
// Replies   SUCCESS + key=value lines in ascending order
// Differs   our own keys, and version, which nobody can set, are there too

func getNamesrvConfig(s *Server, _ *request) (codec.Reply, error) {
	return codec.Reply{Body: s.config().text()}, nil
}
