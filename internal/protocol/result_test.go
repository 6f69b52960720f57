package protocol

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// proven is a keygen job of two parts (1,001 keys in a fleet of one), and its
// result as a client reads it.
func proven(t testing.TB) (*fleet, wire.SignedJob, *wire.Result) {
	f := newFleet(t, 1, 1).start()
	job := f.keygen(1, "alice", "solana", frost.MaxBatch+1)
	f.desk.arrive(job, nil)
	f.drain()
	var r wire.Result
	f.check(json.Unmarshal(f.desk.result().Encode(), &r))
	return f, job, &r
}

func TestVerifyKeys(t *testing.T) {
	f, job, good := proven(t)
	if err := wire.VerifyKeys(f.m, job, good); err != nil {
		t.Fatal(err)
	}
	equal(t, "parts", len(good.Batches), 2)
	data := good.Encode()
	other := newFleet(t, 1, 1)
	flip := func(b wire.HexBytes) wire.HexBytes { c := bytes.Clone(b); c[len(c)-1] ^= 1; return c }
	cert := func(change func(*wire.Certificate)) wire.HexBytes {
		var c wire.Certificate
		must(0, wire.Decode(good.Batches[0].Certificates[0], wire.MaxAttestation, &c))
		change(&c)
		return wire.Encode(&c)
	}
	for name, change := range map[string]func(*wire.Result){
		"job":                func(r *wire.Result) { r.Job = jobID(2) },
		"client":             func(r *wire.Result) { r.Client = "bob" },
		"kind":               func(r *wire.Result) { r.Kind = wire.KindSign },
		"digest":             func(r *wire.Result) { r.Digest = flip(r.Digest) },
		"status":             func(r *wire.Result) { r.Status = wire.StatusFailed },
		"fleet":              func(r *wire.Result) { r.Fleet = "tess" },
		"network":            func(r *wire.Result) { r.Network = "mainnet" },
		"manifest":           func(r *wire.Result) { r.Manifest = flip(r.Manifest) },
		"chain":              func(r *wire.Result) { r.Chain = "bitcoin" },
		"suite":              func(r *wire.Result) { r.Suite = "secp256k1-tr" },
		"key id":             func(r *wire.Result) { r.Keys[0].ID = r.Keys[1].ID },
		"public key":         func(r *wire.Result) { r.Keys[0].PublicKey = flip(r.Keys[0].PublicKey) },
		"longer public key":  func(r *wire.Result) { r.Keys[0].PublicKey = append(r.Keys[0].PublicKey, 0) },
		"two keys swapped":   func(r *wire.Result) { r.Keys[0], r.Keys[1] = r.Keys[1], r.Keys[0] },
		"two values swapped": func(r *wire.Result) { k := r.Keys; k[0].PublicKey, k[1].PublicKey = k[1].PublicKey, k[0].PublicKey },
		"chain code":         func(r *wire.Result) { r.Keys[0].ChainCode = flip(r.Keys[0].ChainCode) },
		"last chain code":    func(r *wire.Result) { r.Keys[1000].ChainCode = flip(r.Keys[1000].ChainCode) },
		"short chain code":   func(r *wire.Result) { r.Keys[0].ChainCode = r.Keys[0].ChainCode[:31] },
		"chain codes swapped": func(r *wire.Result) {
			r.Keys[0].ChainCode, r.Keys[1].ChainCode = r.Keys[1].ChainCode, r.Keys[0].ChainCode
		},
		"one key less":       func(r *wire.Result) { r.Keys = r.Keys[1:] },
		"last key less":      func(r *wire.Result) { r.Keys = r.Keys[:1000] },
		"one key more":       func(r *wire.Result) { r.Keys = append(r.Keys, r.Keys[0]) },
		"last key":           func(r *wire.Result) { r.Keys[1000].PublicKey = flip(r.Keys[1000].PublicKey) },
		"no keys":            func(r *wire.Result) { r.Keys = nil },
		"batch id":           func(r *wire.Result) { r.Batches[0].ID = someBatch },
		"batch part":         func(r *wire.Result) { r.Batches[1].Part = 0 },
		"batch attempt":      func(r *wire.Result) { r.Batches[0].Attempt = 1 },
		"batch count":        func(r *wire.Result) { r.Batches[0].Count++ },
		"batches swapped":    func(r *wire.Result) { slices.Reverse(r.Batches) },
		"one batch":          func(r *wire.Result) { r.Batches = r.Batches[:1] },
		"a batch more":       func(r *wire.Result) { r.Batches = append(r.Batches, r.Batches[0]) },
		"no certificates":    func(r *wire.Result) { r.Batches[0].Certificates = nil },
		"two certificates":   func(r *wire.Result) { b := &r.Batches[0]; b.Certificates = append(b.Certificates, b.Certificates[0]) },
		"other certificate":  func(r *wire.Result) { r.Batches[0].Certificates[0] = r.Batches[1].Certificates[0] },
		"broken certificate": func(r *wire.Result) { r.Batches[0].Certificates[0] = flip(r.Batches[0].Certificates[0]) },
		"empty certificate":  func(r *wire.Result) { r.Batches[0].Certificates[0] = nil },
		"certified context": func(r *wire.Result) {
			r.Batches[0].Certificates[0] = cert(func(c *wire.Certificate) { c.Context[0]++ })
		},
		"certified root": func(r *wire.Result) { r.Batches[0].Certificates[0] = cert(func(c *wire.Certificate) { c.Root[0]++ }) },
		"transcript": func(r *wire.Result) {
			r.Batches[0].Certificates[0] = cert(func(c *wire.Certificate) { c.Transcript[0]++ })
		},
		"certificate's index": func(r *wire.Result) { r.Batches[0].Certificates[0] = cert(func(c *wire.Certificate) { c.Node = 1 }) },
	} {
		var r wire.Result
		f.check(json.Unmarshal(data, &r))
		change(&r)
		if wire.VerifyKeys(f.m, job, &r) == nil {
			t.Errorf("%s was changed and the result passes", name)
		}
	}
	if wire.VerifyKeys(other.m, job, good) == nil {
		t.Error("another manifest passes")
	}
	for name, job := range map[string]wire.SignedJob{
		"another job":    f.keygen(2, "alice", "solana", 1001),
		"another client": f.keygen(1, "bob", "solana", 1001),
		"another count":  f.keygen(1, "alice", "solana", 1000),
		"another chain":  f.keygen(1, "alice", "bitcoin", 1001),
		"no job":         {Client: "alice", Kind: wire.KindKeygen, Payload: []byte("x")},
		"huge count":     f.keygen(1, "alice", "solana", 1<<40),
		"a sign job":     f.job("alice", wire.KindSign, bytes.Replace(job.Payload, []byte(`"keygen"`), []byte(`"sign"`), 1)),
		"kind that lies": f.job("alice", wire.KindKeygen, bytes.Replace(job.Payload, []byte(`"keygen"`), []byte(`"sign"`), 1)),
	} {
		if wire.VerifyKeys(f.m, job, good) == nil {
			t.Errorf("result passes for %s", name)
		}
	}
}

// The keys come with the chain codes that were certified, whether the result has them
// or is one of an older gateway.
func TestCertifiedKeys(t *testing.T) {
	f, job, good := proven(t)
	for _, name := range []string{"with chain codes", "without"} {
		keys, err := wire.CertifiedKeys(f.m, job, good)
		if err != nil || len(keys) != len(good.Keys) {
			t.Fatalf("%s: %d keys, %v", name, len(keys), err)
		}
		for _, i := range []int{0, 999, 1000} {
			transcript := f.desk.directory.finished[good.Batches[i/1000].ID].transcript
			if want := wire.ChainCode(transcript, i%1000); keys[i].ChainCode != want ||
				!bytes.Equal(keys[i].PublicKey, good.Keys[i].PublicKey) || keys[i].Owner != "alice" {
				t.Errorf("%s: key %d is %+v, want chain code %x", name, i, keys[i], want)
			}
		}
		for i := range good.Keys {
			if (len(good.Keys[i].ChainCode) == 0) != (name == "without") {
				t.Fatalf("%s: key %d of the result has %d bytes", name, i, len(good.Keys[i].ChainCode))
			}
			good.Keys[i].ChainCode = nil
		}
	}
}

// All n certificates are asked for, over one transcript.
func TestVerifyKeysWantsEveryNode(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	job := f.keygen(1, "alice", "bitcoin", 2)
	f.desk.arrive(job, nil)
	f.drain()
	good := f.desk.result()
	f.check(wire.VerifyKeys(f.m, job, good))
	certs := slices.Clone(good.Batches[0].Certificates)
	var c wire.Certificate
	f.check(wire.Decode(certs[2], wire.MaxAttestation, &c))
	c.Transcript[0]++
	c.Attestation = f.attestOne(2, c.Leaf(f.m))
	for name, list := range map[string][]wire.HexBytes{
		"one less":           certs[:2],
		"one twice":          {certs[0], certs[1], certs[1]},
		"another order":      {certs[1], certs[0], certs[2]},
		"another transcript": {certs[0], certs[1], wire.Encode(&c)},
	} {
		good.Batches[0].Certificates = list
		if wire.VerifyKeys(f.m, job, good) == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func TestVerifyResult(t *testing.T) {
	f := newFleet(t, 1, 1)
	payload := []byte(`{"x":1}`)
	sig := ed25519.Sign(f.gateway, wire.ResultSigningInput(f.m, "alice", jobID(1), payload))
	if err := f.access.VerifyResult(f.m, "gw", "alice", jobID(1), payload, sig); err != nil {
		t.Fatal(err)
	}
	other := func(change func(*wire.Manifest)) *wire.Manifest {
		m := *f.m
		change(&m)
		f.check(m.Seal())
		return &m
	}
	for name, err := range map[string]error{
		"gateway": f.access.VerifyResult(f.m, "other", "alice", jobID(1), payload, sig),
		"fleet": f.access.VerifyResult(other(func(m *wire.Manifest) { m.Fleet = "tess" }),
			"gw", "alice", jobID(1), payload, sig),
		"network": f.access.VerifyResult(other(func(m *wire.Manifest) { m.Network = "mainnet" }),
			"gw", "alice", jobID(1), payload, sig),
		"manifest": f.access.VerifyResult(other(func(m *wire.Manifest) { m.Epoch++ }),
			"gw", "alice", jobID(1), payload, sig),
		"client":    f.access.VerifyResult(f.m, "gw", "bob", jobID(1), payload, sig),
		"job":       f.access.VerifyResult(f.m, "gw", "alice", jobID(2), payload, sig),
		"payload":   f.access.VerifyResult(f.m, "gw", "alice", jobID(1), payload[1:], sig),
		"signature": f.access.VerifyResult(f.m, "gw", "alice", jobID(1), payload, sig[1:]),
	} {
		if err == nil {
			t.Errorf("another %s passes", name)
		}
	}
}

// A result must fit one message, whatever the fleet. The largest there are, as
// JSON: 5,000 keys with every certificate and the longest attestation that the
// worker's coalescer makes (1,024 leaves), and 1,000 signatures.
func TestResultSizes(t *testing.T) {
	const limit = 4 << 20
	leaves := make([][32]byte, 1024)
	cert := wire.Encode(&wire.Certificate{Node: 254, Attestation: wire.NewAttestations(leaves, make([]byte, 72))[1023]})
	for _, size := range [][2]int{{2, 3}, {16, 24}, {28, 42}} {
		m := newFleet(t, size[0], size[1]).m
		for _, chain := range []string{"bitcoin", "solana"} {
			job := &wire.Job{Kind: wire.KindKeygen, Chain: chain, Count: wire.MaxJobKeys}
			suite := (&wire.Job{Chain: chain}).Suite()
			r := &wire.Result{Job: jobID(1), Client: strings.Repeat("c", 64), Digest: make([]byte, 32), Manifest: make([]byte, 32)}
			for part := range job.Parts(m) {
				h := job.PartHeader(m, r.Client, [32]byte{}, part, 0)
				b := wire.Batch{ID: someBatch, Part: h.Part, Count: h.K}
				for range m.N {
					b.Certificates = append(b.Certificates, cert)
				}
				r.Batches = append(r.Batches, b)
				for i := range h.K {
					r.Keys = append(r.Keys, largeKey(int(i), suite))
				}
			}
			if got := len(r.Encode()); got > limit {
				t.Errorf("%d-of-%d, %s: a result of %d bytes", size[0], size[1], chain, got)
			}
		}
	}
	r := &wire.Result{}
	for range wire.MaxJobItems {
		r.Sigs = append(r.Sigs, wire.Signed{Key: wire.KeyID{Batch: someBatch, Index: 999}.String(), PublicKey: make([]byte, 32), Signature: make([]byte, 64)})
	}
	if got := len(r.Encode()); got > limit {
		t.Errorf("1,000 signatures: a result of %d bytes", got)
	}
	if len(cert)*2+3 > certificateJSON || len(mustJSON(largeKey(999, frost.Secp256k1TR))) > keyJSON {
		t.Error("a certificate or a key takes more than the estimate")
	}
}

// largeKey is a key as long as results have them: an address on regtest, a descriptor
// with an extended key of 112 digits.
func largeKey(index int, suite frost.Suite) wire.Key {
	k := wire.Key{
		ID: wire.KeyID{Batch: someBatch, Index: index}.String(), PublicKey: make([]byte, suite.PublicKeySize()),
		Address: strings.Repeat("a", 64), ChainCode: make([]byte, 32),
	}
	if suite == frost.Secp256k1TR {
		k.Descriptor = "tr([01234567]" + strings.Repeat("x", 112) + "/<0;1>/*)#01234567"
	}
	return k
}

// Where the certificates of a large fleet would not fit, the job is refused
// with the number of keys that do, and that number fits.
func TestResultThatWouldNotFit(t *testing.T) {
	f := newFleet(t, 80, 120)
	f.desk = f.newDesk()
	f.desk.arrive(f.keygen(1, "alice", "bitcoin", wire.MaxJobKeys), nil)
	r := f.desk.result()
	equal(t, "code", r.Code, wire.CodeTooLarge)
	var fits int
	if _, err := fmt.Sscanf(r.Error[strings.LastIndex(r.Error, "ask for"):], "ask for %d keys", &fits); err != nil || fits < 1 {
		t.Fatalf("%q does not say how many keys fit", r.Error)
	}
	f.desk.arrive(f.keygen(2, "alice", "bitcoin", fits), nil)
	equal(t, "failures", len(f.desk.finished), 1)
}

func TestDeadLetter(t *testing.T) {
	var d wire.DeadLetter
	must(0, json.Unmarshal((&wire.DeadLetter{Client: "alice", Code: wire.CodePoison, Payload: []byte("{")}).Encode(), &d))
	equal(t, "payload", string(d.Payload), "{")
}
