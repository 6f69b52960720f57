package machine

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Lineage is the manifests that the program goes by.
func (r *Runner[M]) Lineage() *wire.Lineage { return r.lineage.Load() }

// GoBy has the program go by more manifests than before. It is for what was read of KEYS
// out of its order: what is followed from a cursor on does not tell of those before.
func (r *Runner[M]) GoBy(l *wire.Lineage) { r.extend(l, nil) }

// learn takes a manifest or a succession of KEYS. It is called in the order of the log, and
// before what follows there is read: a gateway writes a succession before any entry that
// needs it.
func (r *Runner[M]) learn(msg wire.LogMessage) {
	l := r.Lineage()
	if l == nil {
		return
	}
	switch wire.LineageMessage(msg.Subject) {
	case wire.LineageManifest:
		m, err := wire.ParseManifest(msg.Data)
		if err != nil {
			r.log.Warn("KEYS has a manifest that can't be read", "subject", msg.Subject, "err", err)
			return
		}
		if want, ok := l.Wanted(); ok && m.Hash() == want {
			r.extend(l.WithParent(m))
		}
		r.Step(protocol.ManifestSeen{Manifest: m})
	case wire.LineageSuccession:
		r.extend(l.WithSuccession(msg.Data))
	}
}

// extend goes by another lineage from now on.
func (r *Runner[M]) extend(next *wire.Lineage, err error) {
	before := r.Lineage()
	switch {
	case err != nil:
		r.log.Warn("a succession in KEYS does not count", "err", err)
		return
	case next == before:
		return
	}
	r.lineage.Store(next)
	if fork := next.Fork(); fork != nil {
		r.log.Error("no key moves until operators have settled it", "err", fork)
	} else {
		newest := next.Newest()
		hash := newest.Hash()
		r.log.Info("another manifest counts", "manifest", fmt.Sprintf("%x", hash), "epoch", newest.Epoch, "t", newest.T,
			"n", newest.N, "manifests", len(next.Chain()))
	}
	r.Step(protocol.LineageChanged{Lineage: next})
	r.followMoreRounds()
}

// paced takes the administrator's word on whether keys move.
func (r *Runner[M]) paced(msg wire.LogMessage) {
	p, err := wire.ParsePace(msg.Data)
	if err != nil {
		r.log.Warn("CONTROL has a word on resharing that can't be read", "seq", msg.Seq, "err", err)
		return
	}
	r.Step(protocol.PaceChanged{Pace: p})
}
