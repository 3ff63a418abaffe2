package route

import (
	"slices"
	"strings"

	"gonamesrv/codec"
)

// FilterByZone takes the broker sets of other zones out of a route: those that
// show a master and whose zone is not the given one (case is ignored). Their
// queue datas and filter servers go with them, their static mappings stay.
// Java: ZoneRouteRPCHook#filterByZoneName.
func FilterByZone(d *codec.TopicRouteData, zone string) {
	elsewhere := map[string]bool{} // broker names
	addrs := map[string]bool{}
	d.BrokerDatas = slices.DeleteFunc(d.BrokerDatas, func(b codec.BrokerData) bool {
		hasMaster := slices.ContainsFunc(b.BrokerAddrs, func(a codec.BrokerAddr) bool { return a.ID == masterID })
		if !hasMaster || b.HasZoneName && strings.EqualFold(b.ZoneName, zone) {
			return false
		}
		elsewhere[b.BrokerName] = true
		for _, a := range b.BrokerAddrs {
			addrs[a.Addr] = true
		}
		return true
	})
	d.QueueDatas = slices.DeleteFunc(d.QueueDatas, func(q codec.QueueData) bool { return elsewhere[q.BrokerName] })
	d.FilterServerTable = slices.DeleteFunc(d.FilterServerTable, func(f codec.FilterServers) bool { return addrs[f.Addr] })
}
