package main

import (
	"errors"
	"fmt"
	"io"
	"os/user"

	"gonamesrv/internal/namesrv"
)

// configure puts the configuration together: defaults, environment, options for
// Java, file. It returns what the operator should know of the configuration, and
// does so beside an error too. The error lists all faults.
func configure(f flags, getenv func(string) string, stdout io.Writer) (namesrv.Config, []namesrv.Note, error) {
	cfg := namesrv.DefaultConfig()
	var notes []namesrv.Note
	var faults []error
	take := func(n []namesrv.Note, err error) {
		notes = append(notes, n...)
		if err != nil {
			faults = append(faults, err)
		}
	}
	cfg.RocketMQHome = getenv("ROCKETMQ_HOME")
	cfg.SetHome(homeDir(getenv))
	if err := cfg.SetSerializeType("ROCKETMQ_SERIALIZE_TYPE", getenv("ROCKETMQ_SERIALIZE_TYPE")); err != nil {
		faults = append(faults, err)
	}
	take(cfg.LoadJavaOptions(getenv("JAVA_OPT")))
	take(cfg.LoadJavaOptions(getenv("JAVA_OPT_EXT")))
	if f.configFile != "" {
		take(cfg.LoadProperties(f.configFile))
		cfg.UseConfigFile(f.configFile)
	}
	if err := cfg.Validate(); err != nil {
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return cfg, notes, err
	}
	if f.configFile != "" {
		fmt.Fprintf(stdout, "load config properties file OK, %s\n", f.configFile)
	}
	return cfg, notes, nil
}

// homeDir returns the user's home folder, "" when there is none. Like Java, it
// believes the user database before the environment.
func homeDir(getenv func(string) string) string {
	if u, err := user.Current(); err == nil && len(u.HomeDir) > 2 {
		return u.HomeDir
	}
	return getenv("HOME")
}
