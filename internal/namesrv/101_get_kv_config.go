package namesrv

import "gonamesrv/codec"

// GET_KV_CONFIG: one key of a namespace.
//
// Asked by  mqadmin, clients of old releases for PROJECT_CONFIG
// Runs      in the default pool; reads what is published, takes no lock
// Java      DefaultRequestProcessor#getKVConfig
// Replies   SUCCESS + value | QUERY_NOT_FOUND | NO_PERMISSION where kvNamespaces of the
//           accessFile does not list the name space, for who may not read what operators do
// Differs   kvNamespaces, which is not there unless somebody has written it

func getKVConfig(s *Server, r *request) (codec.Reply, error) {
	var h codec.KVConfigRequestHeader
	h.Decode(r.cmd.Ext)
	if err := s.mayReadNamespace(r, h.Namespace); err != nil {
		return codec.Reply{}, err
	}
	if h.Namespace != nil && h.Key != nil {
		if value, ok := s.kv.get(string(h.Namespace), string(h.Key)); ok {
			return codec.Reply{Ext: []codec.Field{{Name: "value", Value: value}}}, nil
		}
	}
	return codec.Reply{}, &refusal{why: reasonNotFound, code: codec.RespQueryNotFound, remark: remarkNoConfigItem(h.Namespace) + " Key: " + orNull(h.Key), ext: noFields}
}
