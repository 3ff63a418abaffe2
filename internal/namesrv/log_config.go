package namesrv

import (
	"fmt"
	"log/slog"
	"strings"
)

// logLevels are the words of logLevel.
var logLevels = map[string]slog.Level{
	"debug": slog.LevelDebug,
	"info":  slog.LevelInfo,
	"warn":  slog.LevelWarn,
	"error": slog.LevelError,
}

// Level returns what logLevel means.
func (c *Config) Level() slog.Level { return logLevels[strings.ToLower(c.LogLevel)] }

// logFaults is the share of the log in Validate, but for words.
func (c *Config) logFaults() (faults []error) {
	if c.LogFileSize < 1 || c.LogFileSize > 1<<16 {
		faults = append(faults, fmt.Errorf("namesrv: logFileMaxMegabytes is %d, must be from 1 to %d", c.LogFileSize, 1<<16))
	}
	if c.LogFileBackups < 1 || c.LogFileBackups > 10_000 {
		faults = append(faults, fmt.Errorf("namesrv: logFileMaxBackups is %d, must be from 1 to 10000", c.LogFileBackups))
	}
	return faults
}
