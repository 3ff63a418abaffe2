package main

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// looksLikeAddress reports whether a text is what somebody would write to say
// where a server is: host:port, or an IP address.
func looksLikeAddress(text string) bool {
	if net.ParseIP(strings.Trim(text, "[]")) != nil {
		return true
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil || strings.ContainsAny(host, " /") {
		return false
	}
	n, err := strconv.Atoi(port)
	return err == nil && 0 < n && n <= 65_535
}

// A labelValue is what a server is called in results. An address is refused: the
// load would go somewhere else than its user believes.
type labelValue string

func (v *labelValue) String() string { return string(*v) }

// Type is what pflag shows for the value.
func (v *labelValue) Type() string { return "word" }

func (v *labelValue) Set(text string) error {
	if looksLikeAddress(text) {
		return fmt.Errorf("%q looks like an address, and a label only names the server in results; say where the server is with --target %s", text, text)
	}
	*v = labelValue(text)
	return nil
}

// A movedValue is a flag that is not there any more, and says what is.
type movedValue string

func (movedValue) String() string { return "" }

// Type is what pflag shows for the value.
func (movedValue) Type() string { return "" }

func (v movedValue) Set(text string) error { return fmt.Errorf(string(v), text) }
