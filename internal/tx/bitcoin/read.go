package bitcoin

import (
	"fmt"

	"github.com/btcsuite/btcd/txscript"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// PSBT is one that was read. It does not change.
type PSBT struct {
	packet  *packet
	meaning intent.Intent
	hashes  []txscript.SigHashType // of meaning.Signatures
}

// ReadPSBT reads a PSBT (BIP 174, version 0, with the Taproot fields of BIP 371) for the
// client whose roots these are.
//
// An input is the client's if its internal key is a child of a root, and it is signed by the
// key path, with the script tree that PSBT_IN_TAP_MERKLE_ROOT commits to, if any. One that
// came with a signature, or final, is left as it is; it counts as spent, since it will be.
// Inputs that can't be signed (code bad_input or missing_amount) refuse the request, or,
// with partial, are listed in Intent().Refused. Scripts are never signed for.
//
// Network is mainnet, testnet, signet or regtest, in whose form addresses are written.
func ReadPSBT(
	raw []byte, roots []intent.Root, partial bool, network string, branches *derive.Cache,
) (*PSBT, *intent.Refusal) {
	params, err := paramsOf(network)
	if err != nil {
		return nil, intent.Refuse(intent.BadPSBT, -1, "the PSBT can't be read: %v", err)
	}
	p, err := parse(raw)
	if err != nil {
		return nil, intent.Refuse(intent.BadPSBT, -1, "the PSBT can't be read: %v", err)
	}
	outs, refusal := p.spent()
	if refusal != nil {
		return nil, refusal
	}
	l := newLocator(roots, branches)
	mine, refused, refusal := p.ours(outs, l)
	if refusal != nil {
		return nil, refusal
	}
	r := &PSBT{packet: p, meaning: intent.Intent{
		Kind: intent.PSBT, Refused: refused, ID: p.tx.TxHash().String(), Foreign: len(p.inputs) - len(mine) - len(refused),
	}}
	r.sign(mine, outs)
	if refusal := r.refusal(partial); refusal != nil {
		return nil, refusal
	}
	if refusal := p.pay(&r.meaning, mine, l, params); refusal != nil {
		return nil, refusal
	}
	if refusal := r.account(mine, outs); refusal != nil {
		return nil, refusal
	}
	r.meaning.VSize = p.virtualSize(outs, r)
	return r, nil
}

// Intent is what the PSBT means. It does not change.
func (r *PSBT) Intent() *intent.Intent { return &r.meaning }

// sign lists the signatures of the inputs that can be signed, and refuses the others.
func (r *PSBT) sign(mine []ours, outs spent) {
	missing, common := outs.missing(), outs.digests(r.packet.tx)
	r.meaning.Signatures = make([]intent.Signature, 0, len(mine))
	r.hashes = make([]txscript.SigHashType, 0, len(mine))
	for j := range mine {
		in := &mine[j]
		if in.signed {
			continue
		}
		s, hash, err := in.signature(r.packet.inputs[in.at], common)
		switch {
		case err != nil:
			r.refuse(intent.BadInput, in.at, "input %d %v", in.at, err)
		case missing >= 0 && !anyoneCanPay(hash):
			r.refuse(intent.MissingAmount, in.at, "input %d can't be signed: input %d comes without the output that "+
				"it spends (witness_utxo), and every signature is over all of those", in.at, missing)
		default:
			r.meaning.Signatures, r.hashes = append(r.meaning.Signatures, s), append(r.hashes, hash)
		}
	}
}

func (r *PSBT) refuse(code string, at int, format string, args ...any) {
	r.meaning.Refused = append(r.meaning.Refused, *intent.Refuse(code, at, format, args...))
}

// signature is what an input asks for.
func (in *ours) signature(input section, common *digests) (intent.Signature, txscript.SigHashType, error) {
	hash, err := sighashOf(input)
	if err != nil {
		return intent.Signature{}, 0, err
	}
	if hash&^txscript.SigHashAnyOneCanPay == txscript.SigHashSingle && in.at >= len(common.tx.TxOut) {
		return intent.Signature{}, 0, fmt.Errorf("asks for SIGHASH_SINGLE, and there is no output %d", in.at)
	}
	message, err := common.sign(in.at, hash)
	if err != nil {
		return intent.Signature{}, 0, fmt.Errorf("has no sighash: %w", err)
	}
	return intent.Signature{
		Root: in.root, Path: in.path, Offsets: in.offsets, PublicKey: in.output, Message: message, Tweak: in.tweak,
		At: in.at, Sighash: sighashes[hash], Amount: uint64(in.out.Value),
	}, hash, nil
}

// refusal is that of the whole request, if there is one.
func (r *PSBT) refusal(partial bool) *intent.Refusal {
	refused := r.meaning.Refused
	inOrder(refused)
	switch {
	case len(refused) > 0 && (!partial || len(r.meaning.Signatures) == 0):
		return &refused[0]
	case len(r.meaning.Signatures) == 0:
		return intent.Refuse(intent.NoInput, -1, "no input of the PSBT is to be signed by a key that the job names: "+
			"inputs need PSBT_IN_TAP_INTERNAL_KEY and PSBT_IN_TAP_BIP32_DERIVATION")
	}
	return nil
}
