package demo

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	btc "github.com/btcsuite/btcd/wire"
	"github.com/mr-tron/base58"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/draft"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// treasuryName is a client that may pay whom the policy lists, and nobody else. The other
// may have anything signed.
const treasuryName = "treasury"

// The addresses that the policy lists: of draft.Payee, and of nobody on Solana.
const (
	payeeAddress  = "bcrt1qd5rjcgqc8utye96v4exs0gkr2w8a7ssv5sh37u"
	solanaAddress = "cGfHiC6Kgg3FpFZvgwGcswsCRtp4aBP2fzuXRQPizuN"
)

// rules is every node's policy.
const rules = `version = 1

[[rule]]
name = "treasury"
clients = ["treasury"]
keys = ["*"]
kinds = ["psbt", "solana_transaction"]
destinations = ["` + payeeAddress + `", "` + solanaAddress + `"]
max_fee = ["0.0001 BTC", "0.001 SOL"]

  [[rule.limit]]
  amount = "0.01 BTC"
  per = "day"

  [[rule.limit]]
  amount = "5 SOL"
  per = "day"

[[rule]]
name = "demo"
clients = ["demo"]
keys = ["*"]
kinds = ["raw"]
`

// addTreasury makes the second client's key, and lists it.
func addTreasury(dir string) (ed25519.PrivateKey, error) {
	file := filepath.Join(dir, "treasury.key")
	_, entry, err := fleet.Party{Name: treasuryName, Kinds: wire.KindNames()}.NewKey(file)
	if err != nil {
		return nil, err
	}
	access, err := os.OpenFile(filepath.Join(dir, fleet.AccessFile), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, err
	}
	_, err = access.WriteString("\n" + entry)
	if err = errors.Join(err, access.Close()); err != nil {
		return nil, err
	}
	return config.LoadKey(file)
}

// transactions has the nodes read what they sign: a PSBT, a Solana transfer, and a PSBT that
// their policy denies.
func (d *demo) transactions(ctx context.Context) error {
	d.Step("having a PSBT signed that pays from two children, and a Solana transfer; the nodes read both")
	bitcoin, err := d.treasury.Keygen(ctx, client.KeygenRequest{Chain: wire.Bitcoin, Count: 2})
	if err != nil {
		return err
	}
	solana, err := d.treasury.Keygen(ctx, client.KeygenRequest{Chain: wire.Solana, Count: 1})
	if err != nil {
		return err
	}
	if err := d.payFromTwo(ctx, bitcoin.Keys); err != nil {
		return fmt.Errorf("the PSBT: %w", err)
	}
	if err := d.transfer(ctx, solana.Keys[0]); err != nil {
		return fmt.Errorf("the Solana transfer: %w", err)
	}
	if err := d.payStranger(ctx, bitcoin.Keys); err != nil {
		return fmt.Errorf("a payment to a stranger: %w", err)
	}
	return nil
}

// rootOf is a key as drafts take it.
func rootOf(k client.Key, suite frost.Suite) derive.Key {
	return derive.Key{Suite: suite, PublicKey: k.PublicKey, ChainCode: [32]byte(k.ChainCode)}
}

// payment is a PSBT that spends from a child of each key, with change to the first.
func payment(keys []client.Key, payee []byte) *draft.PSBT {
	first, second := rootOf(keys[0], frost.Secp256k1TR), rootOf(keys[1], frost.Secp256k1TR)
	return draft.NewPSBT().Spend(first, derive.Path{0, 0}, 60_000).Spend(second, derive.Path{0, 3}, 50_000).
		Pay(payee, 70_000).Change(first, derive.Path{1, 0}, 39_000)
}

func (d *demo) payFromTwo(ctx context.Context, keys []client.Key) error {
	p := payment(keys, draft.Payee())
	raw, err := p.Bytes()
	if err != nil {
		return err
	}
	signed, err := d.treasury.SignPSBT(ctx, client.SignPSBTRequest{PSBT: raw, Keys: keys, Finalize: true})
	if err != nil {
		return err
	}
	tx, outs := new(btc.MsgTx), p.Prevouts()
	if err := tx.Deserialize(bytes.NewReader(signed.Transaction)); err != nil {
		return err
	}
	for i, in := range tx.TxIn {
		out := outs.FetchPrevOutput(in.PreviousOutPoint)
		if err := run(tx, i, out.PkScript, out.Value, outs); err != nil {
			return fmt.Errorf("script engine: input %d: %w", i, err)
		}
	}
	d.Step("  %s", tx.TxHash())
	d.report.Signatures += len(tx.TxIn)
	d.report.SignaturesVerified += len(tx.TxIn)
	d.report.PSBTAccepted = true
	return nil
}

func (d *demo) transfer(ctx context.Context, key client.Key) error {
	to, err := base58.Decode(solanaAddress)
	if err != nil {
		return err
	}
	root, path := rootOf(key, frost.Ed25519), derive.Path{0, 7}
	child, err := root.Child(path)
	if err != nil {
		return err
	}
	raw := draft.Transfer(child.PublicKey, to, 1_500_000_000, sha256.Sum256([]byte("a blockhash")))
	signed, err := d.treasury.SignSolanaTransaction(ctx, client.SignSolanaRequest{
		Transaction: raw, Signers: []client.Signer{{Key: key, Path: path.String()}},
	})
	if err != nil {
		return err
	}
	const signature, message = 1, 65 // where they begin, of one signer
	got := signed.Transaction
	if len(got) != len(raw) || !bytes.Equal(got[message:], raw[message:]) {
		return errors.New("what came back is another transaction")
	}
	if !ed25519.Verify(child.PublicKey, got[message:], got[signature:message]) {
		return errors.New("crypto/ed25519 refuses the signature")
	}
	if _, refusal := tx.Read(tx.Request{
		Kind: intent.SolanaTransaction, Bytes: got, Roots: []intent.Root{{ID: key.ID, Key: root, Path: path}},
	}, network, derive.NewCache(1)); refusal != nil {
		return refusal
	}
	d.Step("  %s", base58.Encode(got[signature:message]))
	d.report.Signatures++
	d.report.SignaturesVerified++
	d.report.SolanaAccepted = true
	return nil
}

// payStranger is what a thief of the client's key would ask for.
func (d *demo) payStranger(ctx context.Context, keys []client.Key) error {
	d.Step("having the same PSBT pay a stranger")
	stranger := draft.Payee()
	stranger[len(stranger)-1] ^= 1
	raw, err := payment(keys, stranger).Bytes()
	if err != nil {
		return err
	}
	_, err = d.treasury.SignPSBT(ctx, client.SignPSBTRequest{PSBT: raw, Keys: keys, Finalize: true})
	denied, ok := errors.AsType[*client.DeniedError](err)
	switch {
	case err == nil:
		return errors.New("it was signed, and is not what the policy allows")
	case !ok || denied.Code != client.CodePolicyDenied:
		return err
	}
	d.Step("  %s", denied.Message)
	d.report.PolicyDenied = true
	return nil
}
