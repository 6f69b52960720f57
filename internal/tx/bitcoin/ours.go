package bitcoin

import (
	"bytes"

	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// ours is an input that is the client's: it spends a taproot output whose internal key is
// under a root of the request.
type ours struct {
	at      int // number of the input
	located     // its output key is that by which the signature verifies
	path    derive.Path
	tweak   frost.Tweak
	out     *wire.TxOut // that it spends
	signed  bool        // it came with a signature, or final
}

// ours finds the client's inputs, in their order. Those that say that they are, and can't be
// signed, are refused; nobody knows whose those are.
func (p *packet) ours(outs spent, l *locator) ([]ours, []intent.Refusal, *intent.Refusal) {
	all, tweaks := make([]place, 0, len(p.inputs)), make([]frost.Tweak, 0, len(p.inputs))
	for i := range p.inputs {
		at, ok, err := p.inputs[i].place(i, inTapDerivation, inTapInternalKey)
		if err != nil {
			return nil, nil, intent.Refuse(intent.BadPSBT, i, "input %d %v", i, err)
		}
		if ok {
			all, tweaks = append(all, at), append(tweaks, p.inputs[i].tweak())
		}
	}
	places, err := l.locate(all, tweaks, func(int) bool { return true })
	if err != nil {
		return nil, nil, intent.Refuse(intent.BadPSBT, -1, "the PSBT can't be read: %v", err)
	}
	found := make([]ours, 0, len(all))
	var refused []intent.Refusal
	for j := range all {
		at := all[j].at
		in := ours{at, places[j], all[j].path, tweaks[j], outs[at], p.signed(at)}
		if in.root >= 0 {
			if refusal := in.unspendable(); refusal != nil {
				refused = append(refused, *refusal)
			} else {
				found = append(found, in)
			}
		} else if named := l.named(&all[j]); named >= 0 {
			refused = append(refused, *l.unlike(&all[j], named))
		}
	}
	return found, refused, nil
}

// tweak is what makes the output key of an input's internal key.
func (s section) tweak() frost.Tweak {
	if merkle := s.get(inTapMerkleRoot); len(merkle) == 32 {
		return frost.Tweak{Mode: frost.TweakScriptRoot, Root: [32]byte(merkle)}
	}
	return frost.Tweak{Mode: frost.TweakBIP86}
}

// signed reports whether an input came with a signature of its key path, or final.
func (p *packet) signed(i int) bool {
	return p.inputs[i].has(inTapKeySig) || p.final(i)
}

// final reports whether an input came with its final scripts.
func (p *packet) final(i int) bool {
	return p.inputs[i].has(inFinalWitness) || p.inputs[i].has(inFinalScriptSig)
}

// unlike is the refusal of an input that names a root which it is not under.
func (l *locator) unlike(p *place, root int) *intent.Refusal {
	id := l.roots[root].ID
	if !p.possible() {
		return intent.Refuse(intent.BadInput, p.at,
			"input %d is said to be of a child of key %.64q that there is none of: its path is hardened, or too long",
			p.at, id)
	}
	return intent.Refuse(intent.BadInput, p.at, "input %d is said to be of child %s of key %.64q, which is another key",
		p.at, p.path, id)
}

// unspendable is the refusal of an input that spends something else than its output key's.
func (in *ours) unspendable() *intent.Refusal {
	switch {
	case in.out == nil:
		return intent.Refuse(intent.MissingAmount, in.at,
			"input %d comes without the output that it spends (witness_utxo)", in.at)
	case !paysTo(in.out.PkScript, in.output):
		return intent.Refuse(intent.BadInput, in.at,
			"input %d spends an output that does not pay to the internal key that it names", in.at)
	}
	return nil
}

// paysTo reports whether a script is a taproot output of a key.
func paysTo(script, key []byte) bool {
	return txscript.IsPayToTaproot(script) && bytes.Equal(script[2:], key)
}
