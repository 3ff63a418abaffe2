package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// A layer is a set of files, folders and links.
type layer struct {
	what    string // for people who look at the history of an image
	entries []entry
}

// An entry is what has a name in a layer. A folder that stands above it has to be an entry
// too, of this layer or one below.
type entry struct {
	name  string // without a slash in front; that of a folder ends with one
	mode  int64
	owner int    // user and group
	link  string // what a symbolic link points to
	data  []byte // of a file
}

func folder(name string, mode int64, owner int) entry {
	return entry{name: name + "/", mode: mode, owner: owner}
}

func file(name string, mode int64, data []byte) entry {
	return entry{name: name, mode: mode, data: data}
}

func link(name, to string) entry { return entry{name: name, mode: 0o777, link: to} }

// files returns the files of a folder, as entries of another one.
func files(from, to string, mode int64) ([]entry, error) {
	list, err := os.ReadDir(from)
	if err != nil {
		return nil, err
	}
	var entries []entry
	for _, f := range list {
		data, err := os.ReadFile(filepath.Join(from, f.Name()))
		if err != nil {
			return nil, err
		}
		entries = append(entries, file(path.Join(to, f.Name()), mode, data))
	}
	return entries, nil
}

// blob packs a layer. All that is in it bears the same time.
func (l layer) blob(created time.Time) (v1.Layer, error) {
	entries := slices.Clone(l.entries)
	slices.SortStableFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed) // here and once: the library would do it each time that it reads a layer
	w := tar.NewWriter(z)
	for _, e := range entries {
		h := &tar.Header{
			Typeflag: tar.TypeReg, Name: e.name, Mode: e.mode, Uid: e.owner, Gid: e.owner,
			Size: int64(len(e.data)), ModTime: created, Linkname: e.link,
		}
		switch {
		case strings.HasSuffix(e.name, "/"):
			h.Typeflag = tar.TypeDir
		case e.link != "":
			h.Typeflag = tar.TypeSymlink
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.data); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(packed.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
}
