package client

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcutil/psbt"
	"github.com/btcsuite/btcd/txscript"
	btc "github.com/btcsuite/btcd/wire"
	"github.com/mr-tron/base58"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/draft"
	"github.com/frostfleet/frostfleet/internal/tx"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// newKeys generates keys of a stub's fleet.
func newKeys(t testing.TB, c *Client, chain string, count int) []Key {
	t.Helper()
	got, err := c.Keygen(t.Context(), KeygenRequest{Chain: chain, Count: count})
	if err != nil {
		t.Fatal(err)
	}
	return got.Keys
}

// rootKey is a key as internal/derive has it.
func rootKey(t testing.TB, k Key) derive.Key {
	t.Helper()
	a, err := k.Account()
	if err != nil {
		t.Fatal(err)
	}
	return a.root
}

// twoChildren is a PSBT that spends from two children of different keys, with change to the first.
func twoChildren(t testing.TB, keys []Key) *draft.PSBT {
	a, b := rootKey(t, keys[0]), rootKey(t, keys[1])
	return draft.NewPSBT().Spend(a, derive.Path{0, 17}, 60_000).Spend(b, derive.Path{0, 4}, 50_000).
		Pay(draft.Payee(), 70_000).Change(a, derive.Path{1, 3}, 39_000)
}

func encoded(t testing.TB, d *draft.PSBT) []byte {
	t.Helper()
	raw, err := d.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// accepted runs a transaction in btcd's script engine.
func accepted(t testing.TB, raw []byte, outs *txscript.MultiPrevOutFetcher) {
	t.Helper()
	tx := new(btc.MsgTx)
	if err := tx.Deserialize(bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	for i, in := range tx.TxIn {
		out := outs.FetchPrevOutput(in.PreviousOutPoint)
		engine, err := txscript.NewEngine(out.PkScript, tx, i, txscript.StandardVerifyFlags, nil,
			txscript.NewTxSigHashes(tx, outs), out.Value, outs)
		if err == nil {
			err = engine.Execute()
		}
		if err != nil {
			t.Errorf("input %d: %v", i, err)
		}
	}
}

// TestSignPSBT: a transaction from two children that a Bitcoin node takes.
func TestSignPSBT(t *testing.T) {
	s, c := start(t)
	keys := newKeys(t, c, "bitcoin", 3)
	d := twoChildren(t, keys)
	var saved *SignJob
	got, err := c.SignPSBT(t.Context(), SignPSBTRequest{PSBT: encoded(t, d), Keys: keys, Finalize: true,
		OnJob: func(j *SignJob) error { saved = j; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	accepted(t, got.Transaction, d.Prevouts())
	if len(got.Signatures) != 2 || got.Signatures[0].Path != "0/17" || got.Signatures[1].Key != keys[1].ID ||
		got.Signatures[1].At != 1 || saved.ID != got.Job || string(s.last().Payload) != saved.Payload {
		t.Errorf("%+v, saved %+v", got, saved)
	}
	// Read again, by whoever has the payload and the keys, it is the same job.
	read, err := ParseSignJob(c.Manifest(), saved.Payload, []Key{keys[2], keys[1], keys[0]})
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.FetchSigned(t.Context(), read)
	if err != nil || !reflect.DeepEqual(again, got) {
		t.Errorf("%+v, %v", again, err)
	}
	c = s.connect(Config{URL: s.url, PollAfter: time.Millisecond})
	if again, err = c.SignJob(t.Context(), read); err != nil || again.Job != got.Job {
		t.Errorf("%+v, %v", again, err)
	}
}

// TestSignPSBTWithOthers: inputs of others are left as they are, and there is no transaction
// yet. A signature that commits to less has its type behind it.
func TestSignPSBTWithOthers(t *testing.T) {
	_, c := start(t)
	keys := newKeys(t, c, "bitcoin", 2)
	raw := encoded(t, twoChildren(t, keys).SpendOther(draft.Payee(), 1_000))
	packet, err := psbt.NewFromRawBytes(bytes.NewReader(raw), false)
	if err != nil {
		t.Fatal(err)
	}
	packet.Inputs[1].SighashType = txscript.SigHashAll | txscript.SigHashAnyOneCanPay
	var out bytes.Buffer
	if err := packet.Serialize(&out); err != nil {
		t.Fatal(err)
	}
	for _, finalize := range []bool{false, true} {
		got, err := c.SignPSBT(t.Context(), SignPSBTRequest{PSBT: out.Bytes(), Keys: keys, Finalize: finalize})
		if err != nil {
			t.Fatal(err)
		}
		signed, err := psbt.NewFromRawBytes(bytes.NewReader(got.PSBT), false)
		if err != nil || got.Transaction != nil {
			t.Fatalf("%v, transaction %x", err, got.Transaction)
		}
		for i, want := range []int{64, 65, 0} {
			in := signed.Inputs[i]
			if finalize {
				in.TaprootKeySpendSig = in.FinalScriptWitness[min(2, len(in.FinalScriptWitness)):]
			}
			if len(in.TaprootKeySpendSig) != want {
				t.Errorf("finalize %t, input %d: signature %x", finalize, i, in.TaprootKeySpendSig)
			}
		}
	}
}

// TestPartialPSBT: an input that can't be signed is left, and named, if that was asked for.
func TestPartialPSBT(t *testing.T) {
	s, c := start(t)
	keys := newKeys(t, c, "bitcoin", 2)
	packet, err := psbt.NewFromRawBytes(bytes.NewReader(encoded(t, twoChildren(t, keys))), false)
	if err != nil {
		t.Fatal(err)
	}
	packet.Inputs[0].SighashType = 0x42 // which BIP 341 does not have
	var out bytes.Buffer
	if err := packet.Serialize(&out); err != nil {
		t.Fatal(err)
	}
	before := s.published()
	_, err = c.SignPSBT(t.Context(), SignPSBTRequest{PSBT: out.Bytes(), Keys: keys})
	if refused, ok := errors.AsType[*JobError](err); !ok || refused.Code != CodeBadInput || refused.Gateway != "" ||
		s.published() != before {
		t.Errorf("all or none: %v", err)
	}
	got, err := c.SignPSBT(t.Context(), SignPSBTRequest{PSBT: out.Bytes(), Keys: keys, Partial: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Signatures) != 1 || got.Signatures[0].At != 1 || len(got.Refused) != 1 || got.Refused[0].At != 0 ||
		got.Refused[0].Code != CodeBadInput {
		t.Errorf("%+v", got)
	}
}

// TestSignSolanaTransaction: the network's library verifies it, over the message's bytes.
func TestSignSolanaTransaction(t *testing.T) {
	_, c := start(t)
	key := newKeys(t, c, "solana", 1)[0]
	for _, path := range []string{"", "0/9"} {
		from := key.PublicKey
		if path != "" {
			a, err := key.Account()
			if err != nil {
				t.Fatal(err)
			}
			address, err := a.Address(Receive, 9)
			if err != nil {
				t.Fatal(err)
			}
			if from, err = base58.Decode(address.Address); err != nil {
				t.Fatal(err)
			}
		}
		raw := draft.Transfer(from, bytes.Repeat([]byte{9}, 32), 1_000_000, sha256.Sum256([]byte("blockhash")))
		got, err := c.SignSolanaTransaction(t.Context(), SignSolanaRequest{Transaction: raw, Signers: []Signer{{key, path}}})
		if err != nil {
			t.Fatal(err)
		}
		if signed := got.Transaction; !bytes.Equal(signed[65:], raw[65:]) || !ed25519.Verify(from, raw[65:], signed[1:65]) ||
			got.Signatures[0].Path != path {
			t.Errorf("path %q: %x", path, signed)
		}
	}
}

// TestSignMessage: of both chains.
func TestSignMessage(t *testing.T) {
	_, c := start(t)
	for chain, length := range map[string]int{"bitcoin": 2 + 64, "solana": 64} {
		key := newKeys(t, c, chain, 1)[0]
		got, err := c.SignMessage(t.Context(), SignMessageRequest{Signer: Signer{key, "0/1"}, Text: "I <own> this & that"})
		if err != nil {
			t.Fatalf("%s: %v", chain, err)
		}
		if len(got.MessageSignature) != length || len(got.Signatures) != 1 ||
			!bytes.HasSuffix(got.MessageSignature, got.Signatures[0].Signature) || got.PSBT != nil || got.Transaction != nil {
			t.Errorf("%s: %+v", chain, got)
		}
	}
}

// TestRequestsRefused: what nodes would refuse is refused before anything is published.
func TestRequestsRefused(t *testing.T) {
	s, c := start(t)
	bitcoin, solana := newKeys(t, c, "bitcoin", 2), newKeys(t, c, "solana", 1)
	good := encoded(t, twoChildren(t, bitcoin))
	transfer := draft.Transfer(solana[0].PublicKey, bytes.Repeat([]byte{9}, 32), 1, [32]byte{1})
	changed := bitcoin[0]
	changed.ChainCode = nil
	elsewhere := bitcoin[0]
	elsewhere.network = "signet"
	before := s.published()
	for name, tt := range map[string]struct {
		job  func(context.Context) (*Signed, error)
		code Code
	}{
		"no PSBT":     {c.of(SignPSBTRequest{Keys: bitcoin}), CodeEmptyBatch},
		"rubbish":     {c.of(SignPSBTRequest{PSBT: []byte("rubbish"), Keys: bitcoin}), CodeBadPSBT},
		"no keys":     {c.of(SignPSBTRequest{PSBT: good}), CodeMalformedJob},
		"a key twice": {c.of(SignPSBTRequest{PSBT: good, Keys: []Key{bitcoin[0], bitcoin[0]}}), CodeMalformedJob},
		"others' inputs": {c.of(SignPSBTRequest{PSBT: encoded(t, draft.NewPSBT().SpendOther(draft.Payee(), 9).
			Pay(draft.Payee(), 8)), Keys: bitcoin}), CodeNoInput},
		"a solana key":  {c.of(SignPSBTRequest{PSBT: good, Keys: solana}), CodeBadMessage},
		"replaces":      {c.of(SignPSBTRequest{PSBT: good, Keys: bitcoin, Replaces: "it"}), CodeMalformedJob},
		"expired":       {c.of(SignPSBTRequest{PSBT: good, Keys: bitcoin, Expires: time.Now()}), CodeExpired},
		"not proven":    {c.of(SignPSBTRequest{PSBT: good, Keys: []Key{{ID: bitcoin[0].ID}}}), CodeUnprovenKey},
		"changed":       {c.of(SignPSBTRequest{PSBT: good, Keys: []Key{changed}}), CodeUnprovenKey},
		"other network": {c.of(SignPSBTRequest{PSBT: good, Keys: []Key{elsewhere}}), CodeOtherNetwork},
		"no transaction": {c.of(SignSolanaRequest{Transaction: transfer[1:], Signers: []Signer{{solana[0], ""}}}),
			CodeBadTransaction},
		"other signer": {c.of(SignSolanaRequest{Transaction: transfer, Signers: []Signer{{solana[0], "0/1"}}}), CodeNoInput},
		"hardened":     {c.of(SignSolanaRequest{Transaction: transfer, Signers: []Signer{{solana[0], "0'"}}}), CodeBadPath},
		"no text":      {c.of(SignMessageRequest{Signer: Signer{Key: solana[0]}}), CodeEmptyBatch},
		"not UTF-8":    {c.of(SignMessageRequest{Signer: Signer{Key: bitcoin[0]}, Text: "\xff"}), CodeBadMessage},
		"no key":       {c.of(SignMessageRequest{Text: "hello"}), CodeUnknownKey},
	} {
		got, err := tt.job(t.Context())
		var code Code
		if e, ok := errors.AsType[*JobError](err); ok && e.Gateway == "" {
			code = e.Code
		} else if e, ok := errors.AsType[*AccountError](err); ok {
			code = e.Code
		}
		if code != tt.code || got != nil {
			t.Errorf("%s: %+v, %v; want %s", name, got, err, tt.code)
		}
	}
	full := errors.New("the disk is full")
	if _, err := c.SignPSBT(t.Context(), SignPSBTRequest{PSBT: good, Keys: bitcoin,
		OnJob: func(*SignJob) error { return full }}); !errors.Is(err, full) {
		t.Errorf("a job that can't be saved: %v", err)
	}
	if s.published() != before {
		t.Errorf("%d jobs published", s.published()-before)
	}
	if _, err := ParseSignJob(c.Manifest(), `{"job":"0198c0de-7a10-7cc3-98c4-dc0c0c07398f","kind":"sign","expires":`+
		`"2026-01-31T12:30:00Z","items":[{"key":"`+bitcoin[0].ID+`","message":"00"}]}`, bitcoin); err == nil {
		t.Error("a job of items was read as one of a transaction")
	}
	if _, err := c.SignJob(t.Context(), &SignJob{}); err == nil {
		t.Error("a job that was not read was published")
	}
}

// of is a request to be made.
func (c *Client) of(req any) func(context.Context) (*Signed, error) {
	return func(ctx context.Context) (*Signed, error) {
		switch req := req.(type) {
		case SignPSBTRequest:
			return c.SignPSBT(ctx, req)
		case SignSolanaRequest:
			return c.SignSolanaTransaction(ctx, req)
		case SignMessageRequest:
			return c.SignMessage(ctx, req)
		}
		panic(fmt.Sprintf("%T", req))
	}
}

// TestFalseRequests: what a gateway signed for a request, and is not its answer.
func TestFalseRequests(t *testing.T) {
	s, c := start(t)
	keys, signer := newKeys(t, c, "bitcoin", 2), newKeys(t, c, "solana", 1)[0]
	raw := encoded(t, twoChildren(t, keys))
	request := SignPSBTRequest{PSBT: raw, Keys: keys, Finalize: true}
	other, err := c.SignPSBT(t.Context(), SignPSBTRequest{PSBT: encoded(t, twoChildren(t, keys).Pay(draft.Payee(), 1)),
		Keys: keys, Finalize: true})
	if err != nil {
		t.Fatal(err)
	}
	transfer := SignSolanaRequest{Signers: []Signer{{Key: signer}},
		Transaction: draft.Transfer(signer.PublicKey, bytes.Repeat([]byte{9}, 32), 1, [32]byte{1})}
	text := SignMessageRequest{Signer: Signer{Key: keys[0]}, Text: "hello"}
	for name, tt := range map[string]struct {
		req    any
		change func(*wire.Result)
		says   string
	}{
		"another transaction's signature": {request, func(r *wire.Result) {
			r.Sigs[0].Signature = other.Signatures[0].Signature
		}, "script engine refuses"},
		"a false transaction as a whole": {request, func(r *wire.Result) {
			r.Sigs[0].Signature = other.Signatures[0].Signature
			job, err := request.Job(c.Manifest())
			if err != nil {
				t.Fatal(err)
			}
			forged, err := job.reading.Finish([][]byte{r.Sigs[0].Signature, r.Sigs[1].Signature}, true)
			if err != nil {
				t.Fatal(err)
			}
			r.PSBT, r.Transaction = forged.PSBT, fmt.Sprintf("%x", forged.Transaction)
		}, "script engine refuses"},
		"no signature": {request, func(r *wire.Result) { r.Sigs[0].Signature = nil }, "script engine"},
		"swapped":      {request, func(r *wire.Result) { slices.Reverse(r.Sigs) }, "not what comes next"},
		"missing":      {request, func(r *wire.Result) { r.Sigs = r.Sigs[:1] }, "1 signatures of 2"},
		"one more":     {request, func(r *wire.Result) { r.Sigs = append(r.Sigs, r.Sigs[1]) }, "not what comes next"},
		"no place":     {request, func(r *wire.Result) { r.Sigs[1].At = nil }, "does not say where"},
		"other key":    {request, func(r *wire.Result) { r.Sigs[1].Key = keys[0].ID }, "is signed by key"},
		"other path":   {request, func(r *wire.Result) { r.Sigs[1].Path = "0/5" }, "is signed by key"},
		"other output": {request, func(r *wire.Result) { r.Sigs[1].PublicKey = r.Sigs[0].PublicKey }, "is signed by key"},
		"refused": {request, func(r *wire.Result) {
			r.Sigs[1] = wire.Signed{At: r.Sigs[1].At, Code: wire.CodeBadInput, Error: "no"}
		}, "can be signed"},
		"in part": {SignPSBTRequest{PSBT: raw, Keys: keys, Partial: true}, func(r *wire.Result) {
			r.Status = wire.StatusPartial
		}, "status partial"},
		"other suite": {request, func(r *wire.Result) { r.Suite = SuiteEd25519 }, "suite"},
		"other fleet": {request, func(r *wire.Result) { r.Fleet = "other" }, "ask the operators"},
		"other PSBT":  {request, func(r *wire.Result) { r.PSBT = other.PSBT }, "its PSBT is not"},
		"other transaction": {request, func(r *wire.Result) {
			r.Transaction = fmt.Sprintf("%x", other.Transaction)
		}, "its transaction is not"},
		"no transaction": {request, func(r *wire.Result) { r.Transaction = "" }, "its transaction is not"},
		"other transfer": {transfer, func(r *wire.Result) { r.Transaction = "AAAA" }, "its transaction is not"},
		"false transfer": {transfer, func(r *wire.Result) { r.Sigs[0].Signature[33] ^= 1 }, "does not verify"},
		"false message":  {text, func(r *wire.Result) { r.Sigs[0].Signature[33] ^= 1 }, "does not verify"},
		"other witness": {text, func(r *wire.Result) {
			r.MessageSignature[3] ^= 1
		}, "its signature of the message is not"},
	} {
		t.Run(name, func(t *testing.T) {
			s.onJob(func(job wire.SignedJob) {
				r := s.result(job)
				tt.change(r)
				s.store(r)
			})
			got, err := c.of(tt.req)(t.Context())
			if proof, ok := errors.AsType[*ProofError](err); !ok || got != nil || proof.Gateway != stubGateway ||
				!strings.Contains(err.Error(), tt.says) {
				t.Errorf("%+v, %v; want an error about %q", got, err, tt.says)
			}
		})
	}
}

// TestSpending: the engine judges the transaction as it is, by the output of the key that was
// asked.
func TestSpending(t *testing.T) {
	_, c := start(t)
	keys := newKeys(t, c, "bitcoin", 2)
	raw := encoded(t, twoChildren(t, keys))
	for _, finalize := range []bool{false, true} {
		got, err := c.SignPSBT(t.Context(), SignPSBTRequest{PSBT: raw, Keys: keys, Finalize: finalize})
		if err != nil {
			t.Fatal(err)
		}
		finished := tx.Finished{PSBT: got.PSBT, Transaction: got.Transaction}
		s := newSpending(finished)
		for i, signed := range got.Signatures {
			if err := s.run(intent.Signature{At: i, PublicKey: signed.PublicKey}); err != nil {
				t.Error(err)
			}
			if s.run(intent.Signature{At: i, PublicKey: got.Signatures[1-i].PublicKey}) == nil {
				t.Error("the output of another key counts")
			}
		}
		finished.Transaction = []byte("rubbish")
		if newSpending(finished) != nil || newSpending(tx.Finished{PSBT: []byte("rubbish")}) != nil {
			t.Error("rubbish is judged")
		}
	}
	if newSpending(tx.Finished{PSBT: withoutAmount(t, raw)}) != nil {
		t.Error("a transaction is judged without what it spends")
	}
}

// withoutAmount is a PSBT that does not say what its last input spends.
func withoutAmount(t testing.TB, raw []byte) []byte {
	t.Helper()
	packet, err := psbt.NewFromRawBytes(bytes.NewReader(raw), false)
	if err != nil {
		t.Fatal(err)
	}
	packet.Inputs[len(packet.Inputs)-1].WitnessUtxo = nil
	var out bytes.Buffer
	if err := packet.Serialize(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestPolicyDenied: what policies say is told apart from failures, and is one of them.
// Approvals go beside the job.
func TestPolicyDenied(t *testing.T) {
	s, c := start(t)
	keys := newKeys(t, c, "bitcoin", 2)
	s.onJob(func(job wire.SignedJob) {
		r := s.failure(job, wire.CodePolicyDenied)
		if len(job.Approvals) < 2 {
			r.Code = wire.CodeApprovalRequired
		}
		r.Status = wire.StatusDenied
		s.store(r)
	})
	for want, names := range map[Code][]string{
		CodeApprovalRequired: {"carol"}, CodePolicyDenied: {"carol", "bob", "carol"},
	} {
		job, err := SignPSBTRequest{PSBT: encoded(t, twoChildren(t, keys)), Keys: keys}.Job(c.Manifest())
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if err := job.Approve(c.Manifest(), c.Name(), name, approver(name)); err != nil {
				t.Fatal(err)
			}
		}
		_, err = c.SignJob(t.Context(), job)
		denied, ok := errors.AsType[*DeniedError](err)
		failed, too := errors.AsType[*JobError](err)
		if !ok || !too || denied.Code != want || failed.Message != "the stub says so" ||
			!strings.HasPrefix(err.Error(), "denied: job "+job.ID) {
			t.Errorf("want %s: %v", want, err)
		}
		got, by := s.last().Approvals, approver("carol").Public().(ed25519.PublicKey)
		carol := got[len(got)-1]
		if len(got) > 2 || carol.Name != "carol" || !carol.Verify(by, s.manifest, s.last().Digest(s.manifest)) {
			t.Errorf("%+v", got)
		}
	}
}

// approver is the key of somebody who approves jobs.
func approver(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// TestApprovals: what can't be one is refused before it goes anywhere.
func TestApprovals(t *testing.T) {
	_, c := start(t)
	key := newKeys(t, c, "solana", 1)[0]
	job, err := SignMessageRequest{Signer: Signer{Key: key}, Text: "hello"}.Job(c.Manifest())
	if err != nil {
		t.Fatal(err)
	}
	if err := job.Approve(c.Manifest(), c.Name(), "two words", approver("x")); err == nil || len(job.Approvals) != 0 {
		t.Errorf("%v, %+v", err, job.Approvals)
	}
	if err := job.AddApprovals(Approval{"carol", []byte("short")}); err == nil || len(job.Approvals) != 0 {
		t.Errorf("%v, %+v", err, job.Approvals)
	}
	for i := range wire.MaxApprovals + 1 {
		err = job.Approve(c.Manifest(), c.Name(), fmt.Sprint("a", i), approver("x"))
		if (err != nil) != (i == wire.MaxApprovals) {
			t.Errorf("approval %d: %v", i, err)
		}
	}
	job.Approvals = append(job.Approvals, Approval{"bob", nil})
	if _, err := c.SignJob(t.Context(), job); err == nil || !strings.Contains(err.Error(), "approval") {
		t.Errorf("%v", err)
	}
}
