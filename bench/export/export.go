package export

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/natefinch/atomic"

	"gonamesrv/bench"
	"gonamesrv/bench/compare"
)

// A Run is one result and what it is called.
type Run struct {
	Server string // "" when there is one only
	Round  int    // 0 when there is one only
	Result *bench.Result
}

// RunsOf are the measured runs of a comparison.
func RunsOf(c *compare.Comparison) (out []Run) {
	for _, t := range c.Turns {
		if !t.WarmUp {
			out = append(out, Run{c.Servers[t.Server].Name, t.Round, t.Result})
		}
	}
	return out
}

// A Form is a form of another tool.
type Form struct {
	Name  string
	About string
	Write func(w io.Writer, runs []Run) error
}

// Forms are all of them.
var Forms = []Form{
	{"hdr", "log of HdrHistogram (V2), an interval for each phase and request", HDR},
	{"csv", "one line for each figure, of phases and of seconds", CSV},
	{"openmetrics", "OpenMetrics text", OpenMetrics},
}

// Find returns the form of that name.
func Find(name string) (Form, error) {
	i := slices.IndexFunc(Forms, func(f Form) bool { return f.Name == name })
	if i < 0 {
		var names []string
		for _, f := range Forms {
			names = append(names, f.Name)
		}
		return Form{}, fmt.Errorf("there is no form %q; there are %s", name, strings.Join(names, ", "))
	}
	return Forms[i], nil
}

// File writes runs to a file, which is replaced as a whole.
func File(path string, form Form, runs []Run) error {
	var b bytes.Buffer
	if err := form.Write(&b, runs); err != nil {
		return fmt.Errorf("export %s: %w", form.Name, err)
	}
	if err := atomic.WriteFile(path, &b); err != nil {
		return fmt.Errorf("export: write %s: %w", path, err)
	}
	return os.Chmod(path, 0o644)
}
