package namesrv

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"gonamesrv/codec"
)

// What Java says of the same event: operators have grok patterns and alerts for its
// namesrv.log, and logFormat=java keeps them. The words are those of 5.5.0; most
// have been the same since 4.3.0. Where Java writes several lines of one event,
// ours has all of their words, one behind the other.
//
// Left out, because metrics and the Snapshot say it: [WATERMARK], RequestCode
// Distribution, NETTY SERVER PIPELINE, start scanNotActiveBroker.

// JavaPhrase returns what Java says in the place of the message of a line, "" if
// nothing. It is the logging.Options.Phrase of logFormat=java.
func JavaPhrase(r slog.Record) string {
	phrase := javaPhrases[r.Message]
	if phrase == nil {
		return ""
	}
	f := javaFacts{}
	r.Attrs(func(a slog.Attr) bool {
		f.add("", a)
		return true
	})
	return phrase(f)
}

// A javaFacts holds the attributes of a line as text, those of a group as group.name.
type javaFacts map[string]string

func (f javaFacts) add(before string, a slog.Attr) {
	value := a.Value.Resolve()
	if value.Kind() != slog.KindGroup {
		f[before+a.Key] = value.String()
		return
	}
	for _, in := range value.Group() {
		f.add(before+a.Key+".", in)
	}
}

// identity is Java's BrokerAddrInfo#toString.
func (f javaFacts) identity() string {
	return "BrokerIdentityInfo [clusterName=" + f["cluster"] + ", brokerAddr=" + f["addr"] + "]"
}

// textOrNull is what Java writes of a text that is not there.
func textOrNull(text string) string {
	if text == "" {
		return "null"
	}
	return text
}

// javaPhrases are what Java says, by the message of ours.
var javaPhrases = map[string]func(javaFacts) string{
	msgServes: func(f javaFacts) string {
		return "The Name Server boot success. serializeType=" + f["serializeType"] + ", address " + f["address"]
	},

	// RouteInfoManager
	"broker registered": func(f javaFacts) string {
		return "new broker registered, " + f.identity() + " HAService: " + textOrNull(f["haServerAddr"])
	},
	"registration refused": func(f javaFacts) string {
		if f["why"] == whyStateVersion {
			return fmt.Sprintf("Registering Broker conflicts with the existed one, just ignore.: Cluster:%s, BrokerName:%s, BrokerId:%s, Old BrokerAddr:%s, Old Version:%s, New BrokerAddr:%s, New Version:%s.",
				f["cluster"], f["broker"], f["brokerId"], f["byAddr"], f["byStateVersion"], f["addr"], f["stateVersion"])
		}
		return "Can't register topicConfigWrapper=[" + f["topic"] + "] because broker[" + f["brokerId"] + "]=" + f["addr"] + " has not registered."
	},
	"broker expired": func(f javaFacts) string {
		return "The broker channel expired, " + f.identity() + " " + f["timeoutMs"] + "ms; " + f.destroyed() + "; " + f.unregistered()
	},
	"broker connection lost": func(f javaFacts) string { return f.destroyed() + "; " + f.unregistered() },
	"broker unregistered":    javaFacts.unregistered,
	"broker name removed": func(f javaFacts) string {
		return "unregisterBroker, remove name from brokerAddrTable OK, " + f["broker"] + "; unregisterBroker, remove name from clusterAddrTable OK, " + f["broker"]
	},
	"smallest broker id changed": func(f javaFacts) string {
		return "min broker id changed to " + f["brokerId"] + ", notify the other members, offline broker addr " + textOrNull(f["offlineAddr"])
	},
	msgTopicsChanged: func(f javaFacts) string {
		// Java says nothing of a topic that another broker name has had before.
		var said []string
		if names := f["newNames"]; names != "" {
			said = append(said, "new topic registered, "+names)
		}
		if names := f["changedNames"]; names != "" {
			said = append(said, "topic changed, "+names)
		}
		return strings.Join(said, "; ")
	},
	"topics removed, the registration does not list them": func(f javaFacts) string {
		return "deleteTopic, remove one broker's topic " + f["broker"] + ", " + f["topics"] + " topics"
	},

	// ClientRequestProcessor, DefaultRequestProcessor
	msgNotReady: func(f javaFacts) string { return "name server not ready. request code " + f["code"] },
	msgBadCRC: func(f javaFacts) string {
		return "receive registerBroker request,crc32 not match,from " + f["remote"]
	},
	msgAdminChange: func(f javaFacts) string {
		code, _ := strconv.Atoi(f["code"])
		if phrase := javaChanges[codec.RequestCode(code)]; phrase != nil {
			return phrase(f)
		}
		return ""
	},

	// KVConfigManager, Configuration
	"change refused": func(f javaFacts) string {
		if f["of"] == ofKVConfig {
			return "persist kvconfig Exception, " + f["err"]
		}
		return "persist string2File error, " + f["err"]
	},
	"KV config": func(f javaFacts) string { return "configTable SIZE: " + f["namespaces"] },
	"KV config entry": func(f javaFacts) string {
		return "configTable NS: " + f["namespace"] + " Key: " + f["key"] + " Value: " + f["value"]
	},
	msgKeyChanged: func(f javaFacts) string { return replaced(f["key"], f["before"], f["after"]) },
}

func (f javaFacts) destroyed() string {
	return "the broker's channel destroyed, submit the unregister request at once, broker info: " + f.identity() + ", submit result: true"
}

func (f javaFacts) unregistered() string {
	return "unregisterBroker, remove from brokerLiveTable OK, " + f.identity() + "; unregisterBroker, remove addr from brokerAddrTable OK, " + f.identity()
}

func replaced(key, before, after string) string {
	return "Replace, key: " + key + ", value: " + before + " -> " + after
}

// javaChanges are what Java says of requests of operators. It says most of it before
// it looks whether the request can be served; of those that we refuse, and that Java
// would not have got so far, there is nothing.
var javaChanges = map[codec.RequestCode]func(javaFacts) string{
	codec.ReqWipeWritePermOfBroker: func(f javaFacts) string {
		return f.ifServed("wipe write perm of broker[" + f["args.brokerName"] + "], client: " + f["remote"] + ", " + f["after.topics"])
	},
	codec.ReqAddWritePermOfBroker: func(f javaFacts) string {
		return f.ifServed("add write perm of broker[" + f["args.brokerName"] + "], client: " + f["remote"] + ", " + f["after.topics"])
	},
	codec.ReqPutKVConfig: func(f javaFacts) string {
		kind := "update"
		if f["before"] == "none" {
			kind = "create new"
		}
		return f.ifServed("putKVConfig " + kind + " config item, " + f.item(f["after.value"]))
	},
	codec.ReqDeleteKVConfig: func(f javaFacts) string {
		return f.ifServed("deleteKVConfig delete a config item, " + f.item(textOrNull(f["before.value"])))
	},
	codec.ReqDeleteTopicInNamesrv: func(f javaFacts) string {
		switch {
		case f["changed"] != "true":
			return ""
		case f["after"] == "none":
			return "deleteTopic, remove the topic all queue " + f["args.clusterName"] + " " + f["args.topic"]
		default:
			return "deleteTopic, remove one broker's topic " + f["args.clusterName"] + " " + f["args.topic"]
		}
	},
	codec.ReqRegisterTopicInNamesrv: func(f javaFacts) string {
		said := "Register topic route:"
		if f["before"] != "none" {
			said = "Topic route already exist."
		}
		return f.ifServed(said + f["args.topic"] + ", " + f["after.queues"])
	},
	codec.ReqUpdateNamesrvConfig: func(f javaFacts) string {
		said := "updateConfig called by " + f["remote"]
		if f["changed"] != "true" {
			return said
		}
		for _, k := range configKeys {
			if before, after := f["before."+k.name], f["after."+k.name+".value"]; before != after {
				said += "; " + replaced(k.name, before, after)
			}
		}
		return said
	},
}

// ifServed returns what Java says of a request that is served.
func (f javaFacts) ifServed(said string) string {
	if f["reply"] != codec.RespSuccess.String() {
		return ""
	}
	return said
}

// item is one item of the KV config.
func (f javaFacts) item(value string) string {
	return "Namespace: " + f["args.namespace"] + " Key: " + f["args.key"] + " Value: " + value
}
