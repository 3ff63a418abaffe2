package engine

import (
	"context"
	"fmt"
	"log/slog"
)

// A gnetLogger lets gnet speak through slog. gnet keeps the logger it was
// given last as its process-wide default; with several engines in a process
// its messages may come out of another engine's logger.
type gnetLogger struct {
	log                     *slog.Logger
	warnings, errors, fatal sparingLog // peers may have a part in them; gnet debugs only starts and ends
}

func (g *gnetLogger) write(level slog.Level, format string, args []any) {
	if !g.log.Enabled(context.Background(), level) {
		return
	}
	text := clipped(fmt.Sprintf(format, args...))
	switch level {
	case slog.LevelWarn:
		g.warnings.write(g.log, level, "gnet", "text", text)
	case slog.LevelError:
		g.errors.write(g.log, level, "gnet", "text", text)
	default:
		g.log.Log(context.Background(), level, "gnet", "text", text)
	}
}

func (g *gnetLogger) Debugf(format string, args ...any) { g.write(slog.LevelDebug, format, args) }

// Infof writes at level Debug: "starting gnet client" is no news to an operator.
func (g *gnetLogger) Infof(format string, args ...any)  { g.write(slog.LevelDebug, format, args) }
func (g *gnetLogger) Warnf(format string, args ...any)  { g.write(slog.LevelWarn, format, args) }
func (g *gnetLogger) Errorf(format string, args ...any) { g.write(slog.LevelError, format, args) }

// Fatalf does not exit: whether the process dies is not gnet's decision.
func (g *gnetLogger) Fatalf(format string, args ...any) {
	g.fatal.write(g.log, slog.LevelError, "gnet", "text", clipped(fmt.Sprintf(format, args...)))
}
