package bitcoin

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

const vectors = "../../../../shared/vectors/"

// vectorFile decodes a file of vectors, and skips the test where there is none.
func vectorFile(t *testing.T, name string, into any) {
	t.Helper()
	b, err := os.ReadFile(vectors + name)
	if os.IsNotExist(err) {
		t.Skip("no vectors at ../shared/vectors")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// keyPathFile is the list keyPathSpending of BIP 341's wallet-test-vectors.json.
type keyPathFile struct {
	KeyPathSpending []struct {
		Given struct {
			RawUnsignedTx string
			UtxosSpent    []struct {
				ScriptPubKey string
				AmountSats   int64
			}
		}
		InputSpending []struct {
			Given struct {
				TxinIndex  int
				MerkleRoot *string
				HashType   txscript.SigHashType
			}
			Intermediary struct{ InternalPubkey, SigHash string }
			Expected     struct{ Witness []string }
		}
	}
}

// BIP 341: the digests of all sighash types, through PSBTs whose roots are the vectors' keys
// (an empty path leads to the root itself), and signatures at their places.
func TestBIP341KeyPathSpending(t *testing.T) {
	t.Parallel()
	var file keyPathFile
	vectorFile(t, "bip341/wallet-test-vectors.json", &file)
	checked := 0
	for _, c := range file.KeyPathSpending {
		var tx wire.MsgTx
		if err := tx.Deserialize(bytes.NewReader(unhex(t, c.Given.RawUnsignedTx))); err != nil {
			t.Fatal(err)
		}
		d := newDraft()
		for i, in := range tx.TxIn {
			d.spendScript(unhex(t, c.Given.UtxosSpent[i].ScriptPubKey), c.Given.UtxosSpent[i].AmountSats)
			d.UnsignedTx.TxIn[i] = &wire.TxIn{PreviousOutPoint: in.PreviousOutPoint, Sequence: in.Sequence}
		}
		for _, out := range tx.TxOut {
			d.pay(out.PkScript, out.Value)
		}
		d.UnsignedTx.Version, d.UnsignedTx.LockTime = tx.Version, tx.LockTime
		var roots []wallet
		for _, in := range c.InputSpending {
			key := unhex(t, in.Intermediary.InternalPubkey)
			w := wallet{root: intent.Root{Key: derive.Key{Suite: frost.Secp256k1TR, PublicKey: append([]byte{3}, key...)}}}
			if in.Given.TxinIndex%2 == 0 {
				w.root.Key.PublicKey[0] = 2 // which parity the root has makes no difference
			}
			roots = append(roots, w)
			into := &d.Inputs[in.Given.TxinIndex]
			into.TaprootInternalKey, into.SighashType = key, in.Given.HashType
			into.TaprootBip32Derivation = w.derivation(nil)
			if in.Given.MerkleRoot != nil {
				into.TaprootMerkleRoot = unhex(t, *in.Given.MerkleRoot)
			}
		}
		r := read(t, d.bytes(t), roots...)
		if len(r.meaning.Signatures) != len(c.InputSpending) {
			t.Fatalf("%d signatures of %d", len(r.meaning.Signatures), len(c.InputSpending))
		}
		signatures := make([][]byte, len(r.meaning.Signatures))
		for i, s := range r.meaning.Signatures {
			for _, in := range c.InputSpending {
				if in.Given.TxinIndex == s.At {
					if hex.EncodeToString(s.Message) != in.Intermediary.SigHash {
						t.Errorf("input %d: digest %x, want %s", s.At, s.Message, in.Intermediary.SigHash)
					}
					signatures[i] = unhex(t, in.Expected.Witness[0])[:64]
					checked++
				}
			}
		}
		raw, _, err := r.Finish(signatures, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range c.InputSpending {
			p, err := parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(p.inputs[in.Given.TxinIndex].get(inTapKeySig)); got != in.Expected.Witness[0] {
				t.Errorf("input %d has signature %s, want %s", in.Given.TxinIndex, got, in.Expected.Witness[0])
			}
		}
	}
	if checked < 7 {
		t.Errorf("%d digests", checked)
	}
}

// messageFile is a file of BIP 322's vectors.
type messageFile struct {
	TxHashes []struct {
		Message, Address string
		ToSpend          string `json:"to_spend_tx_hash"`
	} `json:"tx_hashes"`
	Simple []struct {
		Message, Address, Type string
		PrivateKeys            []string `json:"private_keys"`
		Signatures             []string `json:"bip322_signatures"`
	}
}

// BIP 322: signatures of its vectors for taproot addresses verify for the digests that are
// computed here, and stand where they stand there.
func TestBIP322Vectors(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, name := range []string{"bip322/basic-test-vectors.json", "bip322/generated-test-vectors.json"} {
		var file messageFile
		vectorFile(t, name, &file)
		for _, c := range file.TxHashes {
			if got := toSpend(c.Message, scriptOf(t, c.Address)).TxHash().String(); got != c.ToSpend {
				t.Errorf("%q: to_spend is %s, want %s", c.Message, got, c.ToSpend)
			}
			checked++
		}
		for _, c := range file.Simple {
			if c.Type != "p2tr" {
				continue
			}
			w := importWallet(t, c.PrivateKeys[0])
			r, refusal := ReadMessage(c.Message, w.root, derive.NewCache(1))
			if refusal != nil {
				t.Fatal(refusal)
			}
			s := r.Intent().Signatures[0]
			if !bytes.Equal(s.PublicKey, scriptOf(t, c.Address)[2:]) {
				t.Errorf("%s has key %x", c.Address, s.PublicKey)
			}
			witness, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(c.Signatures[0], "smp"))
			if err != nil || len(witness) != 66 {
				t.Fatalf("%s: %v", c.Signatures[0], err)
			}
			verify(t, s, witness[2:])
			if got, err := r.Finish([][]byte{witness[2:]}); err != nil || !bytes.Equal(got, witness) {
				t.Errorf("witness %x, %v; want %x", got, err, witness)
			}
			checked++
		}
	}
	if checked < 5 {
		t.Errorf("%d cases", checked)
	}
}

func verify(t testing.TB, s intent.Signature, signature []byte) {
	t.Helper()
	key, err := schnorr.ParsePubKey(s.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := schnorr.ParseSignature(signature)
	if err != nil {
		t.Fatal(err)
	}
	if !parsed.Verify(s.Message, key) {
		t.Errorf("%x is no signature of %x by %x", signature, s.Message, s.PublicKey)
	}
}

func scriptOf(t testing.TB, address string) []byte {
	t.Helper()
	a, err := btcutil.DecodeAddress(address, &chaincfg.MainNetParams)
	if err != nil {
		t.Fatal(err)
	}
	script, err := txscript.PayToAddrScript(a)
	if err != nil {
		t.Fatal(err)
	}
	return script
}

// importWallet is a wallet whose root is a key in Bitcoin Core's form.
func importWallet(t testing.TB, key string) wallet {
	t.Helper()
	wif, err := btcutil.DecodeWIF(key)
	if err != nil {
		t.Fatal(err)
	}
	return wallet{wif.PrivKey, intent.Root{Key: derive.Key{
		Suite: frost.Secp256k1TR, PublicKey: wif.PrivKey.PubKey().SerializeCompressed(),
	}}}
}

// A vector of BIP 322 (bitcoin/bips, basic-test-vectors.json), where ../shared is not.
func TestBIP322Core(t *testing.T) {
	t.Parallel()
	w := importWallet(t, "KyrSGCFPhqZMjCe5fNTYddiLMp4tMj4gLKuJ26TsB2rvr1VJGPbt")
	r, refusal := ReadMessage("No prefix fallback", w.root, derive.NewCache(1))
	if refusal != nil {
		t.Fatal(refusal)
	}
	witness, err := base64.StdEncoding.DecodeString(
		"AUCJYOwOjxYAvatTAGYaVlNXBVyFuc4MwNQkOuK2tl8xhfKDONd0NjfYyNSYcRqeCp8hsAnCEPHAVEkO9h6vbQ/R")
	if err != nil {
		t.Fatal(err)
	}
	verify(t, r.Intent().Signatures[0], witness[2:])
}
