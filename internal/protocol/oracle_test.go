package protocol

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// listener is an oracle that is offered everything and says what a test has it say.
type listener struct {
	stopped error
	shares  map[int][]byte
	sigs    []frost.Signature
	offered func()
}

func (l *listener) Shares(form frost.Form, items []frost.Item, set []frost.NonceCommitment, index int, shares []byte) {
	if len(shares) != len(items)*frost.ScalarSize || len(set[0].Points) != len(items)*form.NonceSize(items[0].Key.Suite) {
		panic("what is offered does not fit together")
	}
	l.shares[index] = bytes.Clone(shares)
	if l.offered != nil {
		l.offered()
	}
}

func (l *listener) Signatures(
	_ frost.Form, _ []frost.Item, _ []frost.NonceCommitment, _ [][]byte, sigs []frost.Signature,
) {
	l.sigs = sigs
	if l.offered != nil {
		l.offered()
	}
}

func (l *listener) Stopped() error { return l.stopped }

var errOracle = errors.New("another implementation came to another result")

// overheard is a job of ed25519, or of secp256k1-tr, before the gateway hears of it.
func overheard(t *testing.T, edwards bool) (s *signCase, nodes []*listener, gateway *listener) {
	f := agedFleet(t)
	batch := f.btc
	if edwards {
		batch = f.sol
	}
	for i := range f.nodes {
		nodes = append(nodes, &listener{shares: map[int][]byte{}})
		f.nodes[i].cfg.Oracle = nodes[i]
	}
	gateway = &listener{}
	f.desk.signing.cfg.Oracle = gateway
	return &signCase{f, f.signing(9, "alice", item(batch, 0, "one"), item(batch, 1, "two"))}, nodes, gateway
}

func (s *signCase) run() {
	s.desk.arrive(s.job, nil)
	s.drainTasks()
	s.drain()
}

// Each node offers its own shares, the gateway what it made of them.
func TestOracleIsOffered(t *testing.T) {
	s, nodes, gateway := overheard(t, true)
	s.run()
	s.done(1)
	offered := 0
	for i, l := range nodes {
		for node, shares := range l.shares {
			offered++
			if said := s.nodes[i].said.shares; node != i || !slices.ContainsFunc(values(said), func(b []byte) bool {
				return bytes.Contains(b, shares)
			}) {
				t.Errorf("node %d offers shares of node %d, or others than it published", i, node)
			}
		}
	}
	if offered != s.m.T || len(gateway.sigs) != 2 || gateway.sigs[0].Bytes == nil {
		t.Errorf("%d nodes offered shares, and the gateway %d signatures", offered, len(gateway.sigs))
	}
}

func values[K comparable, V any](m map[K]V) (all []V) {
	for _, v := range m {
		all = append(all, v)
	}
	return all
}

// A node that is stopped draws no nonces for ed25519 and says so; the others sign. It goes on
// with secp256k1-tr.
func TestStoppedNode(t *testing.T) {
	for _, edwards := range []bool{true, false} {
		s, nodes, _ := overheard(t, edwards)
		leader := s.leader()
		nodes[leader].stopped = errOracle
		s.run()
		if edwards {
			if r := s.nodes[leader]; r.signer.nonces.drawn != 0 || len(nodes[leader].shares) != 0 {
				t.Errorf("a stopped node drew %d nonces", r.signer.nonces.drawn)
			}
			s.refusalOf(leader)
			continue
		}
		s.done(1)
	}
}

// leader is a node that is asked first.
func (s *signCase) leader() int {
	task := wire.SignTask(s.job, 0, []uint32{0, 1}, nil).For(s.m)
	return ranking(task.Session(s.m), nil, s.m.N)[0]
}

// refusalOf ends the test unless a node published that it refuses, and why.
func (s *signCase) refusalOf(node int) {
	s.t.Helper()
	for _, m := range s.fleet.sign {
		slot, err := wire.ParseSlot(m.Subject)
		if err == nil && slot.Node == node && slot.Kind == wire.SlotRefuse {
			return
		}
	}
	s.t.Errorf("node %d does not say that it refuses", node)
}

// A disagreement that is found while a node computes keeps its share back.
func TestStoppedWhileComputing(t *testing.T) {
	s, nodes, _ := overheard(t, true)
	for _, l := range nodes {
		l.offered = func() { l.stopped = errOracle }
	}
	s.run()
	for i, a := range s.nodes {
		if len(a.said.shares) != 0 {
			t.Errorf("node %d published a share", i)
		}
	}
}

// A gateway that is stopped ends jobs of ed25519, also one that it was adding up.
func TestStoppedGateway(t *testing.T) {
	for name, prepare := range map[string]func(l *listener){
		"before":       func(l *listener) { l.stopped = errOracle },
		"while adding": func(l *listener) { l.offered = func() { l.stopped = errOracle } },
	} {
		s, _, gateway := overheard(t, true)
		prepare(gateway)
		s.run()
		if r := s.desk.result(); r.Code != wire.CodeInternal || len(r.Sigs) != 0 || !strings.Contains(r.Error, errOracle.Error()) {
			t.Errorf("%s: %s: %s, %d signatures", name, r.Code, r.Error, len(r.Sigs))
		}
	}
	s, _, gateway := overheard(t, false)
	gateway.stopped = errOracle
	s.run()
	s.done(1)
}
