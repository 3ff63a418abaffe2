package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"gonamesrv/bench/export"
	"gonamesrv/bench/report"
)

// exportFlags are what is written for other tools.
type exportFlags struct{ to []exportFlag }

type exportFlag struct {
	form export.Form
	file string
}

func (f *exportFlags) add(fl *pflag.FlagSet) {
	var forms []string
	for _, form := range export.Forms {
		forms = append(forms, form.Name+"=FILE: "+form.About)
	}
	fl.Var(f, "export", "write the result for other tools, separated by commas: "+strings.Join(forms, "; "))
}

// String is for pflag.
func (f *exportFlags) String() string { return "" }

// Type is what pflag shows for the value.
func (f *exportFlags) Type() string { return "FORM=FILE" }

// Set reads hdr=FILE,csv=FILE.
func (f *exportFlags) Set(text string) error {
	for one := range strings.SplitSeq(text, ",") {
		name, file, ok := strings.Cut(one, "=")
		if !ok || file == "" {
			return fmt.Errorf("%q is not FORM=FILE", one)
		}
		form, err := export.Find(name)
		if err != nil {
			return err
		}
		f.to = append(f.to, exportFlag{form, file})
	}
	return nil
}

// files are those that will be written.
func (f *exportFlags) files() (out []string) {
	for _, e := range f.to {
		out = append(out, e.file)
	}
	return out
}

// write writes them.
func (f *exportFlags) write(d report.Document) error {
	var runs []export.Run
	if d.Comparison != nil {
		runs = export.RunsOf(d.Comparison)
	} else {
		runs = []export.Run{{Server: cmp.Or(d.Result.Label, d.Result.Target.Name), Result: d.Result}}
	}
	var errs []error
	for _, e := range f.to {
		errs = append(errs, export.File(e.file, e.form, runs))
	}
	return errors.Join(errs...)
}
