//go:build interop

package interop

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// An aliasCall is a command line of mqadmin, for which nsctl must print to stdout what
// mqadmin prints, byte for byte but for what the fields say.
type aliasCall struct {
	line   string // CLUSTER, BROKER and ADDR are replaced, and NAMESRV by the one that is asked
	says   string // must be in what mqadmin prints, so that two failures do not pass
	only5  bool   // 4.9.7 does not have it, or prints something else: clusterList, the JSON of topicRoute
	sorted bool   // mqadmin lists in the order of a hash table, nsctl in ascending order
	moving bool   // figures that move are compared as such, in the width that they have
	code   int    // of nsctl
}

var aliasCalls = []aliasCall{
	{line: "clusterList -n NAMESRV", says: "BROKER", only5: true, moving: true},
	{line: "clusterList -n NAMESRV -m", says: "BROKER", moving: true},
	{line: "clusterList -n NAMESRV -c CLUSTER", says: "BROKER", only5: true, moving: true},
	{line: "topicList -n NAMESRV", says: "BROKER", sorted: true},
	{line: "topicList -n NAMESRV -c", says: "BROKER", sorted: true},
	{line: "topicRoute -n NAMESRV -t BROKER", says: "ADDR", only5: true},
	{line: "topicRoute -n NAMESRV -t BROKER -l", says: "ADDR"},
	{line: "topicRoute -n NAMESRV -t nothing", code: 1},
	{line: "topicClusterList -n NAMESRV -t BROKER", says: "CLUSTER"},
	{line: "topicClusterList -n NAMESRV -t nothing", code: 1},
	{line: "updateKvConfig -n NAMESRV -s space -k key -v value", says: "success"},
	{line: "deleteKvConfig -n NAMESRV -s space -k key", says: "success"},
	{line: "updateOrderConf -n NAMESRV -t BROKER -m get", code: 1},
	{line: "updateOrderConf -n NAMESRV -t BROKER -m put -v BROKER:2", says: "success"},
	{line: "updateOrderConf -n NAMESRV -t BROKER -m get", says: "BROKER:2"},
	{line: "topicRoute -n NAMESRV -t BROKER", says: "BROKER:2", only5: true},
	{line: "updateOrderConf -n NAMESRV -t BROKER -m delete", says: "success"},
	{line: "wipeWritePerm -n NAMESRV -b BROKER", says: "OK, "},
	{line: "topicRoute -n NAMESRV -t BROKER -l", says: "ADDR"},
	{line: "addWritePerm -n NAMESRV -b BROKER", says: "OK, "},
	{line: "wipeWritePerm -n NAMESRV -b nobody", says: "OK, 0", code: 1},
	{line: "updateNamesrvConfig -n NAMESRV -k productEnvName -v center", says: "success"},
	{line: "getNamesrvConfig -n NAMESRV", says: "productEnvName", sorted: true},
}

// figure is a number that moves: the TPS, the hour, the disk, the queue of a pool.
var figure = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`)

// normal returns an output as it is compared.
func (c *aliasCall) normal(out string) string {
	lines := strings.SplitAfter(out, "\n")
	if c.moving {
		for i, line := range lines {
			f := strings.Fields(line)
			if len(f) < 6 || strings.HasPrefix(line, "#") {
				continue
			}
			keep := f[1] // the last word of those that stand still
			if !strings.Contains(c.line, "-m") {
				keep = f[4]
			}
			at := strings.Index(line, keep) + len(keep)
			lines[i] = line[:at] + figure.ReplaceAllStringFunc(line[at:], func(n string) string { return strings.Repeat("9", len(n)) })
		}
	}
	if c.sorted {
		slices.Sort(lines)
	}
	return strings.Join(lines, "")
}

// TestNsctlAliases: the aliases of nsctl print what mqadmin of 5.5.0 and 4.9.7 print for
// the same name server, ours, and one of Java, with a real broker. What writes is called by
// both, one after the other.
func TestNsctlAliases(t *testing.T) {
	needTools(t)
	t.Parallel()
	if reference != "" {
		t.Skip("it has Java beside ours anyway")
	}
	dir := workDir(t)
	const conf = "orderMessageEnable=true"
	servers := []*namesrv{startNamesrvOf(t, filepath.Join(dir, "ours"), "", conf), startNamesrvOf(t, filepath.Join(dir, "java"), "5.5.0", conf)}
	var addrs []string
	for _, s := range servers {
		addrs = append(addrs, s.addr())
	}
	b := startBroker(t, dir, brokerSpec{version: "5.5.0", name: "broker-a", namesrv: strings.Join(addrs, ";")})
	tool := buildControl(t, filepath.Join(dir, "nsctl"))
	link := filepath.Join(tool.dir, "mqadmin")
	if out, err := exec.Command("ln", "-s", tool.program, link).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	waitFor(t, brokerUp, "the broker is in the routes", func() error {
		for _, s := range servers {
			if err := registered(s.addr(), b.name, b); err != nil {
				return err
			}
		}
		return nil
	})
	words := strings.NewReplacer("CLUSTER", cluster, "BROKER", b.name, "ADDR", b.addr())
	for _, release := range []string{"5.5.0", "4.9.7"} {
		for _, s := range servers {
			name := "mqadmin " + release + " on " + map[string]string{"": "ours"}[s.java] + s.java
			t.Run(name, func(t *testing.T) {
				home := filepath.Join(dir, "tool-"+release+"-"+s.java)
				compareAliases(t, home, release, link, words, s)
			})
		}
	}
}

// compareAliases calls both, all again if something differs: a broker may have registered
// anew in between, and a figure may have become longer.
func compareAliases(t *testing.T, home, release, link string, words *strings.Replacer, s *namesrv) {
	var todo []aliasCall
	var lines []string
	for _, c := range aliasCalls {
		if c.only5 && release != "5.5.0" {
			continue
		}
		todo = append(todo, c)
		lines = append(lines, strings.ReplaceAll(words.Replace(c.line), "NAMESRV", s.addr()))
	}
	// A broker registers its own topic with perm 7, and gets back 6: let both begin with that.
	for _, verb := range []string{"wipeWritePerm", "addWritePerm"} {
		callAlias(t, link, verb+" -n "+s.addr()+" -b "+words.Replace("BROKER"))
	}
	j := newJVM(t, release, home)
	file := filepath.Join(home, "commands")
	silent := filepath.Join(home, "silent.xml")
	writeFile(t, silent, `<configuration><root level="OFF"/></configuration>`)
	writeFile(t, filepath.Join(home, "conf", "logback_tools.xml"), `<configuration><root level="OFF"/></configuration>`)
	writeFile(t, file, strings.Join(lines, "\n")+"\n")
	flags := slices.Concat(toolMemory, []string{"-Dstderr.apart=true", "-Drmq.logback.configurationFile=" + silent})
	argv := j.argv(t, compileJava(t, j, "Admin"), flags, "Admin", file)
	var problems []string
	for tries := 3; tries > 0; tries-- {
		printed := runAdmin(t, home, release, argv, file, lines)
		problems = make([]string, len(todo))
		for i, c := range todo {
			problems[i] = c.compare(t, link, lines[i], words.Replace(c.says), printed[i])
		}
		if !slices.ContainsFunc(problems, func(text string) bool { return text != "" }) {
			break
		}
	}
	for i, c := range todo {
		t.Run(c.line, func(t *testing.T) {
			if problems[i] != "" {
				t.Error(problems[i])
			}
		})
	}
}

// compare calls nsctl and returns what is not as with mqadmin.
func (c *aliasCall) compare(t *testing.T, link, line, says, printed string) string {
	t.Helper()
	want := c.normal(printed)
	if !strings.Contains(want, says) {
		return fmt.Sprintf("mqadmin does not say %q:\n%s", says, want)
	}
	code, out, errs := callAlias(t, link, line)
	if got := c.normal(out); got != want || code != c.code {
		return fmt.Sprintf("exit %d, want %d; got\n%s\nwant\n%s\nand on stderr %s", code, c.code, got, want, errs)
	}
	return ""
}

// callAlias runs nsctl under the name mqadmin.
func callAlias(t *testing.T, link, line string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.Command(link, append(strings.Fields(line), "--timeout", soon.String())...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}
