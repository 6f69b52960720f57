package protocol

import (
	"bytes"
	"slices"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// The commitments of a session as they come by the log, until there is a set.

// onLog takes a message of this session in log order.
func (s *signing) onLog(slot wire.Slot, msg wire.LogMessage) []Effect {
	return append(s.sees(slot, msg), s.take(slot, msg)...)
}

func (s *signing) take(slot wire.Slot, msg wire.LogMessage) []Effect {
	if s.phase == signStandby && slot.Kind == wire.SlotShare {
		return s.onOthersShare(slot.Node)
	}
	if slot.Kind != wire.SlotCommit || s.phase >= signDone || s.commits.has(slot.Node) {
		return nil
	}
	if s.ownBytes(slot, msg) {
		s.commits.addOwn(slot.Node, s.points)
		return s.complete()
	}
	if s.phase == signStandby {
		s.waiting.add(slot.Node, msg)
		return nil
	}
	body, err := s.node.opener.FromNode(slot.Node, msg.Subject, msg.Time, msg.Data)
	if err != nil {
		return nil // junk
	}
	pos, _, ok := s.commits.add(slot.Node, body)
	if !ok {
		return nil
	}
	if slot.Node == s.node.cfg.Index && !s.ownCommit(pos) {
		return s.sitOut("this node committed in an earlier life and has no nonces for it")
	}
	return s.check(pos)
}

// onOthersShare ends a standby once t nodes have put something into the slots
// of their shares: they need no further commitment. Nothing is opened for that.
// If it was junk, the gateway opens another attempt.
func (s *signing) onOthersShare(node int) []Effect {
	if !slices.Contains(s.shared, node) {
		s.shared = append(s.shared, node)
	}
	if len(s.shared) < s.node.cfg.Manifest.T {
		return nil
	}
	return s.sitOut("enough others have answered")
}

// ownBytes reports whether a message is the commitment of this process, byte
// for byte, and came in time. Its signatures need no checking then.
func (s *signing) ownBytes(slot wire.Slot, msg wire.LogMessage) bool {
	if slot.Node != s.node.cfg.Index || s.phase != signCommitted || s.sealed == nil || !bytes.Equal(msg.Data, s.sealed) {
		return false
	}
	body, err := s.node.opener.ClaimedBody(slot.Node, msg.Time, msg.Data)
	return err == nil && bytes.Contains(body, s.points)
}

// ownCommit reports whether the commitment in the log is the one that this
// process holds the nonces of.
func (s *signing) ownCommit(pos int) bool {
	return s.nonces != nil && bytes.Equal(s.commits.arrivals[pos].Points, s.points)
}

func (s *signing) check(pos int) []Effect {
	a, form, suite, count, each := s.commits.arrivals[pos], s.request.form, s.suite, s.count, s.node.cfg.Each
	if a.state != checkPending || suite == 0 {
		return nil // judged, or to be checked once the suite is known
	}
	if a.Index == s.node.cfg.Index {
		return s.onChecked(commitChecked{s: s, pos: pos})
	}
	run := func() Event {
		return commitChecked{s: s, pos: pos, err: checkCommitment(each, form, suite, count, a.Points)}
	}
	if count <= inlineChecks {
		return s.onChecked(run().(commitChecked))
	}
	return []Effect{s.compute("check commitment", run, func() {})}
}

type commitChecked struct {
	s   *signing
	pos int
	err error
}

func (commitChecked) event() {}

func (e commitChecked) resume() []Effect { return e.s.onChecked(e) }

func (s *signing) onChecked(e commitChecked) []Effect {
	if s.phase >= signDone {
		return nil
	}
	s.commits.checked(e.pos, e.err)
	return s.complete()
}

// complete signs once the set is whole.
func (s *signing) complete() []Effect {
	if s.set != nil {
		return nil
	}
	if s.set = s.commits.set(s.node.cfg.Manifest.T); s.set == nil {
		return nil
	}
	return s.sign()
}
