package bitcoin

import (
	"github.com/btcsuite/btcd/wire"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// ours is an input that is the client's: it spends a taproot output whose internal key is
// under a root of the request.
type ours struct {
	place
	root   int
	tweak  frost.Tweak
	out    *wire.TxOut // that it spends
	key    []byte      // x-only output key, by which the signature verifies
	signed bool        // it came with a signature, or final
}

// ours finds the client's inputs, in their order. Those that say that they are, and can't be
// signed, are refused; nobody knows whose those are.
func (p *packet) ours(outs spent, l *locator) ([]ours, []intent.Refusal, *intent.Refusal) {
	var all []place
	for i := range p.inputs {
		at, ok, err := p.inputs[i].place(i, inTapDerivation, inTapInternalKey)
		if err != nil {
			return nil, nil, intent.Refuse(intent.BadPSBT, i, "input %d %v", i, err)
		}
		if ok {
			all = append(all, at)
		}
	}
	roots, err := l.locate(all, func(int) bool { return true })
	if err != nil {
		return nil, nil, intent.Refuse(intent.BadPSBT, -1, "the PSBT can't be read: %v", err)
	}
	var found []ours
	var refused []intent.Refusal
	for j := range all {
		at, root := all[j].at, roots[j]
		if root < 0 {
			if named := l.named(&all[j]); named >= 0 {
				refused = append(refused, *l.unlike(&all[j], named))
			}
			continue
		}
		tweak := frost.Tweak{Mode: frost.TweakBIP86}
		if merkle := p.inputs[at].get(inTapMerkleRoot); len(merkle) == 32 {
			tweak = frost.Tweak{Mode: frost.TweakScriptRoot, Root: [32]byte(merkle)}
		}
		found = append(found, ours{place: all[j], root: root, tweak: tweak, out: outs[at], signed: p.signed(at)})
	}
	found, bad := spendable(found)
	return found, append(refused, bad...), nil
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

// spendable puts the output keys to inputs, and takes out those that spend something else.
func spendable(all []ours) (found []ours, refused []intent.Refusal) {
	internal, tweaks := make([][]byte, len(all)), make([]frost.Tweak, len(all))
	for j := range all {
		internal[j], tweaks[j] = all[j].place.key, all[j].tweak
	}
	for j, key := range outputKeys(internal, tweaks) {
		in := all[j]
		switch {
		case in.out == nil:
			refused = append(refused, *intent.Refuse(intent.MissingAmount, in.at,
				"input %d comes without the output that it spends (witness_utxo)", in.at))
		case !paysTo(in.out.PkScript, key):
			refused = append(refused, *intent.Refuse(intent.BadInput, in.at,
				"input %d spends an output that does not pay to the internal key that it names", in.at))
		default:
			in.key = key
			found = append(found, in)
		}
	}
	return found, refused
}
