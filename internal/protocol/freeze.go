package protocol

import (
	"maps"
	"slices"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// What administrators freeze, at a node.
//
// From the step on that sees a freeze, no nonce is used and no share leaves the machine for
// whom it is about: sessions end, their nonces wiped, and later ones are refused. Shares
// that have left the machine and wait for the bus are their program's to stop: it asks
// Frozen before they go, and hears of each change by FreezesChanged. A frozen client or
// fleet generates no keys either; batches that this node has certified stay what they are.
// Freezes outlive what CONTROL has: they are kept on disk, and lifted by a quorum alone.

// onControl takes what an administrator said.
func onControl(s *signer, d *dealer, e ControlMessage) []Effect {
	news, effects := s.freezes.add(s.cfg.Access, e.LogMessage)
	return append(effects, obey(s, d, news)...)
}

// recountFreezes takes the access list that counts now.
func recountFreezes(s *signer, d *dealer, before *wire.Access) []Effect {
	news, effects := s.freezes.recount(s.cfg.Access, before)
	return append(effects, obey(s, d, news)...)
}

// obey ends what is frozen now.
func obey(s *signer, d *dealer, news wire.FreezeNews) []Effect {
	if news.None() {
		return nil
	}
	effects := []Effect{FreezesChanged{}}
	if len(news.Frozen) == 0 {
		return effects
	}
	frozen := s.frozen()
	for _, id := range slices.Sorted(maps.Keys(s.sessions)) {
		effects = append(effects, s.sessions[id].freeze(frozen)...)
	}
	return append(effects, d.freeze(frozen)...)
}

// freeze ends the session if it is for what is frozen. Who has promised something says so.
func (s *signing) freeze(frozen *wire.Frozen) []Effect {
	if s.phase >= signDone {
		return nil
	}
	switch err := frozen.Work(s.request.client, s.request.keys); {
	case err == nil:
		return nil
	case s.phase < signDrawing:
		return s.sitOut(err.Reason)
	default:
		return s.refuse(err.Code, err.Reason)
	}
}

// freeze gives up the key generations of whom is frozen, but for those that this node has
// certified, and drops those that wait.
func (n *dealer) freeze(frozen *wire.Frozen) []Effect {
	for _, p := range n.parts {
		if frozen.Client(p.client) != nil {
			clear(p.waiting)
		}
	}
	return n.giveUpEach(func(b *dkg) *fault {
		if b.header == nil {
			return nil
		}
		if err := frozen.Client(b.header.Client); err != nil {
			return &fault{err.Code, err.Reason, -1}
		}
		return nil
	})
}
