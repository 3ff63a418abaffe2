// Package doctest finds the commands that documents tell people to type, so that tests
// type them.
//
// A command is a line in a block of sh, or one that begins with "$ " in any other block.
// Each has a Runner, the package whose test types it, or a reason in notRun why none does.
// Only tests import this package.
package doctest

import (
	"os"
	"path/filepath"
	"strings"
)

// A Runner is the package whose TestDocumentedCommands types a command.
type Runner string

// The runners.
const (
	Nsctl   Runner = "internal/nsctl"
	Namesrv Runner = "cmd/namesrv" // the server, and what asks it over HTTP
	Nsbench Runner = "cmd/nsbench"
	NotRun  Runner = "not run" // Reason says why
)

// notRun are the commands that no test types, each with its reason. Whoever adds one also
// counts it, in TestCommands of docs.
var notRun = map[string]string{
	"make":            "runs this very test",
	"make test":       "runs this very test",
	"make build":      "each test builds what it needs; make bench-smoke, which CI runs, begins with it",
	"make demo":       "TestDemo in cmd/nsbench runs the program that it starts",
	"make lint":       "CI runs it",
	"make interop":    "CI runs it",
	"make monitoring": "CI runs it",
	"make browser":    "CI runs it",
	"make capacity":   "takes a quarter of an hour: TestCapacity in cmd/nsbench runs small sizes with the command that it types",
	"echo 'deb http://deb.debian.org/debian bookworm-backports main' >/etc/apt/sources.list.d/backports.list": "takes a bare Debian 12, as root: .ci/run does the same there",
	"apt update":                       "takes a bare Debian 12, as root: .ci/run does the same there",
	"apt install make ca-certificates": "takes a bare Debian 12, as root: .ci/run does the same there",
	"apt install --no-install-recommends -t bookworm-backports golang-go": "takes a bare Debian 12, as root: .ci/run does the same there",
	"bin/namesrv":                    "listens on port 9876, which may be somebody's; the tests of cmd/namesrv start it on free ports",
	"bin/mqbroker -n localhost:9876": "takes RocketMQ: TestRocketMQ in internal/interop starts its broker",
	"bin/mqadmin updateBrokerConfig -n ns1:9876 -c DefaultCluster -k namesrvAddr -v 'ns1:9876;ns2:9876;new1:9876;new2:9876'":              "takes RocketMQ: TestMigrating in internal/interop types it",
	"nsbench run route --rate 100000 --target 10.0.0.1:9876 --allow-remote --agents 10.0.0.7:9975,10.0.0.8:9975 --agent-token-file token": "takes other machines: TestAgents in cmd/nsbench has its agents on this one",
	"export NSCTL_NAMESRV='ns1:9876;ns2:9876'":                            "is for the lines below it",
	"namesrv audit verify audit-2026-11-27T21-00-00.000.log.gz audit.log": "takes files that somebody has changed: TestAuditVerify in cmd/namesrv",
}

// A Command is one line that somebody is to type.
type Command struct {
	File    string // relative to the top of the project
	Line    int    // from 1
	Text    string // without its comment
	Comment string // behind " #"
}

// Program is the name of the program that the command starts, without a folder.
func (c Command) Program() string {
	word, _, _ := strings.Cut(c.Text, " ")
	return filepath.Base(word)
}

// Runner says who types the command; "" if nobody does and no reason is given.
func (c Command) Runner() Runner {
	if _, ok := notRun[c.Text]; ok {
		return NotRun
	}
	switch program := c.Program(); {
	case program == "nsctl":
		return Nsctl
	case program == "nsbench":
		return Nsbench
	case program == "namesrv", program == "curl", strings.Contains(c.Text, "> admin.tokens"):
		return Namesrv
	}
	return ""
}

// Reasons returns the commands that no test types, with the reasons.
func Reasons() map[string]string { return notRun }

// Files returns the documents of the project, relative to its top, which is the folder
// root.
func Files(root string) ([]string, error) {
	files := []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"}
	others, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	for _, file := range others {
		files = append(files, "docs/"+filepath.Base(file))
	}
	return files, err
}

// Commands returns the commands of all documents below root.
func Commands(root string) (all []Command, err error) {
	files, err := Files(root)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return nil, err
		}
		all = append(all, commands(file, string(text))...)
	}
	return all, nil
}

// commands returns those of one document.
func commands(file, text string) (found []Command) {
	block, inside := "", false
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		line = strings.TrimSpace(line)
		if language, fence := strings.CutPrefix(line, "```"); fence {
			block, inside = language, !inside
			continue
		}
		prompted, ok := strings.CutPrefix(line, "$ ")
		switch {
		case !inside || line == "" || strings.HasPrefix(line, "#"):
			continue
		case ok:
			line = prompted
		case block != "sh":
			continue
		}
		command, comment, _ := strings.Cut(line, " #")
		found = append(found, Command{file, number, strings.TrimSpace(command), strings.TrimSpace(comment)})
	}
	return found
}

// Of returns the commands that a runner types.
func Of(root string, runner Runner) (of []Command, err error) {
	all, err := Commands(root)
	for _, c := range all {
		if c.Runner() == runner {
			of = append(of, c)
		}
	}
	return of, err
}
