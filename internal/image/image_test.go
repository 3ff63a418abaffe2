package main

import (
	"archive/tar"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// input makes a release of programs that only look like programs.
func input(t *testing.T) release {
	t.Helper()
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, arch := range architectures {
		for _, p := range []string{"namesrv", "nsctl", "nsbench"} {
			put("linux-"+arch+"/"+p, p+" for "+arch)
		}
		for _, f := range []string{"busybox", "copyright", "SOURCE"} {
			put("busybox-"+arch+"/"+f, f+" for "+arch)
		}
	}
	put("licences/LICENSE", "Apache")
	return release{version: "1.2.3-dev", revision: "abc", created: time.Unix(1.6e9, 0).UTC(), in: dir, scripts: "../../deploy/bin"}
}

// sums returns what is in a folder: the sum of each file by its name.
func sums(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		all[strings.TrimPrefix(name, dir)] = fmt.Sprintf("%x", sha256.Sum256(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestSameTwice: the same programs make the same files, whenever their own files were
// written; others make others.
func TestSameTwice(t *testing.T) {
	r := input(t)
	write := func() map[string]string {
		t.Helper()
		out := t.TempDir()
		if err := r.write(out); err != nil {
			t.Fatal(err)
		}
		return sums(t, out)
	}
	first := write()
	program := filepath.Join(r.in, "linux-amd64", "namesrv")
	if err := os.Chtimes(program, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if second := write(); !maps.Equal(first, second) {
		t.Errorf("first %v\nthen %v", first, second)
	}
	if err := os.WriteFile(program, []byte("another one"), 0o600); err != nil {
		t.Fatal(err)
	}
	third := write()
	for _, suffix := range []string{"", "-scratch"} {
		name := "/gonamesrv-1.2.3-dev" + suffix + "-linux-"
		if first[name+"amd64.docker.tar"] == third[name+"amd64.docker.tar"] {
			t.Errorf("%s: another program makes the same image", name)
		}
		if first[name+"arm64.docker.tar"] != third[name+"arm64.docker.tar"] || first[name+"arm64.docker.tar"] == "" {
			t.Errorf("%s: a program for amd64 is in the image for arm64", name)
		}
	}
}

// TestLayout: the layout has each variant by its tag, for each architecture, as the
// docker.tar of it has it.
func TestLayout(t *testing.T) {
	r := input(t)
	out := t.TempDir()
	if err := r.write(out); err != nil {
		t.Fatal(err)
	}
	all, err := layout.ImageIndexFromPath(filepath.Join(out, "oci"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := all.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, variant := range list.Manifests {
		tag := variant.Annotations["org.opencontainers.image.ref.name"]
		index, err := all.ImageIndex(variant.Digest)
		if err != nil {
			t.Fatal(err)
		}
		below, err := index.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range below.Manifests {
			image, err := index.Image(m.Digest)
			if err != nil {
				t.Fatal(err)
			}
			packed, err := tarball.ImageFromPath(filepath.Join(out, "gonamesrv-"+tag+"-linux-"+m.Platform.Architecture+".docker.tar"), nil)
			if err != nil {
				t.Fatal(err)
			}
			a, errA := image.ConfigName()
			b, errB := packed.ConfigName()
			if a != b || errA != nil || errB != nil {
				t.Errorf("%s for %s: %v and %v, %v, %v", tag, m.Platform.Architecture, a, b, errA, errB)
			}
			got = append(got, tag+" "+m.Platform.OS+" "+m.Platform.Architecture)
		}
	}
	want := []string{"1.2.3-dev linux amd64", "1.2.3-dev linux arm64", "1.2.3-dev-scratch linux amd64", "1.2.3-dev-scratch linux arm64"}
	if !slices.Equal(got, want) {
		t.Errorf("the layout has %q, want %q", got, want)
	}
}

// TestEntries: each folder is there before what is in it, nobody but their owner may write
// to programs, nothing is there twice, and no other program came along.
func TestEntries(t *testing.T) {
	r := input(t)
	for _, v := range variants {
		image, err := r.image(v, "arm64")
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]*tar.Header{}
		walk(t, image, func(h *tar.Header, _ io.Reader) {
			name := strings.TrimSuffix(h.Name, "/")
			if seen[name] != nil {
				t.Errorf("%q: %s is there twice", v.suffix, name)
			}
			seen[name] = h
			if dir := path.Dir(name); dir != "." && (seen[dir] == nil || seen[dir].Typeflag != tar.TypeDir) {
				t.Errorf("%q: %s comes before its folder", v.suffix, name)
			}
			if h.Typeflag == tar.TypeReg && (h.Uid != 0 || h.Gid != 0 || h.Mode&0o022 != 0) {
				t.Errorf("%q: %s has mode %o and owner %d", v.suffix, name, h.Mode, h.Uid)
			}
			if !h.ModTime.Equal(r.created) {
				t.Errorf("%q: %s is of %v", v.suffix, name, h.ModTime)
			}
		})
		for _, dir := range []string{"config", "logs", "namesrv"} {
			if h := seen[home+"/"+dir]; h == nil || h.Uid != rocketmq || h.Gid != rocketmq {
				t.Errorf("%q: %s is %+v", v.suffix, dir, h)
			}
		}
		for name := range seen {
			if path.Base(name) == "nsbench" {
				t.Errorf("%q has %s", v.suffix, name)
			}
		}
	}
}

// walk goes through all layers of an image, the lowest first.
func walk(t *testing.T, image v1.Image, visit func(*tar.Header, io.Reader)) {
	t.Helper()
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		blob, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		for r := tar.NewReader(blob); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			visit(h, r)
		}
		blob.Close()
	}
}

// unpack makes of an image what a container would see, with owners if root unpacks.
func unpack(t *testing.T, image v1.Image, dir string) {
	t.Helper()
	flat := mutate.Extract(image)
	defer flat.Close()
	for r := tar.NewReader(flat); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, filepath.FromSlash(h.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(name, 0o755)
		case tar.TypeSymlink:
			err = os.Symlink(h.Linkname, name)
		default:
			var data []byte
			if data, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(name, data, 0o600)
			}
		}
		if err == nil {
			err = os.Lchown(name, h.Uid, h.Gid)
		}
		if err == nil && h.Typeflag != tar.TypeSymlink {
			mode := os.FileMode(h.Mode).Perm()
			if h.Mode&0o1000 != 0 {
				mode |= os.ModeSticky
			}
			err = os.Chmod(name, mode)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
