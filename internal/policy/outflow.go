package policy

import (
	"math"
	"slices"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// sortOutputs tells change from payments. Where a signature leaves outputs open, nothing
// is change: another output can take its place.
func (j *judge) sortOutputs() {
	j.d.Payments = slices.Clip(j.in.Payments)
	open := slices.ContainsFunc(j.in.Signatures, func(s intent.Signature) bool { return leavesOutputsOpen(s.Sighash) })
	for _, c := range j.in.Change {
		if !open && len(c.Path) == 2 && c.Path[0] == 1 && j.near(c) {
			j.d.Change = append(j.d.Change, c)
			continue
		}
		j.d.Payments = append(j.d.Payments,
			intent.Payment{At: c.At, To: c.To, Amount: intent.Amount{Asset: intent.Bitcoin, Units: c.Units}})
	}
}

// near reports whether a wallet that looks for its money will find it: the index is not
// far above those that were spent from.
func (j *judge) near(c intent.Change) bool {
	if c.Root < 0 || c.Root >= len(j.ask.Roots) || len(c.Path) == 0 {
		return false
	}
	seen := j.ledger.highest(j.ask.Roots[c.Root].ID)
	return uint64(c.Path[len(c.Path)-1]) <= uint64(seen)+uint64(j.gap)
}

// charge finds what leaves, fees included, and which limits that is for.
func (j *judge) charge() {
	j.outflow()
	for _, l := range j.limits {
		units := j.leaves(l.asset)
		if units == 0 || l.window.length == 0 {
			continue
		}
		if l.scope == scopeClient {
			j.d.Charges = append(j.d.Charges, Charge{Subject: j.ask.Client, Units: units, limit: l})
			continue
		}
		for _, id := range j.signers() {
			j.d.Charges = append(j.d.Charges, Charge{Subject: id, Units: units, limit: l})
		}
	}
}

// outflow adds up what leaves, by asset, and takes the change off.
func (j *judge) outflow() {
	for _, a := range j.in.Outflow {
		i := slices.IndexFunc(j.out, func(o intent.Amount) bool { return o.Asset == a.Asset })
		if i < 0 {
			i, j.out = len(j.out), append(j.out, intent.Amount{Asset: a.Asset})
		}
		j.out[i].Units = add(j.out[i].Units, a.Units)
	}
	for i := range j.out {
		if j.out[i].Asset == intent.Bitcoin {
			for _, c := range j.d.Change {
				j.out[i].Units -= min(j.out[i].Units, c.Units)
			}
		}
	}
	j.out = slices.DeleteFunc(j.out, func(a intent.Amount) bool { return a.Units == 0 })
}

// leaves is how much of an asset leaves.
func (j *judge) leaves(asset string) uint64 {
	switch asset {
	case jobs:
		return 1
	case signatures:
		return uint64(len(j.in.Signatures))
	}
	for _, a := range j.out {
		if a.Asset == asset {
			return a.Units
		}
	}
	return 0
}

// add adds without going round.
func add(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

// signers are the keys that would sign: each is charged the whole, as which of them the
// money is of can't be told.
func (j *judge) signers() []string {
	var ids []string
	seen := make([]bool, len(j.ask.Roots))
	for _, s := range j.in.Signatures {
		if s.Root >= 0 && s.Root < len(seen) && !seen[s.Root] {
			seen[s.Root] = true
			if id := j.ask.Roots[s.Root].ID; !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}
