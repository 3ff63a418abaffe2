package namesrv

import "gonamesrv/codec"

// DELETE_KV_CONFIG: remove one key of a namespace.
//
// Asked by  mqadmin deleteKvConfig, updateOrderConf, deleteTopic
// Runs      in the default pool; one change at a time, done when it is on disk
// Java      DefaultRequestProcessor#deleteKVConfig, KVConfigManager#deleteKVConfig
// Replies   SUCCESS, also when there is no such key | SYSTEM_ERROR
// Differs   what cannot be written to disk is refused and changes nothing

func deleteKVConfig(s *Server, r *request) (codec.Reply, error) {
	var h codec.KVConfigRequestHeader
	h.Decode(r.cmd.Ext)
	if h.Namespace == nil || h.Key == nil {
		return codec.Reply{}, nil
	}
	namespace, key := string(h.Namespace), string(h.Key)
	return codec.Reply{}, s.changeKV(r, namespace, key, func() error { return s.changed(ofKVConfig, s.kv.delete(namespace, key)) })
}
