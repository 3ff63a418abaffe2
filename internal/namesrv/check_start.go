package namesrv

import (
	"errors"
	"log/slog"
	"time"
)

// CheckStart reads the files that a start with this configuration reads before it serves,
// and returns what stops it: all faults, not only the first. log is told what the server
// would say of these files. It writes nothing, takes no lock and no port, so whether ports are
// free and files can be written shows only at the start. What CheckAccess checks is not
// checked here.
func CheckStart(cfg Config, log *slog.Logger) error {
	var faults []error
	if cfg.KVConfigPath != "" {
		kv := &kvConfig{log: log, file: fileLock{path: cfg.KVConfigPath, log: log}}
		kv.now.Store(&kvState{})
		if err := kv.read(); err != nil {
			faults = append(faults, err)
		}
	}
	if _, err := newTLSContexts(cfg.TLS, cfg.AdminTLSEnable && cfg.AdminServerPort != 0, log); err != nil {
		faults = append(faults, err)
	}
	if _, err := newHorizonKeeper(cfg.HorizonFile, log, func() time.Time { return time.Time{} }); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}
