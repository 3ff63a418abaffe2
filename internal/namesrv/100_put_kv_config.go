package namesrv

import "gonamesrv/codec"

// PUT_KV_CONFIG: set one key of a namespace.
//
// Asked by  mqadmin updateKvConfig, updateOrderConf, updateTopic with order
// Runs      in the default pool; one change at a time, done when it is on disk
// Java      DefaultRequestProcessor#putKVConfig, KVConfigManager#putKVConfig
// Replies   SUCCESS | SYSTEM_ERROR
// Differs   what cannot be written to disk, or does not fit the limit, is refused
//           and changes nothing; an unchanged KV config is not written again

func putKVConfig(s *Server, r *request) (codec.Reply, error) {
	var h codec.KVConfigRequestHeader
	h.Decode(r.cmd.Ext)
	if h.Namespace == nil || h.Key == nil {
		return codec.Reply{}, &refusal{why: reasonMissingField, code: codec.RespSystemError, remark: remarkNoKVKey}
	}
	var value *string
	if h.Value != nil {
		v := string(h.Value)
		value = &v
	}
	namespace, key := string(h.Namespace), string(h.Key)
	return codec.Reply{}, s.changeKV(r, namespace, key, func() error { return s.changed(ofKVConfig, s.kv.put(namespace, key, value)) })
}
