package protocol

import (
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// view is what a gateway knows of one manifest of its fleet, and of the nodes that it has.
// A batch of keys is of one view at a time, and so is an attempt at signing with them.
type view struct {
	manifest *wire.Manifest
	opener   *wire.Opener
	nodes    standings // by how they answer in signing
	dealing  standings // by how they deal in resharing
	presence *nodePresence
	held     board.Holdings // whole entries that its nodes certified
	batches  int            // whose keys they have now
	keys     int
}

// alive reports whether all nodes of the manifest were there at some time: each was heard
// since this gateway started, or together they certified keys.
func (v *view) alive() bool { return v.held.Len() > 0 || v.presence.allHeard() }

// named tells a node of a later manifest from one of the founding manifest, for people.
func (v *view) named() string {
	if !v.manifest.Successor() {
		return ""
	}
	return " (of epoch " + epochName(v.manifest) + ")"
}

// views are those of the manifests that this gateway goes by, in the order in which they
// follow one another.
type views struct {
	pinned   *wire.Manifest // of the gateway's configuration
	lineage  *wire.Lineage
	chain    []*view // oldest first
	access   *wire.Access
	presence *presence
	now      time.Time
}

func newViews(l *wire.Lineage, access *wire.Access) *views {
	s := &views{pinned: l.Pinned(), access: access, presence: newPresence()}
	s.follow(l)
	return s
}

// follow takes a fleet's manifests as they are known now. What is known of a manifest stays.
func (s *views) follow(l *wire.Lineage) {
	s.lineage = l
	var chain []*view
	for _, m := range l.Chain() {
		v := s.of(m.Hash())
		if v == nil {
			v = s.begin(m)
		}
		chain = append(chain, v)
	}
	s.chain, s.presence.nodes = chain, nil
	for _, v := range chain {
		s.presence.nodes = append(s.presence.nodes, v.presence)
	}
}

func (s *views) begin(m *wire.Manifest) *view {
	opener := wire.NewOpener(m, s.access)
	opener.SetTime(s.now)
	v := &view{
		manifest: m, opener: opener, nodes: newStandings(m.N), dealing: newStandings(m.N),
		presence: newNodePresence(m, opener, s.presence),
	}
	v.nodes.now, v.dealing.now = s.now, s.now
	return v
}

// of is the view of the manifest of that hash; nil if the gateway does not go by it.
func (s *views) of(hash [32]byte) *view {
	for _, v := range s.chain {
		if v.manifest.Hash() == hash {
			return v
		}
	}
	return nil
}

// ofTask is the view whose nodes a task is for; nil: none that this gateway goes by.
func (s *views) ofTask(t *wire.Task) *view {
	for _, v := range s.chain {
		if t.Of(v.manifest) {
			return v
		}
	}
	return nil
}

// widest has the most nodes: its bounds are those that a task is read with before it is
// known whose it is.
func (s *views) widest() *wire.Manifest {
	return slices.MaxFunc(s.chain, func(a, b *view) int { return a.manifest.N - b.manifest.N }).manifest
}

// after is the view that follows one; nil if none does.
func (s *views) after(v *view) *view {
	if i := slices.Index(s.chain, v); i >= 0 && i+1 < len(s.chain) {
		return s.chain[i+1]
	}
	return nil
}

// usable are the views under which something new may begin: all, or those up to a fork.
func (s *views) usable() []*view {
	if fork := s.lineage.Fork(); fork != nil {
		return s.chain[:slices.Index(s.chain, s.of(fork.Parent))+1]
	}
	return s.chain
}

// forKeys is the view under which keys are generated: the newest that is alive, or else
// that of the manifest in this gateway's configuration.
func (s *views) forKeys() *view {
	all := s.usable()
	for _, v := range slices.Backward(all) {
		if v.alive() {
			return v
		}
	}
	if pinned := s.of(s.pinned.Hash()); slices.Contains(all, pinned) {
		return pinned
	}
	return all[len(all)-1]
}

// form is that of attempts by the nodes of a view.
func (s *views) form(v *view) uint32 { return s.presence.form(v.presence) }

// tell is how the program's clock goes on.
func (s *views) tell(now time.Time) {
	s.now = now
	for _, v := range s.chain {
		v.opener.SetTime(now)
	}
}

// setAccess takes a new access list.
func (s *views) setAccess(a *wire.Access) {
	s.access = a
	for _, v := range s.chain {
		v.opener.SetAccess(a)
	}
}

// revoked are the nodes of a view that the access list revokes, ascending.
func (s *views) revoked(v *view) (nodes []int) {
	for i := range v.manifest.N {
		if s.access.RevokesNode(v.manifest, i) {
			nodes = append(nodes, i)
		}
	}
	return nodes
}
