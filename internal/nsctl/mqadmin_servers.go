package nsctl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gonamesrv/codec"
)

// Commands of mqadmin about what name servers hold: KV config, permissions, configuration.

var (
	namespaceFlag = aliasFlag{short: "s", long: "namespace", value: true, needed: true, about: "set the namespace"}
	kvKeyFlag     = aliasFlag{short: "k", long: "key", value: true, needed: true, about: "set the key name"}
	brokerFlag    = aliasFlag{short: "b", long: "brokerName", value: true, needed: true, about: "broker name"}
)

var updateKvConfigAlias = &alias{
	name: "updateKvConfig", about: "Create or update KV config.",
	flags:   []aliasFlag{namespaceFlag, kvKeyFlag, {short: "v", long: "value", value: true, needed: true, about: "set the key value"}},
	differs: "See also nsctl kv put.",
	run: func(ctx context.Context, c *ctl, in *aliasInput) error {
		if in.text("s") == orderNamespace {
			if err := checkOrder(in.text("v")); err != nil {
				return err
			}
		}
		return writeAll(ctx, c, "", "create or update kv config to namespace success.\n", func(ctx context.Context, s *server) error {
			return s.putKV(ctx, in.text("s"), in.text("k"), in.text("v"))
		})
	},
}

var deleteKvConfigAlias = &alias{
	name: "deleteKvConfig", about: "Delete KV config.",
	flags:   []aliasFlag{namespaceFlag, kvKeyFlag},
	differs: "If there was no such key mqadmin says the same; here it is exit 1. See also nsctl kv delete.",
	run: func(ctx context.Context, c *ctl, in *aliasInput) error {
		missing := "there is no key " + in.text("k") + " in namespace " + in.text("s")
		return writeAll(ctx, c, missing, "delete kv config from namespace success.\n", func(ctx context.Context, s *server) error {
			return s.deleteKV(ctx, in.text("s"), in.text("k"))
		})
	},
}

func (s *server) putKV(ctx context.Context, namespace, key, value string) error {
	_, err := s.call(ctx, codec.ReqPutKVConfig, fields("namespace", namespace, "key", key, "value", value), nil)
	return err
}

// deleteKV deletes a key. It returns a missingError if there was none: name servers say
// nothing of that.
func (s *server) deleteKV(ctx context.Context, namespace, key string) error {
	st, err := s.keyState(ctx, namespace, key)
	if err != nil {
		return err
	}
	if _, err = s.call(ctx, codec.ReqDeleteKVConfig, fields("namespace", namespace, "key", key), nil); err == nil && !st.there {
		err = missingError{}
	}
	return err
}

var wipeWritePermAlias = &alias{
	name: "wipeWritePerm", about: "Wipe write perm of broker in all name server you defined in the -n param.",
	flags:   []aliasFlag{brokerFlag},
	differs: "A broker that is not there is 0 topics, as with mqadmin, and exit 1. See also nsctl broker wipe-write.",
	run: func(ctx context.Context, c *ctl, in *aliasInput) error {
		return c.aliasPerm(ctx, in.text("b"), "wipe", codec.ReqWipeWritePermOfBroker, "wipeTopicCount")
	},
}

var addWritePermAlias = &alias{
	name: "addWritePerm", about: "Add write perm of broker in all name server you defined in the -n param.",
	flags:   []aliasFlag{brokerFlag},
	differs: "A broker that is not there is 0 topics, as with mqadmin, and exit 1. See also nsctl broker add-write.",
	run: func(ctx context.Context, c *ctl, in *aliasInput) error {
		return c.aliasPerm(ctx, in.text("b"), "add", codec.ReqAddWritePermOfBroker, "addTopicCount")
	},
}

// aliasPerm takes write permission away or gives it back, and prints a line for each server.
// Java: WipeWritePermSubCommand, AddWritePermSubCommand.
func (c *ctl) aliasPerm(ctx context.Context, name, verb string, code codec.RequestCode, count string) error {
	answers, err := askAll(ctx, c, func(ctx context.Context, s *server) (int32, error) {
		_, err := s.brokerSet(ctx, name) // it says how old the server is, too
		none := errors.Is(err, missingError{})
		if err != nil && !none {
			return 0, err
		}
		if err := s.knows(code); err != nil {
			return 0, err
		}
		reply, err := s.call(ctx, code, fields("brokerName", name), nil)
		if err != nil {
			return 0, err
		}
		n, ok := reply.Ext.Int32(count)
		switch {
		case !ok:
			return 0, badAnswer(errors.New("no " + count))
		case none:
			return n, missingError{}
		}
		return n, nil
	})
	if err != nil {
		return err
	}
	for _, a := range answers {
		said := "Failed"
		if a.err == nil || errors.Is(a.err, missingError{}) {
			said = fmt.Sprintf("OK, %d", a.value)
		}
		fmt.Fprintf(c.stdout, "%s write perm of broker[%s] in name server[%s] %s\n", verb, clean(name), clean(a.server), said)
	}
	return ended(c, answers, "there is no broker "+name)
}

var getNamesrvConfigAlias = &alias{
	name: "getNamesrvConfig", about: "Get configs of name server.",
	differs: "Keys are in ascending order, servers in that of -n; mqadmin has the orders of hash tables. See also nsctl config get.",
	run: func(ctx context.Context, c *ctl, _ *aliasInput) error {
		answers, err := askAll(ctx, c, func(ctx context.Context, s *server) (serverConfig, error) { return s.config(ctx) })
		if err != nil {
			return err
		}
		var b strings.Builder
		for _, a := range answers {
			if a.err != nil {
				continue
			}
			fmt.Fprintf(&b, "============%s============\n", clean(a.server))
			for _, key := range slices.Sorted(maps.Keys(a.value)) {
				fmt.Fprintf(&b, "%-50s=  %s\n", clean(key), clean(a.value[key]))
			}
		}
		if _, err := fmt.Fprint(c.stdout, b.String()); err != nil {
			return &exitError{exitNo, err.Error()}
		}
		return outcome(c, answers)
	},
}

var updateNamesrvConfigAlias = &alias{
	name: "updateNamesrvConfig", about: "Update configs of name server.",
	flags: []aliasFlag{
		{short: "k", long: "key", value: true, needed: true, about: "config key"},
		{short: "v", long: "value", value: true, needed: true, about: "config value"},
	},
	differs: "Keys that a server does not list are refused, and the value is read back: mqadmin says success to all. See also nsctl config set.",
	run: func(ctx context.Context, c *ctl, in *aliasInput) error {
		key, value := in.text("k"), in.text("v")
		on := ""
		if in.listed { // Java prints the list of -n
			on = "[" + strings.ReplaceAll(strings.TrimFunc(c.servers, isTrimmed), ";", ", ") + "]"
		}
		done := fmt.Sprintf("update name server config success!%s\n%s : %s\n", clean(on), clean(key), clean(value))
		return writeAll(ctx, c, "", done, func(ctx context.Context, s *server) error {
			before, err := s.keys(ctx, []string{key})
			if err != nil {
				return err
			}
			if err := s.setKeys(ctx, []string{key}, map[string]string{key: value}); err != nil {
				return err
			}
			after, err := s.keys(ctx, []string{key})
			if err == nil && after[0].value != value && after[0].value == before[0].value {
				err = &refusedError{fmt.Sprintf("%s is still %s", key, textOf(&after[0].value))}
			}
			return err
		})
	},
}
