package admin

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
)

const (
	tokenFileBytes = 64 << 10 // of the whole file: hundreds of lines
	leastToken     = 16       // characters
)

// A tokens is a file of who may ask what: lines of role, name and token. It keeps
// hashes only. Safe from any goroutine but for read.
type tokens struct {
	path string // "": there are none
	now  atomic.Pointer[[]owner]
	seen [sha256.Size]byte // of the file, by read only
}

// An owner of a token.
type owner struct {
	role  role
	name  string
	token [sha256.Size]byte
}

// find returns whose token it is. How long that takes says nothing of the tokens.
func (t *tokens) find(token string) (found owner, ok bool) {
	return t.findSum(sha256.Sum256([]byte(token)))
}

// findSum is find by the hash of a token.
func (t *tokens) findSum(sum [sha256.Size]byte) (found owner, ok bool) {
	all := t.now.Load()
	if all == nil {
		return owner{}, false
	}
	for _, o := range *all {
		if subtle.ConstantTimeCompare(sum[:], o.token[:]) == 1 {
			found, ok = o, true
		}
	}
	return found, ok
}

// read takes what is in the file, and reports whether that is news. What is wrong
// with it leaves everything as it was.
func (t *tokens) read() (changed bool, err error) {
	text, err := readPrivate(t.path)
	if err != nil {
		return false, fmt.Errorf("adminTokenFile: %w", err)
	}
	sum := sha256.Sum256(text)
	if t.now.Load() != nil && sum == t.seen {
		return false, nil
	}
	all, err := parseTokens(text)
	if err != nil {
		return false, fmt.Errorf("adminTokenFile: %s: %w", t.path, err)
	}
	t.seen = sum
	t.now.Store(&all)
	return true, nil
}

// readPrivate reads a file that nobody but its owner may read.
func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode(); mode.Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%s has mode %04o, others than its owner must not get at it: chmod 600", path, mode.Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, tokenFileBytes+1))
	if len(text) > tokenFileBytes {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, tokenFileBytes)
	}
	return text, err
}

// parseTokens reads lines. Its errors repeat nothing of a line: any word may be a
// token.
func parseTokens(text []byte) (all []owner, err error) {
	all = []owner{} // so a file without a line is one that was read
	lines := map[[sha256.Size]byte]int{}
	for n, line := range strings.Split(string(bytes.TrimPrefix(text, []byte("\ufeff"))), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		fault := func(text string, args ...any) error {
			return fmt.Errorf("line %d: %w", n+1, fmt.Errorf(text, args...))
		}
		if len(words) != 3 {
			return nil, fault("it has %d words, must have a role, a name and a token", len(words))
		}
		o := owner{role: roleOf(words[0]), name: words[1], token: sha256.Sum256([]byte(words[2]))}
		if o.role == roleNone {
			return nil, fault("its first word is no role: probes, metrics, read or debug")
		}
		if len(words[2]) < leastToken {
			return nil, fault("its token has %d characters, must have at least %d", len(words[2]), leastToken)
		}
		if first := lines[o.token]; first != 0 {
			return nil, fault("it has the token of line %d", first)
		}
		lines[o.token] = n + 1
		all = append(all, o)
	}
	return all, nil
}

// reload reads the file again and says in the log what came of it, once for each
// thing that is wrong.
func (t *tokens) reload(log *slog.Logger, said *string) {
	changed, err := t.read()
	switch {
	case err != nil && err.Error() != *said:
		log.Error("the file of tokens cannot be used, the tokens stay as they were", "file", t.path, "err", err)
	case changed:
		log.Info("tokens are in force", "file", t.path, "tokens", len(*t.now.Load()))
	}
	if *said = ""; err != nil {
		*said = err.Error()
	}
}
