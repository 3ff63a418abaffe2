//go:build interop

package interop

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// A duel is our server and a Java one side by side.
type duel struct {
	ours, java *namesrv
	release    *release
	setup      setup
	played     int // prefixes used up
	patience   time.Duration

	stories, differences, open, histories int
	compared                              int         // replies
	leftOut                               map[int]int // steps of random histories by difference
}

// TestDifferential tells the same requests to our server and to Java's and
// compares the replies: written stories, the differences that COMPAT.md lists,
// those that nobody has decided about yet, and random histories. To write the
// answers of a story anew: go test -tags interop -run Differential -rewrite.
func TestDifferential(t *testing.T) {
	needTools(t)
	t.Parallel()
	for _, release := range releases {
		t.Run(release.version, func(t *testing.T) {
			t.Parallel()
			for _, setup := range release.setups {
				t.Run(setup.name, func(t *testing.T) {
					t.Parallel() // the servers of a duel wait for each other
					testDuel(t, release, setup)
				})
			}
		})
	}
}

func testDuel(t *testing.T, release *release, setup setup) {
	dir := filepath.Join(workDir(t), release.version+"-"+setup.name)
	conf := append([]string{"scanNotActiveBrokerInterval=20"}, setup.conf...)
	d := &duel{release: release, setup: setup, leftOut: make(map[int]int), patience: soon}
	d.java = newNamesrv(t, dir, release.version, conf...)
	d.ours = newNamesrv(t, dir, "", conf...)
	for _, n := range []*namesrv{d.java, d.ours} {
		n.binary = setup.binary
		n.start(t)
		n.quiet = true // a disagreement is shown by its requests, not by logs
	}
	t.Cleanup(func() {
		t.Logf("%d stories, %d histories, %d replies compared; %d listed differences shown, %d open ones; steps left out of histories by difference: %v",
			d.stories, d.histories, d.compared, d.differences, d.open, d.leftOut)
	})

	d.files(t, "stories")
	if !setup.closed {
		t.Run("histories", func(t *testing.T) { d.random(t) })
	}
	// What follows leaves Java in states from which it may not recover.
	if setup.carried {
		t.Run("carried", func(t *testing.T) { d.carried(t, filepath.Join("testdata", release.version, "carried")) })
	}
	d.files(t, "differences")
	d.files(t, "open")
}

// files plays all files of a kind.
func (d *duel) files(t *testing.T, kind string) {
	files, err := filepath.Glob(filepath.Join("testdata", d.release.version, kind, d.setup.name, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(kind+"/"+strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { d.story(t, file, kind) })
	}
}

// newPlayer returns a player of a file, or of a history when file is empty.
// A file has always the same names, so that Java always has the same hash order.
func (d *duel) newPlayer(file string) *player {
	shadow := newShadow()
	shadow.byID = d.release.old
	p := &player{
		patience: d.patience,
		ours:     newSide("our server", d.ours), java: newSide("Java "+d.release.version, d.java), release: d.release,
		prefix: namer(strings.TrimSuffix(filepath.Base(file), ".txt") + "-"), shadow: shadow,
	}
	if file == "" {
		d.played++
		p.prefix = namer(fmt.Sprintf("h%d-", d.played))
	}
	return p
}

// story plays one file. Its answers are Java's, and ours must be the same; in
// the story of a difference both are told where they differ, and they must
// differ somewhere.
func (d *duel) story(t *testing.T, file, kind string) {
	p := d.newPlayer(file)
	p.wild = kind != "stories"
	shown := d.script(t, file, p, nil)
	if kind != "stories" && shown == 0 {
		t.Errorf("%s: the servers agree: this difference no longer shows; make a story of it, and mend docs/COMPAT.md", file)
	}
	switch kind {
	case "stories":
		d.stories++
	case "differences":
		d.differences++
	default:
		d.open++
	}
}

// script plays a file and returns how many answers differ. Only a wild player's
// may, and unless the whole file is about one difference, those of a step that
// says which difference it is.
func (d *duel) script(t *testing.T, file string, p *player, check func(command, answers) error) (shown int) {
	about := filepath.Base(filepath.Dir(filepath.Dir(file)))
	datadriven.RunTest(t, file, func(t *testing.T, td *datadriven.TestData) string {
		s := command{cmd: td.Cmd, args: td.CmdArgs, input: td.Input}
		a, text, err := d.answer(p, s, td.Expected)
		if err == nil && check != nil {
			err = check(s, a)
		}
		marked := s.has("differs") || about == "differences" || about == "open"
		switch {
		case err != nil:
			td.Fatalf(t, "%v", err)
		case !a.agree() && !marked:
			t.Errorf("%s: %s\nours: %s\njava: %s", td.Pos, s, a.ours, a.java)
		case !a.agree():
			shown++
		case s.has("differs"):
			t.Errorf("%s: %s\ndifference %s does not show: both answer %s", td.Pos, s, s.arg("differs"), a.ours)
		}
		return text
	})
	d.compared += p.compared
	if err := p.cleanUp(); err != nil {
		t.Error(err)
	}
	return shown
}

// answer plays a step of a story and shows what was answered. With await it
// repeats the step until that is as expected, or a minute has passed.
func (d *duel) answer(p *player, s command, want string) (a answers, text string, err error) {
	for deadline := time.Now().Add(soon); ; time.Sleep(pollEvery) {
		if a, err = p.play(s); err != nil {
			return a, "", err
		}
		text = a.java + "\n"
		if !a.agree() {
			text = fmt.Sprintf("ours: %s\njava: %s\n", a.ours, a.java)
		}
		if !s.has("await") || text == want || time.Now().After(deadline) {
			return a, text, nil
		}
	}
}

// TestDifferencesAreListed compares the stories of differences with the rows of
// COMPAT.md: each names the other. A row that a step names exists.
func TestDifferencesAreListed(t *testing.T) {
	compat, err := os.ReadFile(filepath.Join("..", "..", "docs", "COMPAT.md"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join("testdata", "*", "differences", "*", "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	carried, err := filepath.Glob(filepath.Join("testdata", "*", "carried", "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range carried {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`differs=(\d*)`).FindAllSubmatch(text, -1) {
			if !regexp.MustCompile(fmt.Sprintf("(?m)^\\| %s \\|", m[1])).Match(compat) {
				t.Errorf("%s: COMPAT.md has no row %s", file, m[1])
			}
		}
	}
	told := make(map[string]bool)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		told[name] = true
		number, _, _ := strings.Cut(name, "_")
		row := fmt.Sprintf("(?m)^\\| %s \\|.*`differences/%s`", strings.TrimLeft(number, "0"), name)
		if !regexp.MustCompile(row).Match(compat) {
			t.Errorf("%s: no row %s of COMPAT.md names it", file, number)
		}
	}
	for _, m := range regexp.MustCompile("`differences/(\\w+)`").FindAllSubmatch(compat, -1) {
		if !told[string(m[1])] {
			t.Errorf("COMPAT.md names the difference %s, which is not there", m[1])
		}
	}
}

// random tells random histories: GONAMESRV_INTEROP_HISTORIES of them, drawn
// from GONAMESRV_INTEROP_SEED.
func (d *duel) random(t *testing.T) {
	count := environNumber(t, "GONAMESRV_INTEROP_HISTORIES", 100)
	seed := environNumber(t, "GONAMESRV_INTEROP_SEED", 1)
	start := time.Now()
	for i := range count {
		steps := newGenerator(uint64(seed), uint64(i), d.setup, d.release.old).history()
		d.histories++
		found := d.tell(steps)
		if found == nil {
			continue
		}
		shortest := d.shrink(found)
		t.Fatalf("history %d of seed %d: the servers disagree after %d steps; the shortest history of that kind:\n%s", i, seed, len(found.steps), shortest)
	}
	t.Logf("%d histories in %v", count, time.Since(start))
}

func environNumber(t *testing.T, name string, otherwise int) int {
	t.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv(name), strconv.Itoa(otherwise)))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}
