package namesrv

import (
	"bytes"
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"gonamesrv/codec"
)

// UPDATE_NAMESRV_CONFIG: change the configuration.
//
// Asked by  mqadmin updateNamesrvConfig
// Runs      in the default pool; one change at a time, done when it is on disk
// Java      DefaultRequestProcessor#updateConfig, Configuration#update
// Replies   SUCCESS | NO_PERMISSION for a key in the black list | SYSTEM_ERROR
// Differs   what cannot be written to disk, would not start, does not parse or
//           is no key is refused and changes nothing; the file is escaped, so
//           that it reads back the same

// maxConfig bounds the text of the configuration in bytes, because any peer
// may set it.
const maxConfig = 1 << 20

func updateNamesrvConfig(s *Server, r *request) (codec.Reply, error) {
	if len(r.cmd.Body) == 0 {
		return codec.Reply{}, nil
	}
	if len(r.cmd.Body) > maxConfig {
		return codec.Reply{}, &refusal{why: reasonConfigLimit, code: codec.RespSystemError, remark: remarkConfigTooLong(len(r.cmd.Body), maxConfig)}
	}
	// Java reads UTF-8, writes it again, and takes the bytes for ISO 8859-1.
	fields, err := parseProperties(bytes.ToValidUTF8(r.cmd.Body, []byte("\uFFFD")))
	if err != nil {
		return codec.Reply{}, &refusal{why: reasonBadBody, code: codec.RespSystemError, remark: remarkBadProperties}
	}
	r.change.Args = shownFields(fields)
	for _, f := range fields {
		if s.blackList[f.Name] || knownKeys[f.Name].update == updateNever {
			return codec.Reply{}, &refusal{why: reasonForbidden, code: codec.RespNoPermission, remark: remarkBlackList}
		}
	}
	return codec.Reply{}, s.changed(ofConfig, s.updateConfig(fields, &r.change))
}

// updateConfig sets keys that are known, or have been in the properties file, all
// of them or none, and notes them.
//
// Differs from Java, which passes over any other key and what does not parse,
// and answers SUCCESS.
func (s *Server) updateConfig(fields []codec.Field, change *adminChange) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	next := *s.config()
	var before, after []slog.Attr
	var faults configFaults
	var others []codec.Field
	taken := make(map[string]bool, len(fields))
	for _, f := range fields {
		k, known := knownKeys[f.Name]
		if !known {
			if i, found := slices.BinarySearchFunc(next.Unknown, f.Name, byFieldName); found {
				before = append(before, slog.String(clip(f.Name), shown(f.Name, next.Unknown[i].Value)))
				after = append(after, slog.String(clip(f.Name), shown(f.Name, f.Value)))
			} else {
				faults.add(func() string { return remarkUnknownKey(f.Name) })
			}
			others = append(others, f)
			continue
		}
		was := k.get(&next)
		if err := k.take(&next, f.Value); err != nil {
			faults.add(err.Error)
			continue
		}
		taken[f.Name] = true
		before = append(before, slog.String(f.Name, shown(f.Name, was)))
		after = append(after, slog.Group(f.Name, "value", shown(f.Name, k.get(&next)), "effect", k.effect()))
	}
	change.was(slog.GroupValue(before[:min(len(before), maxShownKeys)]...))
	if len(faults.texts) > 0 {
		return &refusal{why: reasonBadConfig, code: codec.RespSystemError, remark: faults.remark()}
	}
	next.Unknown = withFields(next.Unknown, others)
	for _, f := range others {
		taken[f.Name] = true
	}
	next.noteSources(SourceRequest, taken)
	next.JavaOptions = slices.DeleteFunc(slices.Clone(next.JavaOptions), func(name string) bool { return taken[name] })
	if err := cmp.Or(next.Validate(), s.engineOptions(&next).Validate()); err != nil {
		return &refusal{why: reasonBadConfig, code: codec.RespSystemError, remark: err.Error()}
	}
	text := next.fileText()
	if len(text) > maxConfig {
		return &refusal{why: reasonConfigLimit, code: codec.RespSystemError, remark: remarkConfigTooLong(len(text), maxConfig)}
	}
	if next.ConfigStorePath != "" {
		if err := s.configFile.take(); err != nil {
			return err
		}
		if err := saveFile(next.ConfigStorePath, text, func(old []byte) bool { return !isBlankFile(old) }); err != nil {
			return err
		}
	}
	changed := !slices.Equal(s.config().all(), next.all())
	s.live.Store(&next)
	change.is(slog.GroupValue(after[:min(len(after), maxShownKeys)]...), changed)
	for _, f := range s.onUpdate {
		f(next)
	}
	return nil
}

// A configFaults is what is wrong with a change. It keeps the first ones and
// counts the others, because a peer decides how many there are.
type configFaults struct {
	texts []string
	more  int
}

func (l *configFaults) add(text func() string) {
	const most = 10
	if len(l.texts) < most {
		l.texts = append(l.texts, text())
	} else {
		l.more++
	}
}

func (l *configFaults) remark() string {
	texts := l.texts
	if l.more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", l.more))
	}
	return strings.Join(texts, "\n")
}
