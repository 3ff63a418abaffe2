package codec

import "strconv"

// A TopicRouteData is the answer to GET_ROUTEINFO_BY_TOPIC: which brokers
// serve a topic, with how many queues, and where those brokers listen.
// Java: TopicRouteData.
type TopicRouteData struct {
	BrokerDatas          []BrokerData         // in ascending order of BrokerName
	FilterServerTable    []FilterServers      // in ascending order of Addr
	OrderTopicConf       string               // omitted when HasOrderTopicConf is false
	HasOrderTopicConf    bool                 //
	QueueDatas           []QueueData          // in ascending order of BrokerName
	QueueMappingByBroker []BrokerQueueMapping // in ascending order of BrokerName; omitted when nil
}

// A BrokerData is one broker set: all brokers that share a name.
// Java: BrokerData.
type BrokerData struct {
	Cluster            string
	BrokerName         string
	BrokerAddrs        []BrokerAddr // in ascending order of ID
	EnableActingMaster bool
	ZoneName           string // omitted when HasZoneName is false
	HasZoneName        bool
}

// A BrokerAddr is one member of a broker set. ID 0 is the master.
type BrokerAddr struct {
	ID   int64
	Addr string
}

// A QueueData is what one broker set offers for one topic.
// Java: QueueData.
type QueueData struct {
	BrokerName     string
	ReadQueueNums  int32
	WriteQueueNums int32
	Perm           int32 // bits: 4 read, 2 write, 1 inherit
	TopicSysFlag   int32 // bits: 1 unit, 2 unit subscription
}

// FilterServers lists the filter servers that run beside one broker.
type FilterServers struct {
	Addr    string // the broker's address
	Servers []string
}

// A BrokerQueueMapping is the static queue mapping of one broker name.
type BrokerQueueMapping struct {
	BrokerName string
	Info       TopicQueueMappingInfo
}

// AppendJSON appends d in the given dialect, byte for byte as Java writes it;
// maps come in the order of their slices. Java: TopicRouteData#encode,
// ClientRequestProcessor#getRouteInfoByTopic.
func (d *TopicRouteData) AppendJSON(dst []byte, dialect Dialect) []byte {
	dst = append(dst, `{"brokerDatas":[`...)
	for i := range d.BrokerDatas {
		dst = appendComma(dst, i)
		dst = d.BrokerDatas[i].appendJSON(dst, dialect)
	}
	dst = append(dst, `],"filterServerTable":{`...)
	first := true
	for i := range d.FilterServerTable {
		f := &d.FilterServerTable[i]
		if f.Servers == nil { // Java: null values of a map are left out
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = appendString(dst, f.Addr, dialect)
		dst = append(dst, ':')
		dst = appendStrings(dst, f.Servers, dialect)
	}
	dst = append(dst, '}')
	if d.HasOrderTopicConf {
		dst = append(dst, `,"orderTopicConf":`...)
		dst = appendString(dst, d.OrderTopicConf, dialect)
	}
	dst = append(dst, `,"queueDatas":[`...)
	for i := range d.QueueDatas {
		dst = appendComma(dst, i)
		dst = d.QueueDatas[i].appendJSON(dst, dialect)
	}
	dst = append(dst, ']')
	if d.QueueMappingByBroker != nil {
		dst = append(dst, `,"topicQueueMappingByBroker":{`...)
		for i := range d.QueueMappingByBroker {
			m := &d.QueueMappingByBroker[i]
			dst = appendComma(dst, i)
			dst = appendString(dst, m.BrokerName, dialect)
			dst = append(dst, ':')
			dst = m.Info.appendJSON(dst, dialect)
		}
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

func (b *BrokerData) appendJSON(dst []byte, dialect Dialect) []byte {
	dst = append(dst, `{"brokerAddrs":`...)
	dst = appendBrokerAddrs(dst, b.BrokerAddrs, dialect)
	dst = append(dst, `,"brokerName":`...)
	dst = appendString(dst, b.BrokerName, dialect)
	dst = append(dst, `,"cluster":`...)
	dst = appendString(dst, b.Cluster, dialect)
	dst = append(dst, `,"enableActingMaster":`...)
	dst = strconv.AppendBool(dst, b.EnableActingMaster)
	if b.HasZoneName {
		dst = append(dst, `,"zoneName":`...)
		dst = appendString(dst, b.ZoneName, dialect)
	}
	return append(dst, '}')
}

func appendBrokerAddrs(dst []byte, addrs []BrokerAddr, dialect Dialect) []byte {
	dst = append(dst, '{')
	for i := range addrs {
		dst = appendComma(dst, i)
		dst = appendIntKey(dst, addrs[i].ID, dialect)
		dst = appendString(dst, addrs[i].Addr, dialect)
	}
	return append(dst, '}')
}

func (q *QueueData) appendJSON(dst []byte, dialect Dialect) []byte {
	dst = append(dst, `{"brokerName":`...)
	dst = appendString(dst, q.BrokerName, dialect)
	dst = append(dst, `,"perm":`...)
	dst = strconv.AppendInt(dst, int64(q.Perm), 10)
	dst = append(dst, `,"readQueueNums":`...)
	dst = strconv.AppendInt(dst, int64(q.ReadQueueNums), 10)
	dst = append(dst, `,"topicSysFlag":`...)
	dst = strconv.AppendInt(dst, int64(q.TopicSysFlag), 10)
	dst = append(dst, `,"writeQueueNums":`...)
	dst = strconv.AppendInt(dst, int64(q.WriteQueueNums), 10)
	return append(dst, '}')
}
