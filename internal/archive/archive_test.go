package archive

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"debug/macho"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gonamesrv/internal/version"
)

// programs are what is started; scripts are not for one system.
var (
	programs = []string{"bin/namesrv", "bin/nsbench", "bin/nsctl"}
	scripts  = []string{"bin/mqnamesrv", "bin/mqshutdown"}

	// someFiles are in each archive, beside what a release may add.
	someFiles = slices.Concat(programs, scripts, []string{
		"etc/gonamesrv/namesrv.properties",
		"share/bash-completion/completions/nsbench", "share/bash-completion/completions/nsctl",
		"share/doc/gonamesrv/CHANGELOG.md", "share/doc/gonamesrv/LICENSE",
		"share/doc/gonamesrv/README.md", "share/doc/gonamesrv/THIRD-PARTY-LICENCES.txt",
		"share/doc/gonamesrv/deploy/README.md", "share/doc/gonamesrv/docs/LICENCES.md",
		"share/doc/gonamesrv/docs/OPERATING.md", "share/doc/gonamesrv/docs/images/console-overview-light.png",
		"share/fish/vendor_completions.d/nsbench.fish", "share/fish/vendor_completions.d/nsctl.fish",
		"share/gonamesrv/monitoring/board.json", "share/gonamesrv/monitoring/rules.yml",
		"share/man/man1/namesrv.1.gz", "share/man/man1/nsbench.1.gz", "share/man/man1/nsctl.1.gz",
		"share/zsh/site-functions/_nsbench", "share/zsh/site-functions/_nsctl",
	})
	linuxFiles = []string{"lib/systemd/system/gonamesrv.service", "lib/sysusers.d/gonamesrv.conf"}
)

// TestArchives reads the archives of the release in the folder GONAMESRV_DIST. All have the
// same files, but for those of Linux only; modes and owners are what one unpacks into
// /usr/local; each program is one for the system and the processor that the archive is
// named after. A program for macOS on arm64 has a signature that is right for its bytes:
// without one that system does not start it. RELEASE_TARGETS says of which targets there are
// archives, as for scripts/release.sh: all four unless set.
func TestArchives(t *testing.T) {
	dist := os.Getenv("GONAMESRV_DIST")
	if dist == "" {
		t.Skip("GONAMESRV_DIST names no folder with a release")
	}
	var common []string
	targets := strings.Fields(cmp.Or(os.Getenv("RELEASE_TARGETS"), "linux/amd64 linux/arm64 darwin/amd64 darwin/arm64"))
	for _, target := range targets {
		system, arch, _ := strings.Cut(target, "/")
		name := fmt.Sprintf("gonamesrv-%s-%s-%s", version.Release, system, arch)
		files, err := unpack(filepath.Join(dist, name+".tar.gz"), name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var names []string
		for file := range files {
			if system != "linux" || !slices.Contains(linuxFiles, file) {
				names = append(names, file)
			}
		}
		slices.Sort(names)
		for _, want := range someFiles {
			if !slices.Contains(names, want) {
				t.Errorf("%s has no %s", name, want)
			}
		}
		for _, want := range linuxFiles {
			if _, has := files[want]; has != (system == "linux") {
				t.Errorf("%s has %s: %v", name, want, has)
			}
		}
		if common == nil {
			common = names
		} else if !slices.Equal(names, common) {
			t.Errorf("%s has\n%q\nthe first one\n%q", name, names, common)
		}
		for _, program := range programs {
			if err := checkProgram(files[program], system, arch); err != nil {
				t.Errorf("%s: %s: %v", name, program, err)
			}
		}
	}
}

// unpack returns the files of an archive in which everything is below one folder.
func unpack(path, folder string) (map[string][]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	var at time.Time
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		name, ok := strings.CutPrefix(strings.TrimSuffix(h.Name, "/"), folder)
		if !ok || name != "" && name[0] != '/' {
			return nil, fmt.Errorf("%s is not below %s", h.Name, folder)
		}
		name = strings.TrimPrefix(name, "/")
		if at.IsZero() {
			at = h.ModTime
		}
		want := int64(0o644)
		if h.Typeflag == tar.TypeDir || strings.HasPrefix(name, "bin/") {
			want = 0o755
		}
		switch {
		case h.Typeflag != tar.TypeDir && h.Typeflag != tar.TypeReg:
			return nil, fmt.Errorf("%s is neither a file nor a folder", name)
		case h.Mode != want || h.Uid != 0 || h.Gid != 0 || !h.ModTime.Equal(at):
			return nil, fmt.Errorf("%s has mode %04o, owner %d:%d and time %v; want %04o, 0:0 and %v", name, h.Mode, h.Uid, h.Gid, h.ModTime, want, at)
		case h.Typeflag == tar.TypeDir:
			continue
		}
		if files[name], err = io.ReadAll(r); err != nil {
			return nil, err
		}
	}
}

// checkProgram returns why something is no program for a system, without libraries but
// those that the system itself has.
func checkProgram(program []byte, system, arch string) error {
	built, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return err
	}
	settings := map[string]string{}
	for _, s := range built.Settings {
		settings[s.Key] = s.Value
	}
	for key, want := range map[string]string{"GOOS": system, "GOARCH": arch, "CGO_ENABLED": "0", "-trimpath": "true"} {
		if settings[key] != want {
			return fmt.Errorf("%s is %q, want %q", key, settings[key], want)
		}
	}
	if system == "linux" {
		return checkELF(program, arch)
	}
	return checkMachO(program, arch)
}

func checkELF(program []byte, arch string) error {
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return err
	}
	if want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]; f.Machine != want {
		return fmt.Errorf("it is for %v", f.Machine)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			return errors.New("it is not static")
		}
	}
	return nil
}

func checkMachO(program []byte, arch string) error {
	f, err := macho.NewFile(bytes.NewReader(program))
	if err != nil {
		return err
	}
	want := map[string]macho.Cpu{"amd64": macho.CpuAmd64, "arm64": macho.CpuArm64}[arch]
	if f.Magic != macho.Magic64 || f.Type != macho.TypeExec || f.Cpu != want {
		return fmt.Errorf("it is a %v for %v", f.Type, f.Cpu)
	}
	libraries, err := f.ImportedLibraries()
	if err != nil {
		return err
	}
	for _, l := range libraries {
		if !strings.HasPrefix(l, "/usr/lib/") && !strings.HasPrefix(l, "/System/Library/") {
			return fmt.Errorf("it needs the library %s", l)
		}
	}
	const codeSignature = 0x1d // LC_CODE_SIGNATURE
	for _, l := range f.Loads {
		if raw := l.Raw(); f.ByteOrder.Uint32(raw) == codeSignature {
			return checkSignature(program, f.ByteOrder.Uint32(raw[8:]), f.ByteOrder.Uint32(raw[12:]))
		}
	}
	if arch == "arm64" {
		return errors.New("it has no signature")
	}
	return nil
}

// checkSignature returns why the signature of a program for macOS, which is behind its other
// bytes, is none that Go's linker makes: it names nobody, and has a hash of each page.
// Apple: cs_blobs.h of xnu.
func checkSignature(program []byte, at, size uint32) error {
	if int64(at)+int64(size) != int64(len(program)) || size < 20 {
		return fmt.Errorf("the signature has %d bytes at %d of %d", size, at, len(program))
	}
	u32 := binary.BigEndian.Uint32
	all := program[at:]
	const superBlob, directory, adHoc = 0xfade0cc0, 0xfade0c02, 2
	if magic, kind := u32(all), u32(all[12:]); magic != superBlob || kind != 0 {
		return fmt.Errorf("the signature begins with %#x, %#x", magic, kind)
	}
	offset := u32(all[16:])
	if int64(offset)+40 > int64(len(all)) || u32(all[offset:]) != directory {
		return errors.New("the signature has no directory of code")
	}
	d := all[offset:]
	flags, hashes, pages, limit := u32(d[12:]), u32(d[16:]), u32(d[28:]), u32(d[32:])
	hashSize, hashType, pageSize := d[36], d[37], 1<<d[39]
	if flags&adHoc == 0 || hashSize != sha256.Size || hashType != 2 || pageSize < 4096 {
		return fmt.Errorf("flags %#x, hashes of type %d with %d bytes, pages of %d", flags, hashType, hashSize, pageSize)
	}
	if limit != at || int(pages) != (int(limit)+pageSize-1)/pageSize || int64(hashes)+int64(pages)*sha256.Size > int64(len(d)) {
		return fmt.Errorf("%d pages of %d bytes are signed, want all before %d", pages, limit, at)
	}
	for i := range int(pages) {
		sum := sha256.Sum256(program[i*pageSize : min((i+1)*pageSize, int(limit))])
		if !bytes.Equal(sum[:], d[int(hashes)+i*sha256.Size:][:sha256.Size]) {
			return fmt.Errorf("page %d is not what was signed", i)
		}
	}
	return nil
}
