package protocol

import (
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// What administrators freeze.
//
// From the step on that sees a freeze, no nonce is used and no share leaves the machine for
// whom it is about: sessions end, their nonces wiped, and later ones are refused. Shares
// that have left the machine and wait for the bus are their program's to stop: it asks
// Frozen before they go, and hears of each change by FreezesChanged. A frozen client or
// fleet generates no keys either; batches that this node has certified stay what they are.
// Freezes outlive what CONTROL has: they are kept on disk, and lifted by a quorum alone.

// ControlMessage is a message of CONTROL. It may come again.
type ControlMessage struct{ wire.LogMessage }

// FreezesChanged asks a node's program to keep Node.KeptFreezes, and to stop what it is
// publishing for whom Node.Frozen says.
type FreezesChanged struct{}

func (ControlMessage) event()  {}
func (FreezesChanged) effect() {}

func (e ControlMessage) String() string { return logLine("ControlMessage", e.LogMessage) }
func (FreezesChanged) String() string   { return "FreezesChanged" }

// FrozenBy returns why a message must not leave any more, nil if it may: it is a nonce
// or a share for whom is frozen.
func (p Publish) FrozenBy(frozen *wire.Frozen) *wire.JobError {
	if p.request == nil {
		return nil
	}
	return frozen.Work(p.request.client, p.request.keys)
}

// freezes is what is frozen now.
type freezes struct {
	book *wire.FreezeBook
	view *atomic.Pointer[wire.Frozen] // programs read it beside Step
}

func newFreezes(m *wire.Manifest, kept *wire.FreezeBook) freezes {
	if kept == nil {
		kept = wire.NewFreezeBook(m)
	}
	f := freezes{book: kept, view: &atomic.Pointer[wire.Frozen]{}}
	f.view.Store(kept.Frozen())
	return f
}

func (f *freezes) frozen() *wire.Frozen { return f.view.Load() }

// add takes a message, and returns reports of what changed, or of what is wrong with it.
func (f *freezes) add(access *wire.Access, msg wire.LogMessage) (news wire.FreezeNews, reports []Effect) {
	news, err := f.book.Add(access, msg.Subject, msg.Data)
	if err != nil {
		return news, []Effect{Report{What: ReportBadControl, ID: msg.Subject, Reason: err.Error(), Culprit: -1}}
	}
	return news, f.took(news)
}

// recount takes a new access list. What CONTROL has is read once more where others are
// administrators now: what they said may count.
func (f *freezes) recount(access, before *wire.Access) (news wire.FreezeNews, effects []Effect) {
	if access.SameAdministrators(before) {
		return news, nil
	}
	news = f.book.Recount(access)
	return news, append(f.took(news), Refetch{Control: true})
}

func (f *freezes) took(news wire.FreezeNews) (reports []Effect) {
	if news.None() {
		return nil
	}
	f.view.Store(f.book.Frozen())
	for _, one := range news.Frozen {
		reason := fmt.Sprintf("%s, by administrator %s: %s", one.Target(), one.By, one.Reason)
		reports = append(reports, freezeReport(ReportFrozen, one, reason))
	}
	for _, one := range news.Lifted {
		reports = append(reports, freezeReport(ReportUnfrozen, one, one.Target()))
	}
	return reports
}

func freezeReport(what ReportKind, f *wire.Freeze, reason string) Report {
	return Report{What: what, ID: wire.ShortFreezeID(f.ID), Code: wire.CodeFrozen, Reason: reason, Culprit: -1}
}

// Frozen is what is frozen now. It may be called beside Step.
func (n *Node) Frozen() *wire.Frozen { return n.freezes.frozen() }

// KeptFreezes is what the node's disk has to remember of freezes: the input of
// wire.OpenKeptFreezes.
func (n *Node) KeptFreezes() []byte { return n.freezes.book.Keep() }

// Freezes are the freezes in force.
func (n *Node) Freezes() []*wire.Freeze { return n.freezes.book.InForce() }

func (n *Node) onControl(e ControlMessage) []Effect {
	news, effects := n.freezes.add(n.cfg.Access, e.LogMessage)
	return append(effects, n.obey(news)...)
}

// recountFreezes takes a new access list.
func (n *Node) recountFreezes(before *wire.Access) []Effect {
	news, effects := n.freezes.recount(n.cfg.Access, before)
	return append(effects, n.obey(news)...)
}

// obey ends what is frozen now.
func (n *Node) obey(news wire.FreezeNews) []Effect {
	if news.None() {
		return nil
	}
	effects := []Effect{FreezesChanged{}}
	if len(news.Frozen) == 0 {
		return effects
	}
	frozen := n.freezes.frozen()
	for _, id := range slices.Sorted(maps.Keys(n.signer.sessions)) {
		effects = append(effects, n.signer.sessions[id].freeze(frozen)...)
	}
	return append(effects, n.dealer.freeze(frozen)...)
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

// frozenWork returns why a session must not begin, nil if it may.
func (n *nodeCore) frozenWork(r *signRequest) *wire.JobError {
	return n.freezes.frozen().Work(r.client, r.keys)
}

// frozenKeygen returns why a key generation must not begin, nil if it may.
func (n *nodeCore) frozenKeygen(e taskOpened) error {
	if e.header == nil {
		return nil
	}
	if err := n.freezes.frozen().Client(e.header.Client); err != nil {
		return err
	}
	return nil
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
