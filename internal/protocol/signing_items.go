package protocol

import (
	"bytes"
	"slices"
	"sort"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/bip445"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// validate makes items of what the keystore gave.
func (s *signing) validate(keys []LoadedKey) ([]frost.Item, *wire.JobError) {
	items := make([]frost.Item, len(s.which))
	for i, w := range s.which {
		it := s.job.Items[w]
		if i >= len(keys) || keys[i].Key == nil {
			return nil, wire.Refuse(wire.CodeUnknownKey, "item %d: key %s is not in this node's keystore", w, it.Key)
		}
		if keys[i].Owner != s.client {
			return nil, wire.Refuse(wire.CodeNotOwner, "item %d: key %s belongs to another client", w, it.Key)
		}
		if keys[i].Key.Suite == frost.Secp256k1TR && s.draft != bip445.Draft {
			return nil, wire.Refuse(wire.CodeOtherDraft, "the gateway aggregates by BIP 445 draft %q, and this node signs by draft %s: "+
				"run one version everywhere", s.draft, bip445.Draft)
		}
		items[i] = frost.Item{Key: keys[i].Key, Message: it.Message, Tweak: it.Tweak(keys[i].Key.Suite)}
		if err := checkItem(items[i], items[0]); err != nil {
			return nil, wire.Refuse(err.Code, "item %d: %s", w, err.Reason)
		}
	}
	return items, nil
}

func wipeLoaded(keys []LoadedKey) {
	for _, k := range keys {
		if k.Key != nil {
			k.Key.Share.Wipe()
		}
	}
}

// rank orders the nodes that take part by a hash of the session, so that load
// spreads: the first t commit at once.
func rank(session [32]byte, exclude []uint8, n, me int) int {
	type place struct {
		node int
		hash [32]byte
	}
	var places []place
	for i := range n {
		if !slices.Contains(exclude, uint8(i)) {
			places = append(places, place{i, frost.Hash("frostfleet/rank/v1", session[:], wire.Be32(i))})
		}
	}
	sort.Slice(places, func(a, b int) bool { return bytes.Compare(places[a].hash[:], places[b].hash[:]) < 0 })
	return slices.IndexFunc(places, func(p place) bool { return p.node == me })
}

// checkItem validates an item, which has the suite of the session's first.
func checkItem(item, first frost.Item) *wire.JobError {
	if item.Key.Suite != first.Key.Suite {
		return wire.Refuse(wire.CodeBadMessage, "a %s key among %s keys: publish a job for each suite", item.Key.Suite, first.Key.Suite)
	}
	if item.Key.Suite != frost.Secp256k1TR && item.Tweak.Mode != frost.TweakNone {
		return wire.Refuse(wire.CodeBadTweak, "script_root with a %s key: only Bitcoin keys are tweaked", item.Key.Suite)
	}
	if err := item.Validate(); err != nil {
		return wire.Refuse(wire.CodeBadMessage, "%v", err)
	}
	return nil
}
