package protocol

import (
	"errors"
	"slices"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// The life of a session's nonces: drawn, committed to, spent or wiped.

// draw makes the nonces. They come from the system's generator, and nothing of the
// session replaces that: it is mixed in, with the shares as BIP 445 and RFC 9591
// require.
func (s *signing) draw() []Effect {
	if s.commits.has(s.node.cfg.Index) {
		return s.sitOut("this node committed in an earlier life and has no nonces for it")
	}
	if ended, over := s.over(); over {
		return ended
	}
	if stopped := s.stopped(); stopped != nil {
		return stopped
	}
	s.to(signDrawing)
	items, rand, publish := s.items, s.node.cfg.Rand, s.publishCommit()
	session, form := s.request.session, s.request.form
	return []Effect{s.compute("draw nonces", func() Event {
		nonces, points, err := frost.Commit(rand, session, form, items)
		if err != nil {
			return noncesMade{s: s, items: items, err: err}
		}
		return noncesMade{s: s, items: items, nonces: nonces, points: points, publish: publish(points)}
	}, func() { wipeItems(items) })}
}

// publishCommit returns what makes the message out of the points. It belongs to a
// computation: both grow with the items.
func (s *signing) publishCommit() func(points []byte) Publish {
	m, session, node := s.node.cfg.Manifest, s.request.session, s.node.cfg.Index
	p := s.publish(wire.SlotCommit, nil)
	return func(points []byte) Publish {
		body := wire.CommitBody{Session: session, Points: points}
		if !m.AttestSigning {
			p.Body = wire.Encode(&body)
			return p
		}
		leaf := wire.CommitLeaf(m, session, node, points)
		p.Leaf, p.With = &leaf, func(a *wire.Attestation) []byte {
			body.Attestation = a
			return wire.Encode(&body)
		}
		return p
	}
}

type noncesMade struct {
	s       *signing
	items   []frost.Item
	nonces  *frost.Nonces
	points  []byte
	publish Publish
	err     error
}

func (noncesMade) event() {}

func (e noncesMade) resume() []Effect { return e.s.onNonces(e) }

func (s *signing) onNonces(e noncesMade) []Effect {
	counts := &s.node.nonces
	if e.err == nil {
		counts.drawn += uint64(s.count)
	}
	if s.phase != signDrawing {
		if e.err == nil {
			counts.dropped += uint64(s.count)
		}
		e.nonces.Wipe()
		wipeItems(e.items)
		return nil
	}
	if e.err != nil {
		wipeItems(e.items)
		code := wire.CodeInternal
		if errors.Is(e.err, frost.ErrChild) {
			code = wire.CodeBadPath
		}
		return s.refuse(code, "commit: "+e.err.Error())
	}
	s.to(signCommitted)
	s.nonces, s.points = e.nonces, e.points
	s.promise = &e.publish
	return s.commit()
}

// commit publishes the commitment, once the charge for the job is on the disk. So one that
// the log has shows a later life of this node that it need not charge the job; and a node
// whose disk takes nothing holds nobody up.
func (s *signing) commit() []Effect {
	if s.promise == nil || s.unsaved() {
		return nil // onSaved comes back
	}
	publish := *s.promise
	s.promise = nil
	if ended, over := s.over(); over {
		return ended
	}
	return []Effect{publish, s.counted(ReportCommitted)}
}

// sign spends the nonces on the set, if this node is in it. They are taken
// out of the session first: whatever comes of the computation, and whatever
// the log shows later, they are gone.
func (s *signing) sign() []Effect {
	if s.phase == signOut {
		return nil
	}
	if !slices.Contains(setIndices(s.set), uint8(s.node.cfg.Index)) || s.phase != signCommitted {
		return s.sitOut("not in the signing set")
	}
	if ended, over := s.over(); over {
		return ended // its nonces are wiped
	}
	if stopped := s.stopped(); stopped != nil {
		return stopped // its nonces are wiped
	}
	s.to(signComputing)
	nonces, set, items := s.nonces, s.set, s.items
	s.nonces, s.items = nil, nil
	s.node.nonces.used += uint64(s.count)
	session, form, index, oracle := s.request.session, s.request.form, s.node.cfg.Index, s.node.cfg.Oracle
	counts, count := &s.node.nonces, uint64(s.count)
	return []Effect{s.compute("make shares", func() Event {
		defer wipeItems(items)
		shares, err := nonces.Sign(set)
		if err != nil {
			return sharesMade{s: s, err: err}
		}
		oracle.Shares(form, items, set, index, shares)
		body := wire.ShareBody{Session: session, Set: wire.SetHash(set), Shares: shares}
		return sharesMade{s: s, body: wire.Encode(&body)}
	}, func() {
		nonces.Wipe()
		wipeItems(items)
		counts.used, counts.dropped = counts.used-count, counts.dropped+count
	})}
}

type sharesMade struct {
	s    *signing
	body []byte
	err  error
}

func (sharesMade) event() {}

func (e sharesMade) resume() []Effect { return e.s.onShares(e) }

func (s *signing) onShares(e sharesMade) []Effect {
	if s.phase != signComputing {
		clear(e.body)
		return nil
	}
	if e.err != nil {
		return s.refuse(wire.CodeInternal, "sign: "+e.err.Error())
	}
	if ended, over := s.over(); over {
		clear(e.body)
		return ended
	}
	if stopped := s.stopped(); stopped != nil {
		clear(e.body)
		return stopped
	}
	publish, report := s.publish(wire.SlotShare, e.body), s.counted(ReportShared)
	for _, c := range s.set {
		report.Nodes = append(report.Nodes, c.Index)
	}
	s.to(signDone)
	s.release()
	return []Effect{publish, report}
}

// stopped ends the session if its suite may sign nothing here any more.
func (s *signing) stopped() []Effect {
	if err := stoppedFor(s.node.cfg.Oracle, s.suite); err != nil {
		return s.refuse(wire.CodeInternal, err.Error())
	}
	return nil
}

// unsaved reports whether the session's job is charged, and not on the disk yet.
func (s *signing) unsaved() bool { return s.saved > s.node.judge.ledger.Seq() }
