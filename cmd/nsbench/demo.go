package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"gonamesrv/bench/demo"
)

// newDemoCommand shows a name server at work, without Java.
func newDemoCommand() *cobra.Command {
	var opt demo.Options
	var browser bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Start a server and a simulated cluster, to look at in a browser",
		Long: "Demo starts our server on free ports of the loopback, and three simulated brokers with slaves and clients. Every now and then\n" +
			"a master is killed and comes back. It ends by itself and leaves nothing behind.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// A terminal that is closed must not leave the server behind.
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGHUP)
			defer stop()
			if opt.Namesrv == "" {
				opt.Namesrv = besideUs("namesrv")
			}
			folder := ""
			if filepath.Base(opt.Namesrv) != opt.Namesrv {
				folder = filepath.Dir(opt.Namesrv)
			}
			opt.Nsctl = typed("nsctl", folderOfUs(), folder)
			if opt.For <= 0 || opt.Every <= 0 || opt.Away < 0 {
				return fmt.Errorf("--for and --every must be positive, and --away not negative")
			}
			opt.Out = cmd.OutOrStdout()
			if opener := browserCommand(); browser && opener != "" && isTerminal(opt.Out) {
				opt.Open = func(url string) { open(opener, url) }
			}
			return demo.Run(ctx, opt)
		},
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.StringVar(&opt.Namesrv, "namesrv", "", "our server; without, the one beside this program or on the PATH")
	fl.DurationVar(&opt.For, "for", 5*time.Minute, "how long it goes on")
	fl.DurationVar(&opt.Every, "every", time.Minute, "how often the broker is killed")
	fl.DurationVar(&opt.Away, "away", 20*time.Second, "how long it stays away")
	fl.BoolVar(&browser, "browser", true, "open the console in a browser, if there is one and this is a terminal")
	return cmd
}

// besideUs is the path of a program in the folder of this one, or else its bare name.
func besideUs(name string) string {
	if path := filepath.Join(folderOfUs(), name); isFile(path) {
		return path
	}
	return name
}

// folderOfUs is the folder of this program, "" if that is not known.
func folderOfUs() string {
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	return filepath.Dir(self)
}

// typed is what to type in a shell, in any folder, to start a program that is in one of the
// given ones: its bare name if the PATH leads there, else its whole path. "" means that it
// is in none of them, nor on the PATH.
func typed(name string, folders ...string) string {
	onPath, err := exec.LookPath(name)
	for _, folder := range folders {
		path, err := filepath.Abs(filepath.Join(folder, name))
		if folder == "" || err != nil || !isFile(path) {
			continue
		}
		if isSameFile(path, onPath) {
			return name
		}
		return shellWord(path)
	}
	if err != nil {
		return ""
	}
	return name
}

func isSameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// shellWord is a text as one word of a shell.
func shellWord(text string) string {
	isPlain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("/._-+:@%", c)
	}
	if strings.IndexFunc(text, func(c rune) bool { return !isPlain(c) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func isTerminal(out any) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// browserCommand is the program that shows an address to the person at the screen, "" if
// there is none.
func browserCommand() string {
	name := "xdg-open"
	switch {
	case runtime.GOOS == "darwin":
		name = "open"
	case os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "":
		return ""
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return ""
	}
	return path
}

// open starts a browser and does not wait for it. That it cannot be started is no matter:
// the address is on the screen.
func open(opener, url string) {
	cmd := exec.Command(opener, url)
	if cmd.Start() == nil {
		go func() { _ = cmd.Wait() }()
	}
}
