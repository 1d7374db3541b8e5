/*
Copyright 2026 The clerk-operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

// Package egress opens the connections of sinks. It decides by the address that is really dialled, after the name was looked up: a name
// that leads elsewhere from one moment to the next changes nothing.
package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// dialTimeout is how long a connection may take to be opened. Within a region it takes milliseconds.
const dialTimeout = 5 * time.Second

// ErrRefusedAddress says that the target is where no sink may lead.
var ErrRefusedAddress = errors.New("the target's address is refused: it is this machine's own, link-local or a metadata service's")

// refused are the networks that no sink may lead to, besides loopback, link-local, multicast and unspecified addresses: services of clouds
// that give credentials away to whoever asks, and what is routed to those by another name.
var refused = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),          // "this" host
	netip.MustParsePrefix("240.0.0.0/4"),        // reserved, broadcast
	netip.MustParsePrefix("100.100.100.200/32"), // metadata: Alibaba Cloud
	netip.MustParsePrefix("168.63.129.16/32"),   // metadata: Azure
	netip.MustParsePrefix("192.0.0.192/32"),     // metadata: Oracle Cloud
	netip.MustParsePrefix("fd00:ec2::/32"),      // metadata: AWS
	netip.MustParsePrefix("fd20:ce::254/128"),   // metadata: Google Cloud
	netip.MustParsePrefix("fd00:42::42/128"),    // metadata: Scaleway
	netip.MustParsePrefix("fec0::/10"),          // site-local, deprecated
	netip.MustParsePrefix("2001::/32"),          // Teredo: holds an IPv4 address, obscured
}

// embedding are networks whose addresses hold an IPv4 address, and where in them.
var embedding = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12},
	{netip.MustParsePrefix("2002::/16"), 2},
	{netip.MustParsePrefix("::/96"), 12},
}

// Dialer opens connections, but to no refused address.
type Dialer struct {
	// AllowLocal lets addresses of this machine through, for development.
	AllowLocal bool
}

// DialContext opens a connection.
func (d Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout, Control: d.control}
	return dialer.DialContext(ctx, network, address)
}

// Dial opens a connection.
func (d Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

func (d Dialer) control(_, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil || !d.Allows(target.Addr()) {
		return ErrRefusedAddress
	}
	return nil
}

// Allows tells whether a sink may lead to an address.
func (d Dialer) Allows(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	if address.IsLoopback() {
		return d.AllowLocal
	}
	if !address.IsValid() || address.IsUnspecified() || address.IsMulticast() || address.IsLinkLocalUnicast() {
		return false
	}
	for _, network := range refused {
		if network.Contains(address) {
			return false
		}
	}
	for _, network := range embedding {
		if network.prefix.Contains(address) {
			bytes := address.As16()
			return d.Allows(netip.AddrFrom4([4]byte(bytes[network.at : network.at+4])))
		}
	}
	return true
}
