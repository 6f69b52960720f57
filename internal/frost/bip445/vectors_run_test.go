package bip445

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost/bip340"
)

func nonceGenValid(t *testing.T, _ *group, v *vector) {
	sec, pub, err := NonceGen(bytes.NewReader(v.Rand), NonceInput{v.Secshare, v.Pubshare, v.XOnlyKey, v.Msg, v.Extra})
	if err != nil {
		t.Fatal(err)
	}
	if got := sec.Bytes(); !bytes.Equal(got, v.Expected[0]) {
		t.Errorf("secret nonce %x, want %x", got, v.Expected[0])
	}
	if got := pub.Bytes(); !bytes.Equal(got, v.Expected[1]) {
		t.Errorf("public nonce %x, want %x", got, v.Expected[1])
	}
}

func nonceAggValid(t *testing.T, g *group, v *vector) {
	got, err := NonceAgg(pick(g.Pubnonces, v.Pubnonces))
	if err != nil || !bytes.Equal(got, v.Expected[0]) {
		t.Errorf("got %x, %v; want %x", got, err, v.Expected[0])
	}
}

func nonceAggError(t *testing.T, g *group, v *vector) {
	_, err := NonceAgg(pick(g.Pubnonces, v.Pubnonces))
	v.Error.check(t, err)
}

func signValid(t *testing.T, g *group, v *vector) {
	if agg, err := NonceAgg(pick(g.Pubnonces, v.Pubnonces)); err != nil || !bytes.Equal(agg, v.AggNonce) {
		t.Fatalf("the vector's aggregate nonce is not what NonceAgg returns: %v", err)
	}
	psig, err := g.sign(v)
	if err != nil || !bytes.Equal(psig, v.Expected[0]) {
		t.Fatalf("got %x, %v; want %x", psig, err, v.Expected[0])
	}
	for i, id := range v.IDs {
		ok, err := g.verify(v, psig, i)
		if err != nil || ok != (id == v.MyID) {
			t.Fatalf("as the partial signature of signer %d: %v, %v", id, ok, err)
		}
	}
}

func signError(t *testing.T, g *group, v *vector) {
	psig, err := g.sign(v)
	if psig != nil {
		t.Fatal("an error with a partial signature")
	}
	v.Error.check(t, err)
}

func verifyFail(t *testing.T, g *group, v *vector) {
	if ok, err := g.verify(v, v.Psig, v.SignerIndex); ok || err != nil {
		t.Fatalf("got %v, %v; want false", ok, err)
	}
}

func verifyError(t *testing.T, g *group, v *vector) {
	ok, err := g.verify(v, v.Psig, v.SignerIndex)
	if ok {
		t.Fatal("an error that verifies")
	}
	v.Error.check(t, err)
}

func sigAggValid(t *testing.T, g *group, v *vector) {
	c, sig, err := g.aggregate(v)
	if err != nil || !bytes.Equal(sig, v.Expected[0]) {
		t.Fatalf("got %x, %v; want %x", sig, err, v.Expected[0])
	}
	key, err := untweaked(c.Signers.key).applyAll(c.Tweaks, c.XOnly)
	if err != nil {
		t.Fatal(err)
	}
	if x := key.XOnly(); !bip340.Verify(x[:], v.Msg, sig) {
		t.Fatal("the signature does not verify")
	}
}

func sigAggError(t *testing.T, g *group, v *vector) {
	_, sig, err := g.aggregate(v)
	if sig != nil {
		t.Fatal("an error with a signature")
	}
	v.Error.check(t, err)
}

func pick(from []hexBytes, indices []int) [][]byte {
	out := make([][]byte, len(indices))
	for i, x := range indices {
		out[i] = from[x]
	}
	return out
}

func (g *group) context(v *vector) (*SessionContext, error) {
	signers, err := NewSignersContext(g.N, g.T, v.IDs, pick(g.Pubshares, v.Pubshares), g.ThresholdKey)
	if err != nil {
		return nil, err
	}
	return &SessionContext{v.AggNonce, signers, pick(g.Tweaks, v.Tweaks), v.XOnly, v.Msg}, nil
}

// sign runs Sign on a copy of the vector's secret nonce.
func (g *group) sign(v *vector) ([]byte, error) {
	c, err := g.context(v)
	if err != nil {
		return nil, err
	}
	nonce, err := ParseSecNonce(g.Secnonces[v.SecnonceI])
	if err != nil {
		return nil, err
	}
	psig, err := Sign(nonce, g.Secshares[v.SecshareI], v.MyID, c)
	spent := err == nil || errors.Is(err, OwnIDMissing)
	if _, again := Sign(nonce, g.Secshares[v.SecshareI], v.MyID, c); spent && !errors.Is(again, ErrNonceUsed) {
		return nil, fmt.Errorf("a second Sign returns %v after %v", again, err)
	}
	return psig, err
}

func (g *group) verify(v *vector, psig []byte, i int) (bool, error) {
	c, err := g.context(v)
	if err != nil {
		return false, err
	}
	return PartialSigVerify(psig, pick(g.Pubnonces, v.Pubnonces), c, i)
}

func (g *group) aggregate(v *vector) (*SessionContext, []byte, error) {
	c, err := g.context(v)
	if err != nil {
		return nil, nil, err
	}
	psigs := make([][]byte, len(v.Psigs))
	for i, p := range v.Psigs {
		psigs[i] = p
	}
	sig, err := PartialSigAgg(psigs, c)
	return c, sig, err
}
