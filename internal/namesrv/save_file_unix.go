//go:build unix

package namesrv

import (
	"io/fs"
	"os"
	"syscall"
)

// keepOwner gives f the owner and group of like. Only root may give a file
// away; for others the group is tried alone, and what is refused stays ours.
func keepOwner(f *os.File, like fs.FileInfo) {
	s, ok := like.Sys().(*syscall.Stat_t)
	if !ok || f.Chown(int(s.Uid), int(s.Gid)) == nil {
		return
	}
	_ = f.Chown(-1, int(s.Gid))
}
