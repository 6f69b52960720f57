package client

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	btc "github.com/btcsuite/btcd/wire"

	"github.com/frostfleet/frostfleet/internal/frost/bip340"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// How an input of a spend is signed.
const (
	byDefault  = iota // the key path, SIGHASH_DEFAULT
	byAll             // SIGHASH_ALL
	byOther           // another type that BIP 341 has
	withAnnex         // the key path, an annex beside the signature
	byScript          // a script path of the same output
	byWitness0        // not Taproot
	kinds
)

// spend is a transaction in the making, of which somebody knows all keys.
type spend struct {
	spending

	asked   []intent.Signature
	kind    []int
	private []*btcec.PrivateKey // of the output, tweaked
	scripts []txscript.IndexedTapScriptTree
	inner   []*btcec.PublicKey
	outs    []*btc.TxOut
	rand    *rand.Rand
}

func newSpend(t testing.TB, r *rand.Rand, kind []int) *spend {
	t.Helper()
	s := &spend{kind: kind, rand: r}
	s.tx, s.prevouts = btc.NewMsgTx(2), txscript.NewMultiPrevOutFetcher(nil)
	for i, k := range kind {
		inner := s.key()
		tree := txscript.AssembleTaprootScriptTree(txscript.NewBaseTapLeaf([]byte{txscript.OP_TRUE}))
		root := tree.RootNode.TapHash()
		private := txscript.TweakTaprootPrivKey(*inner, root[:])
		public := schnorr.SerializePubKey(private.PubKey())
		script := append([]byte{txscript.OP_1, txscript.OP_DATA_32}, public...)
		if k == byWitness0 {
			script = append([]byte{txscript.OP_0, txscript.OP_DATA_20}, public[:20]...)
		}
		var from chainhash.Hash
		binary.BigEndian.PutUint32(from[:], uint32(i+1))
		s.tx.AddTxIn(btc.NewTxIn(btc.NewOutPoint(&from, r.Uint32N(5)), nil, nil))
		s.outs = append(s.outs, btc.NewTxOut(r.Int64N(1e8), script))
		s.prevouts.AddPrevOut(s.tx.TxIn[i].PreviousOutPoint, s.outs[i])
		s.private, s.inner, s.scripts = append(s.private, private), append(s.inner, inner.PubKey()), append(s.scripts, *tree)
		s.asked = append(s.asked, intent.Signature{At: i, PublicKey: public})
	}
	for range 1 + r.IntN(3) {
		s.tx.AddTxOut(btc.NewTxOut(r.Int64N(1e8), []byte{txscript.OP_TRUE}))
	}
	s.tx.LockTime = r.Uint32()
	s.digests()
	for i := range kind {
		s.sign(t, i)
	}
	return s
}

func (s *spend) key() *btcec.PrivateKey {
	private, _ := btcec.PrivKeyFromBytes(s.bytes(32))
	return private
}

func (s *spend) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(s.rand.Uint32())
	}
	return b
}

func (s *spend) digests() { s.hashes = txscript.NewTxSigHashes(s.tx, s.prevouts) }

func (s *spend) sign(t testing.TB, i int) {
	t.Helper()
	in, hash := s.tx.TxIn[i], txscript.SigHashDefault
	switch s.kind[i] {
	case byAll:
		hash = txscript.SigHashAll
	case byOther:
		all := []txscript.SigHashType{0x02, 0x81, 0x82}
		if i < len(s.tx.TxOut) {
			all = append(all, 0x03, 0x83)
		}
		hash = all[s.rand.IntN(len(all))]
	case byScript:
		block := s.scripts[i].LeafMerkleProofs[0].ToControlBlock(s.inner[i])
		control, err := block.ToBytes()
		if err != nil {
			t.Fatal(err)
		}
		in.Witness = btc.TxWitness{[]byte{txscript.OP_TRUE}, control}
		return
	}
	digest, err := txscript.CalcTaprootSignatureHash(s.hashes, hash, s.tx, i, s.prevouts)
	if err != nil {
		t.Fatal(err)
	}
	annex := append([]byte{txscript.TaprootAnnexTag}, s.bytes(3)...)
	if s.kind[i] == withAnnex {
		digest = s.digestWithAnnex(i, annex)
	}
	signature, err := schnorr.Sign(s.private[i], digest)
	if err != nil {
		t.Fatal(err)
	}
	in.Witness = btc.TxWitness{signature.Serialize()}
	if hash != txscript.SigHashDefault {
		in.Witness[0] = append(in.Witness[0], byte(hash))
	}
	if s.kind[i] == withAnnex {
		in.Witness = append(in.Witness, annex)
	}
}

// digestWithAnnex is what BIP 341 has signed of an input with an annex, by SIGHASH_DEFAULT.
// btcd computes it for its engine only.
func (s *spend) digestWithAnnex(i int, annex []byte) []byte {
	m := []byte{0, 0} // epoch, type
	m = binary.LittleEndian.AppendUint32(m, uint32(s.tx.Version))
	m = binary.LittleEndian.AppendUint32(m, s.tx.LockTime)
	h := s.hashes
	for _, part := range []chainhash.Hash{h.HashPrevOutsV1, h.HashInputAmountsV1, h.HashInputScriptsV1, h.HashSequenceV1,
		h.HashOutputsV1} {
		m = append(m, part[:]...)
	}
	m = binary.LittleEndian.AppendUint32(append(m, 1), uint32(i))
	of := sha256.Sum256(append([]byte{byte(len(annex))}, annex...))
	return chainhash.TaggedHash(chainhash.TagTapSighash, append(m, of[:]...))[:]
}

// spoil changes one thing about an input, or about the transaction.
func (s *spend) spoil(i int) {
	in, r := s.tx.TxIn[i], s.rand
	other := r.IntN(len(s.asked))
	if len(in.Witness) == 0 {
		in.Witness = btc.TxWitness{s.bytes(64)}
	}
	first := bytes.Clone(in.Witness[0])
	switch r.IntN(16) {
	case 0, 1:
		first[r.IntN(len(first))] ^= 1 << r.IntN(8)
	case 2, 3: // the type, or one that there is none of
		first = append(first, []byte{0, 1, 2, 3, 4, 0x80, 0x81, 0x82, 0x83, 0xff}[r.IntN(10)])
	case 4:
		first = first[:r.IntN(len(first))]
	case 5:
		copy(first[r.IntN(len(first)):], bytes.Repeat([]byte{0xff}, 32))
	case 6:
		first = s.bytes(64 + r.IntN(2))
	case 7:
		first = bytes.Clone(s.tx.TxIn[other].Witness[0])
	case 8: // an annex that nobody signed, or anything else
		in.Witness = append(in.Witness[:1:1], append([]byte{byte(0x50 + r.IntN(2))}, s.bytes(r.IntN(40))...))
	case 9:
		in.Witness = nil
		return
	case 10:
		in.SignatureScript = []byte{txscript.OP_TRUE}
	case 11:
		s.outs[other].Value++
	case 12:
		s.outs[i].PkScript = bytes.Clone(s.outs[other].PkScript)
	case 13:
		s.asked[i].PublicKey = s.asked[other].PublicKey
	case 14:
		s.outs[i].PkScript[r.IntN(len(s.outs[i].PkScript))] ^= 1
	case 15:
		switch r.IntN(4) {
		case 0:
			s.tx.LockTime ^= 1
		case 1:
			in.Sequence ^= 1
		case 2:
			s.tx.TxOut[r.IntN(len(s.tx.TxOut))].Value++
		case 3:
			in.PreviousOutPoint.Index += 7
			s.prevouts.AddPrevOut(in.PreviousOutPoint, s.outs[i])
		}
	}
	in.Witness[0] = first
}

// TestSpendingAsEngine: what is verified at once gets the verdict of btcd's script engine,
// whatever the inputs are and whatever is wrong with them.
func TestSpendingAsEngine(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 0))
		kind := make([]int, 1+r.IntN(6))
		for i := range kind {
			if r.IntN(2) == 0 {
				kind[i] = r.IntN(kinds)
			}
		}
		s := newSpend(t, r, kind)
		for i, k := range kind { // before anything is wrong
			_, together := s.keyPath(s.asked[i])
			if together != (k == byDefault || k == byAll) || (s.run(s.asked[i]) == nil) != (k != byWitness0) {
				t.Fatalf("seed %d, input %d of kind %d: together %v, engine %v", seed, i, k, together, s.run(s.asked[i]))
			}
		}
		s.sameVerdict(t, seed, seen)
		for range r.IntN(3) {
			s.spoil(r.IntN(len(kind)))
		}
		s.digests()
		s.sameVerdict(t, seed, seen)
	}
	for _, what := range []string{"together, good", "together, bad", "alone, good", "alone, bad"} {
		if seen[what] < 20 {
			t.Errorf("%d inputs are %s", seen[what], what)
		}
	}
}

// sameVerdict fails unless each input is judged as the engine judges it.
func (s *spend) sameVerdict(t *testing.T, seed uint64, seen map[string]int) {
	t.Helper()
	var at, bad []int // of those that are verified at once; which of them the engine refuses
	var signatures []bip340.Signature
	var refused []string
	for i, one := range s.asked {
		err := s.run(one)
		verdict := "good"
		if err != nil {
			verdict, refused = "bad", append(refused, fmt.Sprintf("input %d", i))
		}
		signature, ok := s.keyPath(one)
		if !ok {
			seen["alone, "+verdict]++
			continue
		}
		seen["together, "+verdict]++
		if err != nil {
			bad = append(bad, len(at))
		}
		at, signatures = append(at, i), append(signatures, signature)
	}
	if got := bip340.BatchVerify(signatures); !slices.Equal(got, bad) {
		t.Fatalf("seed %d: of %d inputs %v are bad, and the engine says %v", seed, len(at), got, bad)
	}
	for _, share := range []float64{defaultRecheck, 1} {
		rechecked, err := s.verify(s.asked, share, func(i int, err error) error {
			if err == nil {
				return nil
			}
			return fmt.Errorf("input %d: %w", i, err)
		})
		if (err != nil) != (len(refused) > 0) || errors.Is(err, ErrDisagreement) {
			t.Fatalf("seed %d: the engine refuses %v: %v", seed, refused, err)
		}
		if err != nil && !slices.ContainsFunc(refused, func(name string) bool {
			return bytes.Contains([]byte(err.Error()), []byte(name))
		}) {
			t.Errorf("%q names none of %v", err, refused)
		}
		if err == nil && (rechecked < 1 || share == 1 && rechecked != len(s.asked)) {
			t.Errorf("seed %d: the engine saw %d of %d at a share of %v", seed, rechecked, len(s.asked), share)
		}
	}
}

// TestSpendingSample: of many inputs the engine sees few, and all that are not plain.
func TestSpendingSample(t *testing.T) {
	t.Parallel()
	kind := make([]int, 100)
	kind[7], kind[70] = byScript, withAnnex
	s := newSpend(t, rand.New(rand.NewPCG(1, 2)), kind)
	named := func(_ int, err error) error { return err }
	if n, err := s.verify(s.asked, defaultRecheck, named); err != nil || n < 3 || n > 50 {
		t.Errorf("the engine saw %d: %v", n, err)
	}
	if n, err := s.verify(s.asked, 1, named); err != nil || n != 100 {
		t.Errorf("the engine saw %d: %v", n, err)
	}
	s.tx.TxIn[70].Witness[1][1] ^= 1 // of the annex: nobody else looks at it
	if _, err := s.verify(s.asked, defaultRecheck, named); !errors.Is(err, ErrSignature) {
		t.Errorf("a changed annex: %v", err)
	}
}

// TestSpendingDisagreement: no verdict where the project's own code and the engine differ.
func TestSpendingDisagreement(t *testing.T) {
	t.Parallel()
	s := newSpend(t, rand.New(rand.NewPCG(3, 4)), make([]int, 3))
	named := func(_ int, err error) error { return err }
	of := batch{spending: &s.spending, named: named, asked: s.asked, at: []int{0, 1, 2}, of: make([]bip340.Signature, 3)}
	if _, err := of.judge([]int{1}, 0); !errors.Is(err, ErrDisagreement) {
		t.Errorf("bad for one of the two alone: %v", err)
	}
	s.tx.TxIn[0].Witness[0][40] ^= 1
	if _, err := of.judge(nil, 1); !errors.Is(err, ErrDisagreement) {
		t.Errorf("good for one of the two alone: %v", err)
	}
	if _, err := of.judge([]int{0}, 0); !errors.Is(err, ErrSignature) || errors.Is(err, ErrDisagreement) {
		t.Errorf("bad for both: %v", err)
	}
}

// BenchmarkSpending: the inputs of one transaction, with the default share and all by the engine.
func BenchmarkSpending(b *testing.B) {
	s := newSpend(b, rand.New(rand.NewPCG(5, 6)), make([]int, 500))
	for _, share := range []float64{defaultRecheck, 1} {
		b.Run(fmt.Sprint(share), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.verify(s.asked, share, func(_ int, err error) error { return err }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(s.asked)), "µs/input")
		})
	}
}
