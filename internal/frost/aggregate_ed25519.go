package frost

import (
	"bytes"
	"crypto/ed25519"

	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

	"github.com/frostfleet/frostfleet/internal/frost/rfc9591"
)

// edwardsAggregator is aggregator for ed25519.
type edwardsAggregator struct {
	form     rfc9591.Form
	signers  *rfc9591.SignerSet
	sessions []*rfc9591.Session
	shares   [][][]byte
	set      []NonceCommitment
}

func newEd25519Aggregator(form Form, n, t int, set []NonceCommitment, count int) (aggregator, error) {
	signers, err := edwardsSet(n, t, set)
	return &edwardsAggregator{
		edwardsForm(form), signers, make([]*rfc9591.Session, count), make([][][]byte, count), set}, err
}

func (a *edwardsAggregator) sum(items []Item, set []NonceCommitment, all []contribution) []summed {
	out := make([]summed, len(items))
	keys, errs := openEd25519Keys(items)
	inputs := a.nonces(out, set)
	var good []rfc9591.Input
	var at []int
	for i := range items {
		a.shares[i] = make([][]byte, len(all))
		for j := range all {
			a.shares[i][j] = shareOf(all[j].shares, i)
			if !rfc9591.IsShare(a.shares[i][j]) {
				out[i].blame = append(out[i].blame, &Blame{set[j].Index, i, reasonShare})
			}
		}
		if out[i].err = errs[i]; out[i].err != nil {
			out[i].blame = nil
		} else if out[i].blame == nil {
			inputs[i].Key, inputs[i].Message = keys[i], items[i].Message
			good, at = append(good, inputs[i]), append(at, i)
		}
	}
	sessions, err := rfc9591.NewSessions(a.signers, good)
	for k, i := range at {
		if out[i].err = err; err == nil {
			a.sessions[i] = &sessions[k]
			out[i].sig, out[i].err = sessions[k].Aggregate(a.shares[i])
		}
	}
	return out
}

// nonces decodes the nonces of all items, and blames. That those that are not divided are of prime
// order is looked at if the signature fails.
func (a *edwardsAggregator) nonces(out []summed, set []NonceCommitment) []rfc9591.Input {
	inputs := newInputs(len(out), len(set))
	for j, c := range set {
		nonces := make([]rfc9591.PubNonce, len(out))
		alone := rfc9591.ParseNonces(a.form, nonces, c.Points, true) >= 0
		for i := range out {
			if alone && rfc9591.ParseNonces(a.form, nonces[i:i+1], nonceOf(a.form.NonceSize(), c.Points, i), true) >= 0 {
				out[i].blame = append(out[i].blame, &Blame{c.Index, i, reasonCommitmentPoint})
			}
			inputs[i].Nonces[j] = &nonces[i]
		}
	}
	return inputs
}

// fewSignatures is up to how many signatures are verified one by one.
const fewSignatures = 3

// invalid verifies many signatures at once where key and nonces can't be but of prime order: there
// that accepts what crypto/ed25519 accepts, which alone says which of them is invalid.
func (a *edwardsAggregator) invalid(items []Item, sigs [][]byte) []int {
	if a.form == rfc9591.Divided && len(sigs) > fewSignatures && a.allValid(items, sigs) {
		return nil
	}
	var bad []int
	for i, sig := range sigs {
		if sig != nil && !ed25519.Verify(a.sessions[i].PublicKey(), items[i].Message, sig) {
			bad = append(bad, i)
		}
	}
	return bad
}

// allValid has another implementation than the one that made the sums hash and verify all
// signatures, with weights that it draws: an invalid one passes with probability 2^-128.
func (a *edwardsAggregator) allValid(items []Item, sigs [][]byte) bool {
	batch := voi.NewBatchVerifierWithCapacity(len(sigs)).ForceNoPublicKeyExpansion()
	for i, sig := range sigs {
		if sig != nil {
			batch.Add(a.sessions[i].PublicKey(), items[i].Message, sig)
		}
	}
	return batch.VerifyBatchOnly(nil)
}

func (a *edwardsAggregator) outputKey(i int) []byte { return bytes.Clone(a.sessions[i].PublicKey()) }

func (a *edwardsAggregator) fault(i, pos, index int) (string, error) {
	if rfc9591.CheckNonces(a.form, 1, nonceOf(a.form.NonceSize(), a.set[pos].Points, i)) >= 0 {
		return reasonCommitmentPoint, nil
	}
	claim := rfc9591.Claim{Session: a.sessions[i], ID: edwardsID(index), Share: a.shares[i][pos]}
	if rfc9591.VerifyBatch([]rfc9591.Claim{claim}) {
		return "", nil
	}
	if _, err := claim.Session.Key().Pubshare(claim.ID); err != nil { // the key's fault, and nobody's
		return "", err
	}
	return reasonShare, nil
}
