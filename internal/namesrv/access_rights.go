package namesrv

import (
	"fmt"
	"slices"
	"strings"
)

// A rights is a set of what a peer may do. Each request code needs one of them, row.right.
type rights uint8

const (
	rightRouteRead     rights = 1 << iota // ask for routes: clients, proxies and brokers
	rightBrokerControl                    // register, leave, show that one lives: brokers
	rightAdminRead                        // lists, configuration: mqadmin, dashboard, exporter
	rightAdminWrite                       // change what brokers and clients are told
	rightConfig                           // change the configuration of the server

	noRights  rights = 0
	allRights        = rightRouteRead | rightBrokerControl | rightAdminRead | rightAdminWrite | rightConfig
)

// changing are those that a request takes which changes what others are told.
const changing = rightAdminWrite | rightConfig

// rightNames are the names of the single rights, in the order of their bits.
var rightNames = []string{"route-read", "broker-control", "admin-read", "admin-write", "config"}

// numRights is how many rights there are.
const numRights = 5

// index returns the place of a single right in rightNames.
func (r rights) index() int {
	for i := range rightNames {
		if r == 1<<i {
			return i
		}
	}
	return 0
}

// String returns the names, as route-read+config; "all" and "none" for all and none.
func (r rights) String() string {
	switch r {
	case noRights:
		return "none"
	case allRights:
		return "all"
	}
	var names []string
	for i, name := range rightNames {
		if r&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "+")
}

// rightsNamed returns the rights of a name, of which "all" is one.
func rightsNamed(name string) (rights, error) {
	if name == "all" {
		return allRights, nil
	}
	if i := slices.Index(rightNames, name); i >= 0 {
		return 1 << i, nil
	}
	return 0, fmt.Errorf("%q is no right; there are %s, all", clip(name), strings.Join(rightNames, ", "))
}

// A peerGroup is what an address alone says of a peer.
type peerGroup uint8

const (
	groupPublic   peerGroup = iota // any other address, or none
	groupSite                      // an address that the Internet does not route
	groupLoopback                  // on this machine
	numGroups
)

var groupNames = [numGroups]string{groupPublic: "public", groupSite: "site", groupLoopback: "loopback"}

func (g peerGroup) String() string { return groupNames[g] }

// The words of accessPreset. What each gives to whom is in presets.
const (
	presetOpen     = "open" // as Java, which never refuses anything
	presetStandard = "standard"
	presetStrict   = "strict"
)

var presetNames = []string{presetOpen, presetStandard, presetStrict}

// presets is what each preset gives to a group.
var presets = map[string][numGroups]rights{
	presetOpen: {groupLoopback: allRights, groupSite: allRights, groupPublic: allRights},
	presetStandard: {
		groupLoopback: allRights,
		groupSite:     allRights &^ rightConfig,
		groupPublic:   rightRouteRead | rightBrokerControl,
	},
	presetStrict: {
		groupLoopback: allRights &^ rightConfig,
		groupSite:     rightRouteRead,
		groupPublic:   noRights,
	},
}
