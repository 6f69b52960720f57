package protocol

import (
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// The keys and items of a session, until nonces are drawn for them.

func (s *signing) load() Effect {
	s.loads++
	return Load{ID: s.id, Keys: s.request.keys}
}

// onLoaded has every item validated before anything is drawn for it: what the
// nonces will be spent on is fixed here.
func (n *signer) onLoaded(e Loaded) []Effect {
	if t := n.judge.tallies[e.ID]; t != nil {
		return n.onTally(t, e)
	}
	s, keys := n.sessions[e.ID], e.Keys
	if s == nil || s.phase != signLoading {
		wipeLoaded(keys)
		return nil
	}
	for i, id := range s.request.keys {
		if n.refused[id.Batch] && i < len(keys) {
			wipeLoaded(keys[i : i+1])
			keys[i] = LoadedKey{}
		}
	}
	heads, coming := n.addPublic(s.request, keys)
	if coming && s.loads < loadRetries {
		wipeLoaded(keys)
		return append(heads, s.loadLater())
	}
	request, moved, branches := s.request, n.movedKeys(s.request.keys), n.branches
	m, access, p, now := n.cfg.Manifest, n.cfg.Access, n.judge.policy, n.now
	check := func() Event {
		checked, refusal := request.check(keys, moved, branches)
		if refusal != nil {
			wipeLoaded(keys)
			return itemsChecked{s: s, refusal: refusal}
		}
		e := itemsChecked{s: s, items: checked.items}
		if p != nil {
			e.judgment = request.judged(m, access, p, checked.means, now)
		}
		return e
	}
	if s.count <= inlineChecks && readInline(request.job) {
		return append(heads, s.onItems(check().(itemsChecked))...)
	}
	return append(heads, s.compute("check items", check, func() { wipeLoaded(keys) }))
}

// loadLater has the keys looked for once more.
func (s *signing) loadLater() Effect { return After{Delay: loadDelay, Timer: Timer{s.id, timerLoad}} }

type itemsChecked struct {
	s        *signing
	items    []frost.Item
	judgment *judgment // nil: no policy was in force
	refusal  *wire.JobError
}

func (itemsChecked) event() {}

func (e itemsChecked) resume() []Effect { return e.s.onItems(e) }

func (s *signing) onItems(e itemsChecked) []Effect {
	switch {
	case s.phase != signLoading:
		wipeItems(e.items)
		return nil
	case e.refusal == nil:
	case e.refusal.Code == wire.CodeUnknownKey && s.loads < loadRetries:
		return []Effect{s.loadLater()}
	default:
		return s.refuse(e.refusal.Code, e.refusal.Reason)
	}
	s.items, s.suite = e.items, e.items[0].Key.Suite
	if ended, over := s.expiring(e.judgment); over {
		return ended
	}
	effects, denial := s.decide(e.judgment)
	if denial != nil {
		return s.refuse(denial.Code, denial.Reason)
	}
	for pos := range s.commits.arrivals {
		effects = append(effects, s.check(pos)...)
		if s.phase != signLoading {
			return effects // the set is complete without this node
		}
	}
	if s.commits.maybeValid() >= s.node.cfg.Manifest.T {
		return append(effects, s.sitOut("enough others have committed")...)
	}
	return append(effects, s.draw()...)
}
