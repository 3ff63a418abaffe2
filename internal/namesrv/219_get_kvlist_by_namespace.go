package namesrv

import "gonamesrv/codec"

// GET_KVLIST_BY_NAMESPACE: all keys of a namespace.
//
// Asked by  mqadmin, the console
// Runs      in the default pool; reads what is published, takes no lock
// Java      DefaultRequestProcessor#getKVListByNamespace
// Replies   SUCCESS + KVTable, also when it is empty | QUERY_NOT_FOUND
//           | SYSTEM_BUSY when there is no memory to encode it
// Differs   ascending order (Java: hash order)

func getKVListByNamespace(s *Server, r *request) (codec.Reply, error) {
	var h codec.KVConfigRequestHeader
	h.Decode(r.cmd.Ext)
	if h.Namespace != nil {
		if entries, ok := s.kv.list(string(h.Namespace)); ok {
			size := 0
			for _, f := range entries {
				size += len(f.Name) + len(f.Value)
			}
			if size > smallReply && !r.memory.grow(2*size) { // it grows by doubling
				return codec.Reply{}, errNoMemory
			}
			return codec.Reply{Body: (&codec.KVTable{Entries: entries}).AppendJSON(nil)}, nil
		}
	}
	return codec.Reply{}, &refusal{why: reasonNotFound, code: codec.RespQueryNotFound, remark: remarkNoConfigItem(h.Namespace)}
}
