// Command image makes the container images of a release from programs that are built
// already. It needs no container engine and no registry, and makes the same bytes from the
// same programs.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// architectures are those that there are images for.
var architectures = []string{"amd64", "arm64"}

// A release is what images are made of.
type release struct {
	version  string
	revision string
	created  time.Time
	in       string // with linux-ARCH/, busybox-ARCH/ and licences/
	scripts  string // the folder of mqnamesrv and mqshutdown
}

func main() {
	var r release
	flag.StringVar(&r.version, "version", "", "the `version`, which is the tag too")
	flag.StringVar(&r.revision, "revision", "", "the `commit`")
	created := flag.Int64("created", 0, "when the images and all files in them were made, in `seconds` since 1970")
	flag.StringVar(&r.in, "in", "", "the `folder` with linux-ARCH/, busybox-ARCH/ and licences/")
	flag.StringVar(&r.scripts, "scripts", "", "the `folder` of mqnamesrv and mqshutdown")
	out := flag.String("out", "", "the `folder` to write into: a docker.tar for each image, and oci/, the layout of all")
	flag.Parse()
	r.created = time.Unix(*created, 0).UTC()
	if err := r.write(*out); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// A variant is an image for several architectures.
type variant struct {
	suffix string // of the tag
	build  func(r release, arch string) ([]layer, v1.Config, error)
}

var variants = []variant{
	{"", release.compatible},
	{"-scratch", release.scratch},
}

// write makes all images. The layout names each variant by its tag.
func (r release) write(out string) error {
	all := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, v := range variants {
		tag := r.version + v.suffix
		ref, err := name.NewTag("gonamesrv:" + tag)
		if err != nil {
			return err
		}
		index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
		for _, arch := range architectures {
			image, err := r.image(v, arch)
			if err != nil {
				return fmt.Errorf("%s for %s: %w", tag, arch, err)
			}
			if err := tarball.WriteToFile(filepath.Join(out, fmt.Sprintf("gonamesrv-%s-linux-%s.docker.tar", tag, arch)), ref, image); err != nil {
				return err
			}
			index = mutate.AppendManifests(index, mutate.IndexAddendum{
				Add:        image,
				Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
			})
		}
		all = mutate.AppendManifests(all, mutate.IndexAddendum{
			Add:        index,
			Descriptor: v1.Descriptor{Annotations: map[string]string{"org.opencontainers.image.ref.name": tag}},
		})
	}
	_, err := layout.Write(filepath.Join(out, "oci"), all)
	return err
}

// image makes one image.
func (r release) image(v variant, arch string) (v1.Image, error) {
	layers, config, err := v.build(r, arch)
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	created := v1.Time{Time: r.created}
	for _, l := range layers {
		blob, err := l.blob(r.created)
		if err != nil {
			return nil, err
		}
		image, err = mutate.Append(image, mutate.Addendum{
			Layer:   blob,
			History: v1.History{Created: created, CreatedBy: "gonamesrv", Comment: l.what},
		})
		if err != nil {
			return nil, err
		}
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Created = "linux", arch, created
	file.Config = config
	file.Config.Labels = map[string]string{
		"org.opencontainers.image.title":    "gonamesrv",
		"org.opencontainers.image.version":  r.version,
		"org.opencontainers.image.revision": r.revision,
		"org.opencontainers.image.licenses": "Apache-2.0",
	}
	return mutate.ConfigFile(image, file)
}
