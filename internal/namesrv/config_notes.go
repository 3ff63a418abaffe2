package namesrv

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
)

// A Note is what an operator should know of a configuration that was read. Its
// Attrs are those of a log line.
type Note struct {
	Level slog.Level
	Msg   string
	Attrs []any
	Bad   error // a value that was passed over, because it does not parse; mostly nil
}

// maxNoted is how many keys of one kind are named; the others are counted.
const maxNoted = 20

// readKeys gathers what is to be said of the keys of one file.
type readKeys struct {
	where       string // the file
	said        []Note
	strangers   int      // unknown keys
	meaningless []string // keys of Java without meaning here
}

// unknown takes note of a key that is not in configKeys.
func (r *readKeys) unknown(name string) {
	if javaOnly[name] {
		r.meaningless = append(r.meaningless, name)
		return
	}
	if r.strangers++; r.strangers > maxNoted {
		return
	}
	attrs := []any{"file", r.where, "key", clip(name)}
	if near := nearestKey(name); near != "" {
		attrs = append(attrs, "nearest", near)
	}
	r.said = append(r.said, Note{Level: slog.LevelWarn, Msg: "unknown key in the configuration", Attrs: attrs})
}

// odd takes note of a *badValue that stops nothing, and of the value that stays.
func (r *readKeys) odd(err error, stays string) {
	var bad *badValue
	if errors.As(err, &bad) {
		r.said = append(r.said, Note{Level: slog.LevelWarn, Msg: "value in the configuration does not parse", Bad: bad, Attrs: []any{
			"file", r.where, "key", bad.key, "value", clip(bad.value), "expected", bad.want, "stays", stays,
		}})
	}
}

func (r *readKeys) notes() []Note {
	notes := r.said
	if more := r.strangers - maxNoted; more > 0 {
		notes = append(notes, Note{Level: slog.LevelWarn, Msg: "more unknown keys in the configuration", Attrs: []any{"file", r.where, "count", more}})
	}
	if len(r.meaningless) > 0 {
		notes = append(notes, Note{Level: slog.LevelInfo, Msg: "keys of Java in the configuration without meaning here", Attrs: []any{"file", r.where, "keys", someOf(r.meaningless)}})
	}
	return notes
}

// someOf returns a list for a log line.
func someOf(names []string) string {
	if more := len(names) - maxNoted; more > 0 {
		names = append(slices.Clone(names[:maxNoted]), "…")
	}
	shown := make([]string, len(names))
	for i, name := range names {
		shown[i] = clip(name)
	}
	return strings.Join(shown, ", ")
}

// javaOnly are the keys that Java takes from the file of a name server and that
// are neither shown nor changed by requests: those of the client inside it and of
// a controller. Java: NettyClientConfig, ControllerConfig.
var javaOnly = func() map[string]bool {
	only := map[string]bool{}
	for _, name := range strings.Fields(`
		clientWorkerThreads clientCallbackExecutorThreads clientOnewaySemaphoreValue clientAsyncSemaphoreValue
		connectTimeoutMillis channelNotActiveInterval scanAvailableNameSrv clientChannelMaxIdleTimeSeconds
		clientSocketSndBufSize clientSocketRcvBufSize clientPooledByteBufAllocatorEnable clientCloseSocketIfTimeout
		useTLS socksProxyConfig disableCallbackExecutor disableNettyWorkerGroup maxReconnectIntervalTimeSeconds
		enableReconnectForGoAway

		controllerType controllerDLegerGroup controllerDLegerPeers controllerDLegerSelfId controllerStorePath
		mappedFileSize controllerThreadPoolNums controllerRequestThreadPoolQueueCapacity scanInactiveMasterInterval
		electMasterMaxRetryCount enableElectUncleanMaster isProcessReadEvent notifyBrokerRoleChanged
		jRaftGroupId jRaftServerId jRaftInitConf jRaftControllerRPCAddr jRaftElectionTimeoutMs
		jRaftSnapshotIntervalSecs`) {
		only[name] = true
	}
	return only
}()
