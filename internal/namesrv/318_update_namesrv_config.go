package namesrv

import (
	"bytes"
	"cmp"
	"log/slog"
	"slices"

	"gonamesrv/codec"
)

// UPDATE_NAMESRV_CONFIG: change the configuration.
//
// Asked by  mqadmin updateNamesrvConfig
// Runs      in the default pool; one change at a time, done when it is on disk
// Java      DefaultRequestProcessor#updateConfig, Configuration#update
// Replies   SUCCESS | NO_PERMISSION for a key in the black list | SYSTEM_ERROR
// Differs   what cannot be written to disk, or would not start, is refused and
//           changes nothing; the file is escaped, so that it reads back the same

// maxConfig bounds the text of the configuration in bytes, because any peer
// may set it.
const maxConfig = 1 << 20

func updateNamesrvConfig(s *Server, r *request) (codec.Reply, error) {
	if len(r.cmd.Body) == 0 {
		return codec.Reply{}, nil
	}
	if len(r.cmd.Body) > maxConfig {
		return codec.Reply{}, &refusal{code: codec.RespSystemError, remark: remarkConfigTooLong(len(r.cmd.Body), maxConfig)}
	}
	// Java reads UTF-8, writes it again, and takes the bytes for ISO 8859-1.
	fields, err := parseProperties(bytes.ToValidUTF8(r.cmd.Body, []byte("\uFFFD")))
	if err != nil {
		return codec.Reply{}, &refusal{code: codec.RespSystemError, remark: remarkBadProperties}
	}
	for _, f := range fields {
		if s.blackList[f.Name] || knownKeys[f.Name].update == updateNever {
			return codec.Reply{}, &refusal{code: codec.RespNoPermission, remark: remarkBlackList}
		}
	}
	return codec.Reply{}, s.changed(s.updateConfig(fields))
}

// updateConfig sets the keys that are known, or have been in the properties
// file. Any other, and a value that does not parse, is passed over.
func (s *Server) updateConfig(fields []codec.Field) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	next := *s.config()
	var set []any
	for _, f := range fields {
		k, known := knownKeys[f.Name]
		if !known {
			if _, found := slices.BinarySearchFunc(next.Unknown, f.Name, byFieldName); found {
				next.Unknown = withField(next.Unknown, f.Name, f.Value)
			}
			continue
		}
		if err := k.set(&next, f.Value); err != nil {
			s.log.Warn("configuration ignored", "key", f.Name, "value", shortened(f.Value), "err", err)
			continue
		}
		effect := "at once"
		switch {
		case k.unused:
			effect = "none"
		case k.update == updateRestart:
			effect = "after restart"
		}
		set = append(set, slog.Group(f.Name, "value", shortened(k.get(&next)), "effect", effect))
	}
	if err := cmp.Or(next.Validate(), s.engineOptions(&next).Validate()); err != nil {
		return &refusal{code: codec.RespSystemError, remark: err.Error()}
	}
	text := next.fileText()
	if len(text) > maxConfig {
		return &refusal{code: codec.RespSystemError, remark: remarkConfigTooLong(len(text), maxConfig)}
	}
	if next.ConfigStorePath != "" {
		if err := s.configFile.take(); err != nil {
			return err
		}
		if err := saveFile(next.ConfigStorePath, text, func(old []byte) bool { return !isBlankFile(old) }); err != nil {
			return err
		}
	}
	s.live.Store(&next)
	s.log.Info("configuration updated", set...)
	return nil
}
