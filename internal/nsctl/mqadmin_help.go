package nsctl

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// helpWidth is how long lines of mqadmin's help may be.
// Java: ServerUtil#parseCmdLine.
const helpWidth = 110

// help returns what mqadmin says with -h, byte for byte.
// Java: HelpFormatter#printHelp of commons-cli 1.5.0.
func (a *alias) help() string {
	flags := slices.Concat(aliasCommon, a.flags)
	slices.SortFunc(flags, func(a, b aliasFlag) int { return cmp.Compare(a.short, b.short) })
	usage := "usage: mqadmin " + a.name
	widest := 0
	for _, f := range flags {
		text := "-" + f.short
		if f.value {
			text += " <arg>"
		}
		if !f.needed {
			text = "[" + text + "]"
		}
		usage += " " + text
		widest = max(widest, len(f.names()))
	}
	var b strings.Builder
	wrap(&b, usage, len("usage: mqadmin "+a.name)+1)
	for _, f := range flags {
		wrap(&b, fmt.Sprintf("%-*s   %s", widest, f.names(), f.about), widest+3)
	}
	return b.String()
}

// names are the names of a flag: " -t,--topic <arg>".
func (f *aliasFlag) names() string {
	text := " -" + f.short + ",--" + f.long
	if f.value {
		text += " <arg>"
	}
	return text
}

// wrap writes a text in lines of helpWidth, all but the first of them indented.
// Java: HelpFormatter#renderWrappedText.
func wrap(b *strings.Builder, text string, indent int) {
	for len(text) > helpWidth {
		at := strings.LastIndexByte(text[:helpWidth+1], ' ')
		if at <= indent {
			break
		}
		fmt.Fprintln(b, strings.TrimRight(text[:at], " "))
		text = strings.Repeat(" ", indent) + strings.TrimSpace(text[at:])
	}
	fmt.Fprintln(b, strings.TrimRight(text, " "))
}

// aliasList returns what mqadmin says without a command, of those that there are here.
// Java: MQAdminStartup#printHelp.
func aliasList() string {
	var b strings.Builder
	fmt.Fprintln(&b, "The most commonly used mqadmin commands are:")
	for _, a := range aliases {
		fmt.Fprintf(&b, "   %-35s %s\n", a.name, a.about)
	}
	fmt.Fprintln(&b, "\nSee 'mqadmin help <command>' for more information on a specific command.")
	fmt.Fprintln(&b, "These are nsctl's: all others of mqadmin concern brokers; use RocketMQ's mqadmin for them.")
	return b.String()
}
