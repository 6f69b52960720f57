package protocol

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil/psbt"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	btc "github.com/btcsuite/btcd/wire"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/descriptor"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// packet is a PSBT in the making, by btcd's library.
type packet struct {
	f aged
	*psbt.Packet
	outs []*btc.TxOut // that its inputs spend
}

func (f aged) packet() *packet {
	return &packet{f: f, Packet: must(psbt.NewFromUnsignedTx(btc.NewMsgTx(2)))}
}

// internalKey is the child of one of alice's Bitcoin keys.
func (f aged) internalKey(index int, path derive.Path) *btcec.PublicKey {
	return must(btcec.ParsePubKey(must(f.root(f.btc, index).Child(path)).PublicKey))
}

func (f aged) script(index int, path derive.Path) []byte {
	return must(txscript.PayToTaprootScript(txscript.ComputeTaprootKeyNoScript(f.internalKey(index, path))))
}

func (f aged) derivation(index int, path derive.Path) []*psbt.TaprootBip32Derivation {
	fingerprint := descriptor.FingerprintOf(f.root(f.btc, index).PublicKey)
	return []*psbt.TaprootBip32Derivation{{
		XOnlyPubKey:          schnorr.SerializePubKey(f.internalKey(index, path)),
		MasterKeyFingerprint: binary.LittleEndian.Uint32(fingerprint[:]), Bip32Path: path,
	}}
}

// spend adds an input that spends a child of a key; index -1 is somebody else's.
func (p *packet) spend(index int, path derive.Path, amount int64) *psbt.PInput {
	n := len(p.UnsignedTx.TxIn)
	p.UnsignedTx.AddTxIn(&btc.TxIn{
		PreviousOutPoint: btc.OutPoint{Hash: chainhash.HashH([]byte{byte(n), byte(n >> 8)}), Index: uint32(n % 3)}, Sequence: 0xfffffffd,
	})
	in := psbt.PInput{WitnessUtxo: btc.NewTxOut(amount, payee())}
	if index >= 0 {
		in.WitnessUtxo.PkScript = p.f.script(index, path)
		in.TaprootInternalKey = schnorr.SerializePubKey(p.f.internalKey(index, path))
		in.TaprootBip32Derivation = p.f.derivation(index, path)
	}
	p.outs = append(p.outs, in.WitnessUtxo)
	p.Inputs = append(p.Inputs, in)
	return &p.Inputs[n]
}

func (p *packet) pay(script []byte, amount int64) *psbt.POutput {
	p.UnsignedTx.AddTxOut(btc.NewTxOut(amount, script))
	p.Outputs = append(p.Outputs, psbt.POutput{})
	return &p.Outputs[len(p.Outputs)-1]
}

func (p *packet) change(index int, path derive.Path, amount int64) {
	out := p.pay(p.f.script(index, path), amount)
	out.TaprootInternalKey = schnorr.SerializePubKey(p.f.internalKey(index, path))
	out.TaprootBip32Derivation = p.f.derivation(index, path)
}

func (p *packet) bytes() []byte {
	var out bytes.Buffer
	p.f.check(p.Serialize(&out))
	return out.Bytes()
}

// payee is a script that is nobody's here.
func payee() []byte {
	return append([]byte{txscript.OP_0, txscript.OP_DATA_20}, bytes.Repeat([]byte{7}, 20)...)
}

// accepts runs btcd's script engine over all inputs of a transaction.
func (p *packet) accepts(raw string) {
	p.f.t.Helper()
	var tx btc.MsgTx
	p.f.check(tx.Deserialize(hex.NewDecoder(strings.NewReader(raw))))
	of := txscript.NewMultiPrevOutFetcher(nil)
	for i, in := range tx.TxIn {
		of.AddPrevOut(in.PreviousOutPoint, p.outs[i])
	}
	hashes := txscript.NewTxSigHashes(&tx, of)
	for i := range tx.TxIn {
		e := must(txscript.NewEngine(p.outs[i].PkScript, &tx, i, txscript.StandardVerifyFlags, nil, hashes, p.outs[i].Value, of))
		p.f.check(e.Execute())
	}
}

// keysOf names keys of a batch.
func keysOf(batch string, indexes ...int) (keys []wire.SignKey) {
	for _, i := range indexes {
		keys = append(keys, wire.SignKey{Key: wire.KeyID{Batch: batch, Index: i}.String()})
	}
	return keys
}

// request is a sign job of alice that is read.
func (f *fleet) request(n int, fill func(*wire.Job)) wire.SignedJob {
	job := wire.Job{ID: jobID(n), Kind: wire.KindSign, Expires: f.now.Add(10 * time.Minute)}
	fill(&job)
	return f.job("alice", wire.KindSign, mustJSON(job))
}

// asked delivers a request to the gateway and has the fleet work on it.
func (f aged) asked(n int, fill func(*wire.Job)) *wire.Result {
	f.t.Helper()
	f.desk.finished = nil
	f.desk.arrive(f.request(n, fill), nil)
	f.drain()
	return f.desk.result()
}

// done is asked for what is signed.
func (f aged) signed(n int, fill func(*wire.Job)) *wire.Result {
	f.t.Helper()
	r := f.asked(n, fill)
	if r.Status != wire.StatusDone {
		f.t.Fatalf("%s: %s: %s", r.Status, r.Code, r.Error)
	}
	return r
}

// payment is a PSBT that spends two children of both of alice's keys, with change.
func (f aged) payment() *packet {
	p := f.packet()
	p.spend(0, derive.Path{0, 1}, 50_000)
	p.spend(1, derive.Path{0, 3}, 60_000)
	p.pay(payee(), 70_000)
	p.change(0, derive.Path{1, 0}, 39_000)
	return p
}

func ats(r *wire.Result) (list []int) {
	for _, s := range r.Sigs {
		list = append(list, *s.At)
	}
	return list
}

// A PSBT comes back with the signatures of the client's inputs, and as a transaction that
// btcd accepts.
func TestSignPSBT(t *testing.T) {
	f := agedFleet(t)
	p := f.payment()
	raw := p.bytes()
	r := f.signed(9, func(j *wire.Job) { j.PSBT, j.Keys, j.Finalize = raw, keysOf(f.btc, 0, 1), true })
	p.accepts(r.Transaction)
	if at := ats(r); !slices.Equal(at, []int{0, 1}) || r.Sigs[0].Path != "0/1" || r.Sigs[1].Path != "0/3" ||
		r.Sigs[1].Key != keysOf(f.btc, 1)[0].Key || r.Suite != "secp256k1-tr" {
		t.Errorf("signatures: %+v", r.Sigs)
	}
	again := must(psbt.NewFromRawBytes(bytes.NewReader(r.PSBT), false))
	if !again.IsComplete() {
		t.Error("the PSBT is not final")
	}

	r = f.signed(10, func(j *wire.Job) { j.PSBT, j.Keys = raw, keysOf(f.btc, 1, 0) })
	again = must(psbt.NewFromRawBytes(bytes.NewReader(r.PSBT), false))
	for i := range again.Inputs {
		if got := again.Inputs[i].TaprootKeySpendSig; r.Transaction != "" || !bytes.Equal(got, r.Sigs[i].Signature) {
			t.Errorf("input %d has %x, and the result %x", i, got, []byte(r.Sigs[i].Signature))
		}
	}
}

// What is not the client's stays as it is, and what it did not name is not its.
func TestSignForeignInputs(t *testing.T) {
	f := agedFleet(t)
	p := f.packet()
	p.spend(-1, nil, 10_000)
	p.spend(0, derive.Path{0, 1}, 50_000)
	p.spend(1, derive.Path{0, 1}, 50_000)
	p.spend(0, derive.Path{0, 2}, 50_000)
	p.pay(payee(), 150_000)
	r := f.signed(9, func(j *wire.Job) { j.PSBT, j.Keys, j.Finalize = p.bytes(), keysOf(f.btc, 0), true })
	if at := ats(r); !slices.Equal(at, []int{1, 3}) || r.Transaction != "" {
		t.Errorf("signatures at %v, transaction %q", at, r.Transaction)
	}
	again := must(psbt.NewFromRawBytes(bytes.NewReader(r.PSBT), false))
	for i, in := range again.Inputs {
		if signed := len(in.FinalScriptWitness) > 0; signed != (i == 1 || i == 3) {
			t.Errorf("input %d: signed is %v", i, signed)
		}
	}
}

// Inputs that can't be signed refuse the job, or are left where it says so.
func TestSignInPart(t *testing.T) {
	f := agedFleet(t)
	p := f.payment()
	p.Inputs[1].SighashType = 0x42
	raw := p.bytes()
	r := f.asked(9, func(j *wire.Job) { j.PSBT, j.Keys = raw, keysOf(f.btc, 0, 1) })
	if r.Status != wire.StatusFailed || r.Code != wire.CodeBadInput || !strings.Contains(r.Error, "input 1") {
		t.Errorf("%s: %s: %s", r.Status, r.Code, r.Error)
	}
	r = f.asked(10, func(j *wire.Job) { j.PSBT, j.Keys, j.Partial = raw, keysOf(f.btc, 0, 1), true })
	if r.Status != wire.StatusPartial || r.Code != wire.CodeBadInput || !slices.Equal(ats(r), []int{0, 1}) ||
		r.Sigs[0].Code != "" || r.Sigs[1].Code != wire.CodeBadInput || r.Sigs[1].Signature != nil || r.Amount() != 1 {
		t.Errorf("%s: %s: %s, %+v", r.Status, r.Code, r.Error, r.Sigs)
	}
}

// transfer is a Solana transaction, unsigned, in which a key pays somebody; others may be
// required to sign.
func transfer(from []byte, others ...[]byte) []byte {
	signers := append([][]byte{from}, others...)
	raw := append([]byte{byte(len(signers))}, make([]byte, 64*len(signers))...)
	raw = append(raw, byte(len(signers)), 0, 1, byte(len(signers)+2))
	raw = append(raw, bytes.Join(signers, nil)...)
	raw = append(raw, bytes.Repeat([]byte{9}, 32)...) // who is paid
	raw = append(raw, make([]byte, 32)...)            // the system program
	raw = append(raw, bytes.Repeat([]byte{3}, 32)...) // a blockhash
	to, program := byte(len(signers)), byte(len(signers)+1)
	raw = append(raw, 1, program, 2, 0, to, 12)
	raw = binary.LittleEndian.AppendUint32(raw, 2)
	return binary.LittleEndian.AppendUint64(raw, 1_000_000)
}

// A Solana transaction comes back signed by each key that was to sign, its children included.
func TestSignSolana(t *testing.T) {
	f := agedFleet(t)
	child := must(f.root(f.sol, 1).Child(derive.Path{0, 7})).PublicKey
	root, stranger := f.root(f.sol, 0).PublicKey, ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	raw := transfer(root, stranger, child)
	r := f.signed(9, func(j *wire.Job) {
		j.SolanaTransaction, j.Keys = raw, keysOf(f.sol, 1, 0)
		j.Keys[0].Path = new("0/7")
	})
	signed := must(base64.StdEncoding.DecodeString(r.Transaction))
	message := raw[1+3*64:]
	for i, key := range [][]byte{root, nil, child} {
		sig := signed[1+64*i:][:64]
		if key != nil && !ed25519.Verify(key, message, sig) || key == nil && !bytes.Equal(sig, make([]byte, 64)) {
			t.Errorf("signer %d has %x", i, sig)
		}
	}
	if at := ats(r); !slices.Equal(at, []int{0, 2}) || r.Sigs[1].Path != "0/7" || r.Sigs[0].Path != "" || r.Suite != "ed25519" {
		t.Errorf("%+v", r.Sigs)
	}
}

// Messages come back with what wallets take.
func TestSignMessages(t *testing.T) {
	f := agedFleet(t)
	r := f.signed(9, func(j *wire.Job) {
		j.SolanaMessage, j.Keys = new("hello"), keysOf(f.sol, 0)
		j.Keys[0].Path = new("0/7")
	})
	if !bytes.Equal(r.MessageSignature, r.Sigs[0].Signature) || len(r.MessageSignature) != 64 {
		t.Errorf("%+v", r)
	}
	r = f.signed(10, func(j *wire.Job) { j.BitcoinMessage, j.Keys = new("hello"), keysOf(f.btc, 0) })
	if want := append([]byte{1, 64}, r.Sigs[0].Signature...); !bytes.Equal(r.MessageSignature, want) || r.PSBT != nil {
		t.Errorf("%+v", r)
	}
	want := txscript.ComputeTaprootKeyNoScript(must(btcec.ParsePubKey(f.root(f.btc, 0).PublicKey)))
	if !bytes.Equal(r.Sigs[0].PublicKey, schnorr.SerializePubKey(want)) {
		t.Errorf("under %x", []byte(r.Sigs[0].PublicKey))
	}
}

// What can't be signed ends with its code, and a sentence that names the place.
func TestRequestsRefused(t *testing.T) {
	f := agedFleet(t)
	pays := f.payment().bytes()
	for name, test := range map[string]struct {
		fill func(*wire.Job)
		code wire.Code
		says string
	}{
		"no psbt":        {func(j *wire.Job) { j.PSBT, j.Keys = []byte("psbt"), keysOf(f.btc, 0) }, wire.CodeBadPSBT, "PSBT"},
		"no transaction": {func(j *wire.Job) { j.SolanaTransaction, j.Keys = pays, keysOf(f.sol, 0) }, wire.CodeBadTransaction, ""},
		"other signer": {func(j *wire.Job) {
			j.SolanaTransaction, j.Keys = transfer(f.root(f.sol, 0).PublicKey), keysOf(f.sol, 1)
		}, wire.CodeNoInput, keysOf(f.sol, 1)[0].Key},
		"nothing of ours": {func(j *wire.Job) {
			p := f.packet()
			p.spend(-1, nil, 5000)
			p.pay(payee(), 4000)
			j.PSBT, j.Keys = p.bytes(), keysOf(f.btc, 0)
		}, wire.CodeNoInput, ""},
		"solana keys":  {func(j *wire.Job) { j.PSBT, j.Keys = pays, keysOf(f.sol, 0) }, wire.CodeBadMessage, "ed25519"},
		"bitcoin keys": {func(j *wire.Job) { j.SolanaMessage, j.Keys = new("x"), keysOf(f.btc, 0) }, wire.CodeBadMessage, "secp256k1-tr"},
		"bob's key":    {func(j *wire.Job) { j.PSBT, j.Keys = pays, append(keysOf(f.btc, 0), keysOf(f.bob, 0)...) }, wire.CodeNotOwner, f.bob},
		"no such key":  {func(j *wire.Job) { j.PSBT, j.Keys = pays, keysOf(f.btc, 0, 2) }, wire.CodeUnknownKey, f.btc + ".2"},
		"long message": {func(j *wire.Job) { j.SolanaMessage, j.Keys = new(strings.Repeat("x", 4096)), keysOf(f.sol, 0) }, wire.CodeBadMessage, ""},
	} {
		r := f.asked(9, test.fill)
		if r.Status != wire.StatusFailed || r.Code != test.code || !strings.Contains(r.Error, test.says) {
			t.Errorf("%s: %s: %s: %s", name, r.Status, r.Code, r.Error)
		}
		equal(t, name+": tasks", len(f.work), 0)
	}
}

// A request of many inputs is read beside the machines, once its turn has come, and signed
// under few roots. No share outlives its session.
func TestSignManyInputs(t *testing.T) {
	f := agedFleet(t)
	p := f.packet()
	const inputs = 40
	for i := range inputs {
		p.spend(i%2, derive.Path{0, uint32(i)}, 10_000)
	}
	p.pay(payee(), 10_000*inputs-5000)
	var held []LoadedKey
	for _, a := range f.nodes {
		a.loaded = func(keys []LoadedKey) { held = append(held, keys...) }
	}
	f.desk.hold = true
	f.desk.arrive(f.request(9, func(j *wire.Job) { j.PSBT, j.Keys, j.Finalize = p.bytes(), keysOf(f.btc, 0, 1), true }), nil)
	equal(t, "computations", len(f.desk.held), 1)
	equal(t, "tasks", len(f.desk.tasks), 0)
	f.desk.hold = false
	f.desk.do(f.desk.held[0].Run())
	f.drain()
	r := f.desk.result()
	equal(t, "status", r.Status, wire.StatusDone)
	equal(t, "signatures", len(r.Sigs), inputs)
	p.accepts(r.Transaction)
	if len(held) == 0 {
		t.Fatal("no key was loaded")
	}
	for _, k := range held {
		if !wiped(k) {
			t.Error("a share is still there")
		}
	}
}

// wiped reports whether a key's share is gone.
func wiped(k LoadedKey) bool {
	share := k.Key.Share.Expose()
	return bytes.Equal(share, make([]byte, len(share)))
}

// The share of a key that signs nothing goes at once.
func TestUnusedShares(t *testing.T) {
	f := agedFleet(t)
	p := f.packet()
	p.spend(0, derive.Path{0, 1}, 50_000)
	p.pay(payee(), 40_000)
	s := f.readSession(f.request(7, func(j *wire.Job) { j.PSBT, j.Keys = p.bytes(), keysOf(f.btc, 0, 1) }), 0)
	a := s.at(0)
	var keys []LoadedKey
	a.loaded = func(k []LoadedKey) { keys = k }
	s.deliver()
	equal(t, "phase", s.phase(0), signCommitted)
	if wiped(keys[0]) || !wiped(keys[1]) {
		t.Error("the shares that are left are not those that sign")
	}
}

// readSession is a session of a request, as some gateway's task has it.
func (f aged) readSession(job wire.SignedJob, items ...uint32) *signTest {
	s := newSession(f.t, f, "alice", nil)
	s.job, s.task = job, wire.SignTask(job, 0, items, nil)
	s.session = s.task.Session(f.m)
	s.id, s.order = wire.ShortID(s.session), ranking(s.session, nil, f.m.N)
	return s
}

// A gateway that lies about what there is to sign gets a refusal, or the client's own: nodes
// take numbers from it, and nothing else.
func TestTasksOfLyingGateways(t *testing.T) {
	f := agedFleet(t)
	job := f.request(7, func(j *wire.Job) { j.PSBT, j.Keys = f.payment().bytes(), keysOf(f.btc, 0, 1) })
	for name, test := range map[string]struct {
		items []uint32
		code  wire.Code // "": it signs
	}{
		"both": {[]uint32{0, 1}, ""}, "one": {[]uint32{1}, ""}, "beyond": {[]uint32{2}, wire.CodeMalformedJob},
		"one beyond": {[]uint32{0, 999}, wire.CodeMalformedJob},
	} {
		s := agedFleet(t).readSession(job, test.items...)
		s.deliver()
		for rank := range s.m.T {
			if test.code == "" {
				s.at(rank).want(wire.SlotCommit)
				continue
			}
			c := must(wire.DecodeComplaint(s.at(rank).want(wire.SlotRefuse).body))
			if c.Code != test.code || len(s.at(rank).out) != 1 {
				t.Errorf("%s: %s: %s", name, c.Code, c.Reason)
			}
		}
	}
	forged := f.readSession(job, 0)
	forged.task.Job.Payload = bytes.Replace(job.Payload, []byte(keysOf(f.btc, 1)[0].Key), []byte(keysOf(f.btc, 0)[0].Key), 1)
	forged.deliver()
	for _, a := range f.nodes {
		equal(t, "messages", len(a.out), 0)
		a.expect(ReportBadTask)
	}
}

// Both sides count the items of a request alike.
func TestItemsOfARequest(t *testing.T) {
	f := agedFleet(t)
	job := f.request(7, func(j *wire.Job) { j.PSBT, j.Keys = f.payment().bytes(), keysOf(f.btc, 0, 1) })
	f.desk.arrive(job, nil)
	task := must(wire.DecodeTask(f.desk.tasks[0].Body, f.m))
	equal(t, "items", fmt.Sprint(task.Items), "[0 1]")
	s := agedFleet(t).readSession(job, task.Items...)
	s.deliver()
	items := s.at(0).signer.sessions[s.id].items
	for i, it := range f.desk.signing.jobs[f.desk.jobs[jobKey("alice", jobID(7))]].items {
		if !bytes.Equal(it.Message, items[i].Message) || !slices.Equal(it.Offsets, items[i].Offsets) || it.Tweak != items[i].Tweak ||
			!bytes.Equal(it.Key.PublicKey, items[i].Key.PublicKey) {
			t.Errorf("item %d differs", i)
		}
	}
}

// The turn of a request is as long as its inputs are many.
func TestSizeOfRequests(t *testing.T) {
	f := agedFleet(t)
	p := f.packet()
	for i := range wire.InteractiveItems + 1 {
		p.spend(-1, nil, int64(i+1))
	}
	p.pay(payee(), 1)
	for name, test := range map[string]struct {
		fill func(*wire.Job)
		size int
	}{
		"two inputs":  {func(j *wire.Job) { j.PSBT, j.Keys = f.payment().bytes(), keysOf(f.btc, 0) }, 2},
		"many inputs": {func(j *wire.Job) { j.PSBT, j.Keys = p.bytes(), keysOf(f.btc, 0) }, wire.InteractiveItems + 1},
		"junk":        {func(j *wire.Job) { j.PSBT, j.Keys = sha256.New().Sum(nil), keysOf(f.btc, 0) }, 1},
		"message":     {func(j *wire.Job) { j.BitcoinMessage, j.Keys = new("x"), keysOf(f.btc, 0) }, 1},
		"solana": {func(j *wire.Job) {
			j.SolanaTransaction, j.Keys = transfer(f.root(f.sol, 0).PublicKey, f.root(f.sol, 1).PublicKey), keysOf(f.sol, 0)
		}, 2},
	} {
		c := f.desk.checked(f.request(9, test.fill))
		if c.invalid != nil || c.size != test.size || c.interactive() != (test.size <= wire.InteractiveItems) {
			t.Errorf("%s: %v, size %d", name, c.invalid, c.size)
		}
	}
}

// A large request is none that others wait for by the millisecond, however few of its
// signatures a task names: all of it is read.
func TestLargeRequestsAreNotUrgent(t *testing.T) {
	for foreign, urgent := range map[int]bool{0: true, 2 * wire.InteractiveItems: false} {
		f := agedFleet(t)
		p := f.packet()
		p.spend(0, derive.Path{0, 1}, 50_000)
		for range foreign {
			p.spend(-1, nil, 1000)
		}
		p.pay(payee(), 49_000)
		s := f.readSession(f.request(7, func(j *wire.Job) { j.PSBT, j.Keys = p.bytes(), keysOf(f.btc, 0) }), 0)
		s.deliver()
		if got := s.at(0).signer.sessions[s.id].urgent(); got != urgent {
			t.Errorf("with %d foreign inputs: urgent is %t", foreign, got)
		}
	}
}
