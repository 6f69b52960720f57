package protocol

import (
	"bytes"
	"slices"
	"sort"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/bip445"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What a session signs, and for which of the fleet's nodes.

// How often a node looks for keys that it does not have yet. Another node may
// have seen the batch's last certificate earlier.
const (
	loadRetries = 60
	loadDelay   = 50 * time.Millisecond
)

// inlineChecks is up to how many items a commitment, or the items themselves, are
// checked on the spot: a detour over the pool would cost more.
const inlineChecks = 2

func (s *signing) load() Effect {
	s.loads++
	return Load{ID: s.id, Keys: s.request.keys}
}

// onLoaded has every item validated before anything is drawn for it: what the
// nonces will be spent on is fixed here.
func (s *signing) onLoaded(keys []LoadedKey) []Effect {
	if s.phase != signLoading {
		wipeLoaded(keys)
		return nil
	}
	request := s.request
	check := func() Event {
		items, refusal := request.check(keys)
		if refusal != nil {
			wipeLoaded(keys)
		}
		return itemsChecked{s, items, refusal}
	}
	if s.count <= inlineChecks {
		return s.onItems(check().(itemsChecked))
	}
	return []Effect{Compute{Urgent: s.urgent(), Name: "check items", Trace: s.trace, Run: check}}
}

// check makes items of what the keystore gave.
func (r *signRequest) check(keys []LoadedKey) ([]frost.Item, *wire.JobError) {
	items := make([]frost.Item, len(r.which))
	for i, w := range r.which {
		it := r.job.Items[w]
		if i >= len(keys) || keys[i].Key == nil {
			return nil, wire.Refuse(wire.CodeUnknownKey, "item %d: key %s is not in this node's keystore", w, it.Key)
		}
		if keys[i].Owner != r.client {
			return nil, wire.Refuse(wire.CodeNotOwner, "item %d: key %s belongs to another client", w, it.Key)
		}
		if keys[i].Key.Suite == frost.Secp256k1TR && r.draft != bip445.Draft {
			return nil, wire.Refuse(wire.CodeOtherDraft, "the gateway aggregates by BIP 445 draft %q, and this node signs by "+
				"draft %s: run one version everywhere", r.draft, bip445.Draft)
		}
		items[i] = frost.Item{Key: keys[i].Key, Message: it.Message, Tweak: it.Tweak(keys[i].Key.Suite)}
		if err := checkItem(items[i], items[0]); err != nil {
			return nil, wire.Refuse(err.Code, "item %d: %s", w, err.Reason)
		}
	}
	return items, nil
}

// checkItem validates an item, which has the suite of the session's first.
func checkItem(item, first frost.Item) *wire.JobError {
	if item.Key.Suite != first.Key.Suite {
		return wire.Refuse(wire.CodeBadMessage, "a %s key among %s keys: publish a job for each suite",
			item.Key.Suite, first.Key.Suite)
	}
	if item.Key.Suite != frost.Secp256k1TR && item.Tweak.Mode != frost.TweakNone {
		return wire.Refuse(wire.CodeBadTweak, "script_root with a %s key: only keys of %s are tweaked", item.Key.Suite,
			frost.Secp256k1TR)
	}
	if err := item.Validate(); err != nil {
		return wire.Refuse(wire.CodeBadMessage, "%v", err)
	}
	return nil
}

func (s *signing) onItems(e itemsChecked) []Effect {
	switch {
	case s.phase != signLoading:
		wipeItems(e.items)
		return nil
	case e.refusal == nil:
	case e.refusal.Code == wire.CodeUnknownKey && s.loads < loadRetries:
		return []Effect{After{Delay: loadDelay, Timer: Timer{s.id, timerLoad}}}
	default:
		return s.refuse(e.refusal.Code, e.refusal.Reason)
	}
	s.items, s.suite = e.items, e.items[0].Key.Suite
	var effects []Effect
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

func wipeLoaded(keys []LoadedKey) {
	for _, k := range keys {
		if k.Key != nil {
			k.Key.Share.Wipe()
		}
	}
}

func wipeItems(items []frost.Item) {
	for _, it := range items {
		it.Key.Share.Wipe()
	}
}

// rankOf orders the nodes that take part by a hash of the session, so that load
// spreads: the first t commit at once. It returns -1 for an excluded node.
func rankOf(session [32]byte, exclude []uint8, n, node int) int {
	type ranked struct {
		node int
		hash [32]byte
	}
	var all []ranked
	for i := range n {
		if !slices.Contains(exclude, uint8(i)) {
			all = append(all, ranked{i, frost.Hash("frostfleet/rank/v1", session[:], wire.Be32(i))})
		}
	}
	sort.Slice(all, func(a, b int) bool { return bytes.Compare(all[a].hash[:], all[b].hash[:]) < 0 })
	return slices.IndexFunc(all, func(r ranked) bool { return r.node == node })
}
