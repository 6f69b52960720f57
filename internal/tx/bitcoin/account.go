package bitcoin

import (
	"cmp"
	"slices"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// account says what the client has less afterwards: Spends, Outflow, Fee and Unclear.
//
// A policy charges Outflow less the change that it believes in. So Outflow is such that this
// covers the loss, whatever is signed in other requests:
//
//   - If all inputs are the client's, and signatures commit to them and to all outputs, it is
//     what the inputs are worth.
//   - If some are not, they may be the client's after all: two requests for one transaction
//     may each hide the inputs of the other, and deduct the same change. So what is left of
//     Outflow without change is the lesser of the client's inputs and of what payments and
//     fee come to. Of two such requests, together, that is no less than the loss.
//   - If others may add inputs or outputs (SIGHASH_ANYONECANPAY, NONE, SINGLE), one change
//     output serves many signatures. What is left without it is all of the client's inputs.
func (r *PSBT) account(mine []ours, outs spent) *intent.Refusal {
	spends, change := r.spends(mine), uint64(0)
	for i := range r.meaning.Change {
		change += r.meaning.Change[i].Units
	}
	ins, pays := outs.sum(), r.packet.paid()
	open, known := r.unclear(outs)
	if ins < pays && !open {
		return intent.Refuse(intent.BadPSBT, -1, "the PSBT pays %d satoshi, and its inputs are worth %d", pays, ins)
	}
	left := spends
	if !open {
		left = min(spends, ins-change)
	}
	r.meaning.Fee = spends
	if known {
		r.meaning.Fee = ins - pays
	}
	r.meaning.Outflow = []intent.Amount{{Asset: intent.Bitcoin, Units: left + change}}
	return nil
}

// spends lists what the client's inputs spend, and returns how much that is.
func (r *PSBT) spends(mine []ours) (sum uint64) {
	r.meaning.Spends = make([]string, 0, len(mine))
	for j := range mine {
		sum += uint64(mine[j].out.Value)
		r.meaning.Spends = append(r.meaning.Spends, r.packet.tx.TxIn[mine[j].at].PreviousOutPoint.String())
	}
	return sum
}

// sum is what the outputs are worth that are known. Their sum was checked.
func (s spent) sum() (sum uint64) {
	for _, out := range s {
		if out != nil {
			sum += uint64(out.Value)
		}
	}
	return sum
}

// paid is what the outputs are worth. Their sum was checked.
func (p *packet) paid() (sum uint64) {
	for _, out := range p.tx.TxOut {
		sum += uint64(out.Value)
	}
	return sum
}

// unclear lists the signatures that nobody can account for. Open reports whether others may
// change the transaction that one of them is for, and known whether the fee can be known.
func (r *PSBT) unclear(outs spent) (open, known bool) {
	known = outs.missing() < 0
	others := r.meaning.Foreign > 0 || len(r.meaning.Refused) > 0 || !known || outs.sum() < r.packet.paid()
	for i, hash := range r.hashes {
		at, name := r.meaning.Signatures[i].At, r.meaning.Signatures[i].Sighash
		switch {
		case !allOutputs(hash):
			r.vague(at, "input %d is to be signed with sighash type %s, and nobody can say whom that pays", at, name)
			known = false
		case anyoneCanPay(hash) && others:
			r.vague(at, "input %d is to be signed with sighash type %s, and nobody can say what the fee will be", at, name)
			known = false
		}
		open = open || !allOutputs(hash) || anyoneCanPay(hash)
	}
	return open, known
}

func (r *PSBT) vague(at int, format string, args ...any) {
	r.meaning.Unclear = append(r.meaning.Unclear, *intent.Refuse(intent.NotUnderstood, at, format, args...))
}

// inOrder sorts refusals by input.
func inOrder(refused []intent.Refusal) {
	slices.SortStableFunc(refused, func(a, b intent.Refusal) int { return cmp.Compare(a.At, b.At) })
}
