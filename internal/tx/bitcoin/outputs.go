package bitcoin

import (
	"github.com/btcsuite/btcd/chaincfg"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// changeChain is the chain of a wallet's own addresses; that before it is of those that it
// gives away. BIP 44.
const changeChain = 1

// pay writes down what the outputs pay. What may be change goes to a child, on one of a
// wallet's two chains, of a root that an input is under, and to its output key without
// scripts, so that nobody else can spend it: the script is compared, as anything may be
// written beside it.
func (p *packet) pay(meaning *intent.Intent, mine []ours, l *locator, params *chaincfg.Params) *intent.Refusal {
	change, refusal := p.change(mine, l)
	if refusal != nil {
		return refusal
	}
	for i, out := range p.tx.TxOut {
		to, units := destination(out.PkScript, params), uint64(out.Value)
		if c, ok := change[i]; ok {
			c.To, c.Units = to, units
			meaning.Change = append(meaning.Change, c)
			continue
		}
		meaning.Payments = append(meaning.Payments, intent.Payment{
			At: i, To: to, Amount: intent.Amount{Asset: intent.Bitcoin, Units: units},
		})
	}
	return nil
}

// change finds the outputs that are change, by number.
func (p *packet) change(mine []ours, l *locator) (map[int]intent.Change, *intent.Refusal) {
	inputs := make(map[int]bool)
	for j := range mine {
		inputs[mine[j].root] = true
	}
	var all []place
	for i := range p.outputs {
		if p.outputs[i].get(outTapInternalKey) == nil || p.outputs[i].has(outTapTree) {
			continue
		}
		at, ok, err := p.outputs[i].place(i, outTapDerivation, outTapInternalKey)
		if err != nil {
			return nil, intent.Refuse(intent.BadPSBT, i, "output %d %v", i, err)
		}
		if ok && len(at.path) == 2 && at.path[0] <= changeChain {
			all = append(all, at)
		}
	}
	tweaks := make([]frost.Tweak, len(all))
	for j := range tweaks {
		tweaks[j].Mode = frost.TweakBIP86
	}
	places, err := l.locate(all, tweaks, func(root int) bool { return inputs[root] })
	if err != nil {
		return nil, intent.Refuse(intent.BadPSBT, -1, "the PSBT can't be read: %v", err)
	}
	found := make(map[int]intent.Change)
	for j := range places {
		at, key := all[j].at, places[j].output
		if places[j].root >= 0 && paysTo(p.tx.TxOut[at].PkScript, key) {
			found[at] = intent.Change{At: at, Root: places[j].root, Path: all[j].path}
		}
	}
	return found, nil
}
