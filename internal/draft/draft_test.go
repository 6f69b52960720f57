package draft

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx/bitcoin"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/tx/solana"
)

// TestDrafts: the readers find in a draft what was put there.
func TestDrafts(t *testing.T) {
	t.Parallel()
	_, public := btcec.PrivKeyFromBytes([]byte{7})
	root := intent.Root{ID: "root", Key: derive.Key{Suite: frost.Secp256k1TR, PublicKey: public.SerializeCompressed()}}
	raw, err := NewPSBT().Spend(root.Key, derive.Path{0, 1}, 700).SpendOther(Payee(), 50).Spend(root.Key, nil, 300).
		Pay(Payee(), 600).Change(root.Key, derive.Path{1, 0}, 400).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	read, refusal := bitcoin.ReadPSBT(raw, []intent.Root{root}, false, "regtest", derive.NewCache(8))
	if refusal != nil {
		t.Fatal(refusal)
	}
	in := read.Intent()
	if len(in.Signatures) != 2 || in.Signatures[0].Path.String() != "0/1" || in.Signatures[1].At != 2 || in.Foreign != 1 ||
		len(in.Payments) != 1 || in.Payments[0].Units != 600 || len(in.Change) != 1 || in.Change[0].Units != 400 ||
		in.Fee != 50 || len(in.Unclear) != 0 {
		t.Errorf("%+v", in)
	}
	if _, err := NewPSBT().Spend(derive.Key{}, nil, 1).Pay(Payee(), 1).Bytes(); err == nil {
		t.Error("a draft that spends from no key")
	}

	from := bytes.Repeat([]byte{1}, 32)
	from[0] = 0x58 // any point
	signer := intent.Root{ID: "signer", Key: derive.Key{Suite: frost.Ed25519, PublicKey: from}}
	sent, refusal := solana.ReadTransaction(Transfer(from, bytes.Repeat([]byte{2}, 32), 5, sha256.Sum256(nil)),
		[]intent.Root{signer}, derive.NewCache(8))
	if refusal != nil {
		t.Fatal(refusal)
	}
	if in := sent.Intent(); len(in.Payments) != 1 || in.Payments[0].Units != 5 || in.Fee != 5000 || len(in.Unclear) != 0 {
		t.Errorf("%+v", in)
	}
}
