package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usage is what Java prints, and our own name and flags. Java:
// ServerUtil#parseCmdLine.
const usage = `usage: namesrv [-c <arg>] [-h] [-n <arg>] [-p] [--profile <arg>] [--profileDir <arg>] [--version]
       namesrv config check [-c <arg>]
       namesrv audit verify FILE...
 -c,--configFile <arg>    Name server config properties file
 -h,--help                Print help
 -n,--namesrvAddr <arg>   Name server address list, eg: '192.168.0.1:9876;192.168.0.2:9876'
 -p,--printConfigItem     Print all config items
    --profile <arg>       Profile until the end, not a flag of Java: cpu, mem, mutex, block or trace
    --profileDir <arg>    Where the profile goes, the working directory when not given
    --version             Print the version, not a flag of Java
`

// flags are the command line. Java: NamesrvStartup#buildCommandlineOptions.
type flags struct {
	configFile  string
	help        bool
	version     bool
	printConfig bool
	profile     string
	profileDir  string
}

// parseFlags reads the command line. Its errors are worded like Java's.
//
// Differs from Java, which ignores stray arguments: whoever types "namesrv version"
// does not want to start a server.
func parseFlags(args []string, stdout io.Writer) (flags, error) {
	var f flags
	cmd := &cobra.Command{
		Use:           "namesrv",
		Args:          noStray,
		SilenceErrors: true,
		SilenceUsage:  true,
		Run:           func(*cobra.Command, []string) {},
	}
	cmd.CompletionOptions.DisableDefaultCmd = true
	cmd.SetOut(stdout)
	cmd.SetHelpFunc(func(*cobra.Command, []string) {})
	cmd.SetArgs(args)
	cmd.Flags().StringVarP(&f.configFile, "configFile", "c", "", "")
	cmd.Flags().BoolVarP(&f.help, "help", "h", false, "")
	cmd.Flags().StringP("namesrvAddr", "n", "", "") // accepted, without effect
	cmd.Flags().BoolVarP(&f.printConfig, "printConfigItem", "p", false, "")
	cmd.Flags().BoolVar(&f.version, "version", false, "")
	cmd.Flags().StringVar(&f.profile, "profile", "", "")
	cmd.Flags().StringVar(&f.profileDir, "profileDir", "", "")
	err := cmd.Execute()
	return f, asJava(err)
}

// noStray refuses words that are no options.
func noStray(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.Flags().Lookup(args[0]) != nil {
		return fmt.Errorf("namesrv: unrecognized argument: %q, did you mean --%s?", args[0], args[0])
	}
	return fmt.Errorf("namesrv: unrecognized argument: %q", args[0])
}

func asJava(err error) error {
	var unknown *pflag.NotExistError
	var needsValue *pflag.ValueRequiredError
	switch {
	case errors.As(err, &unknown):
		dashes := "--"
		if unknown.GetSpecifiedShortnames() != "" {
			dashes = "-"
		}
		return fmt.Errorf("namesrv: Unrecognized option: %s%s", dashes, unknown.GetSpecifiedName())
	case errors.As(err, &needsValue):
		flag := needsValue.GetFlag()
		return fmt.Errorf("namesrv: Missing argument for option: %s", cmp.Or(flag.Shorthand, flag.Name))
	}
	return err
}
