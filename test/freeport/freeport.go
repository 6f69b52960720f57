// Package freeport finds TCP ports for the programs of tests.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// given are the ports that New gave out, to be used in a moment.
var given sync.Map

// New finds a TCP port on loopback that nobody listens on. It is below those
// that the system gives to connections: one of these might be taken before the
// server that is to listen on it starts, or between two starts of one, even by a
// client that looks for that server.
func New(t interface {
	Helper()
	Fatal(args ...any)
}) int {
	t.Helper()
	return Range(t, 1)
}

// Range finds n ports in a row, and gives the first.
func Range(t interface {
	Helper()
	Fatal(args ...any)
}, n int) int {
	t.Helper()
	const lowest, ports = 10_000, 22_000
	for range 100 {
		first := lowest + rand.IntN(ports-n)
		if free(first, n) {
			return first
		}
	}
	t.Fatal("no port is free on loopback")
	return 0
}

// free takes n ports if nobody listens on any of them or was given one.
func free(first, n int) bool {
	for port := first; port < first+n; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		l.Close()
		if _, taken := given.LoadOrStore(port, true); taken {
			return false
		}
	}
	return true
}
