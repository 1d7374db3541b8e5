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

package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
)

func TestSinksLeadToNoAddressOfThisMachineOrOfAMetadataService(t *testing.T) {
	for address, want := range map[string]bool{
		"10.0.0.7": true, "192.168.1.4": true, "203.0.113.9": true, "2001:db8::1": true, "fd12:3456::1": true, "100.64.0.1": true,
		"64:ff9b::a00:7": true, "2002:a00:7::1": true,

		"127.0.0.1": false, "127.8.8.8": false, "::1": false, "::ffff:127.0.0.1": false, "::ffff:169.254.169.254": false,
		"0.0.0.0": false, "0.1.2.3": false, "::": false, "169.254.169.254": false, "169.254.170.2": false, "fe80::1": false, "fe80::1%eth0": false,
		"224.0.0.1": false, "ff02::1": false, "255.255.255.255": false,
		"100.100.100.200": false, "168.63.129.16": false, "192.0.0.192": false, "fd00:ec2::254": false, "fd20:ce::254": false,
		"64:ff9b::7f00:1": false, "64:ff9b::a9fe:a9fe": false, "2002:7f00:1::1": false, "2002:a9fe:a9fe::1": false, "::7f00:1": false,
	} {
		if got := (Dialer{}).Allows(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: allowed %t, want %t", address, got, want)
		}
	}
	local := Dialer{AllowLocal: true}
	if !local.Allows(netip.MustParseAddr("127.0.0.1")) || local.Allows(netip.MustParseAddr("169.254.169.254")) {
		t.Error("the flag for development lets loopback through, and nothing else")
	}
}

// The name "localhost" is as good as any that an attacker's DNS makes lead here: what counts is the address that is dialled.
func TestANameThatLeadsToThisMachineIsRefusedWhenItIsDialled(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"localhost:" + port, "127.0.0.1:" + port, "[::ffff:127.0.0.1]:" + port} {
		if _, err := (Dialer{}).DialContext(context.Background(), "tcp", address); !errors.Is(err, ErrRefusedAddress) {
			t.Errorf("%s: %v, want a refusal", address, err)
		}
	}
	conn, err := (Dialer{AllowLocal: true}).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}
