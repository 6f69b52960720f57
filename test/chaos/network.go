package chaos

import (
	"fmt"

	"github.com/frostfleet/frostfleet/test/faultlink"
)

// network is every link of the fleet, by who dials and who listens. Servers dial
// each other, and everybody else dials servers.
type network struct {
	t     faultlink.T
	links map[wire]*faultlink.Link
}

// wire is a pair of names.
type wire struct{ from, to string }

func newNetwork(t faultlink.T) *network { return &network{t, map[wire]*faultlink.Link{}} }

// link makes a link to a port, and gives its address.
func (n *network) link(from, to string, port int) string {
	l := faultlink.New(n.t, fmt.Sprint("127.0.0.1:", port))
	n.links[wire{from, to}] = l
	return l.Addr()
}

// silence lets nothing that a sends reach b, or lets it again.
func (n *network) silence(a, b string, yes bool) {
	for _, way := range []struct {
		wire
		d faultlink.Direction
	}{{wire{a, b}, faultlink.Up}, {wire{b, a}, faultlink.Down}} {
		switch l := n.links[way.wire]; {
		case l == nil:
		case yes:
			l.Cut(way.d)
		default:
			l.Heal(way.d)
		}
	}
}

// each calls f with every link that one of the names is at an end of.
func (n *network) each(name string, f func(other string, l *faultlink.Link)) {
	for at, l := range n.links {
		switch name {
		case at.from:
			f(at.to, l)
		case at.to:
			f(at.from, l)
		}
	}
}

// heal ends every cut.
func (n *network) heal() {
	for _, l := range n.links {
		l.Refuse(false)
		l.Heal(faultlink.Up)
		l.Heal(faultlink.Down)
	}
}
