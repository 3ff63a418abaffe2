package namesrv

import "gonamesrv/codec"

// GET_KV_CONFIG: one key of a namespace.
//
// Asked by  mqadmin, clients of old releases for PROJECT_CONFIG
// Runs      in the default pool; reads what is published, takes no lock
// Java      DefaultRequestProcessor#getKVConfig
// Replies   SUCCESS + value | QUERY_NOT_FOUND
// Differs   nothing known

func getKVConfig(s *Server, r *request) (codec.Reply, error) {
	var h codec.KVConfigRequestHeader
	h.Decode(r.cmd.Ext)
	if h.Namespace != nil && h.Key != nil {
		if value, ok := s.kv.get(string(h.Namespace), string(h.Key)); ok {
			return codec.Reply{Ext: []codec.Field{{Name: "value", Value: value}}}, nil
		}
	}
	return codec.Reply{}, &refusal{why: reasonNotFound, code: codec.RespQueryNotFound, remark: remarkNoConfigItem(h.Namespace) + " Key: " + orNull(h.Key), ext: noFields}
}
