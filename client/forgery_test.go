package client

import (
	"crypto/ecdsa"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// TestIgnored sends, before the right answer, one that must not count: the job
// ends well all the same.
func TestIgnored(t *testing.T) {
	s, c := start(t)
	other := newKey(t)
	resigned := func(change func(r *wire.Result)) func(*wire.Result) {
		return func(r *wire.Result) {
			job := r.Job
			change(r)
			s.announceRaw(job, r.Encode(), s.headerFor(job, r.Encode()))
		}
	}
	tests := []struct {
		name   string
		send   func(r *wire.Result)
		reason string
	}{
		{"wrong digest", resigned(func(r *wire.Result) { r.Digest = message(1) }), "another job"},
		{"failure of another job", resigned(func(r *wire.Result) {
			r.Digest, r.Status, r.Code = message(1), wire.StatusFailed, wire.CodeNotOwner
		}), "another job"},
		{"no digest", resigned(func(r *wire.Result) { r.Digest = nil }), "another job"},
		{"rejection of another publication", resigned(func(r *wire.Result) {
			r.Rejected, r.Status, r.Code = make([]byte, 64), wire.StatusFailed, wire.CodeBadSignature
		}), "turns away another"},
		{"rejection of this payload without a signature", resigned(func(r *wire.Result) {
			r.Rejected, r.Status, r.Code = []byte{0}, wire.StatusFailed, wire.CodeBadSignature
		}), "turns away another"},
		{"rejection of another payload under this signature", resigned(func(r *wire.Result) {
			r.Rejected, r.Digest, r.Status, r.Code = s.last().Signature, message(1), wire.StatusFailed, wire.CodeBadSignature
		}), "another job"},
		{"rejection that is done", resigned(func(r *wire.Result) { r.Rejected = s.last().Signature }), "turns away another"},
		{"keys in part", resigned(func(r *wire.Result) { r.Status, r.Code = wire.StatusPartial, wire.CodeNotOwner }), "unknown status"},
		{"unknown status", resigned(func(r *wire.Result) { r.Status = "maybe" }), "unknown status"},
		{"other kind", resigned(func(r *wire.Result) { r.Kind = wire.KindSign }), "it says"},
		{"other job id inside", resigned(func(r *wire.Result) { r.Job = "x" }), "it says"},
		{"other client inside", resigned(func(r *wire.Result) { r.Client = "bob" }), "it says"},
		{"forged signature", func(r *wire.Result) { s.announceRaw(r.Job, r.Encode(), s.header(r, other, stubGateway)) }, "does not verify"},
		{"unknown gateway", func(r *wire.Result) { s.announceRaw(r.Job, r.Encode(), s.header(r, s.gateway, "gateway9")) }, "not in the access list"},
		{"changed after signing", func(r *wire.Result) {
			header := s.header(r, s.gateway, stubGateway)
			r.Attempts++
			s.announceRaw(r.Job, r.Encode(), header)
		}, "does not verify"},
		{"no headers", func(r *wire.Result) { s.announceRaw(r.Job, r.Encode(), nil) }, "not in the access list"},
		{"bad hexadecimal", func(r *wire.Result) {
			s.announceRaw(r.Job, r.Encode(), map[string][]string{wire.HeaderGateway: {stubGateway}, wire.HeaderSignature: {"zz"}})
		}, wire.HeaderSignature},
		{"signed, but no JSON", func(r *wire.Result) { s.announceRaw(r.Job, []byte("{"), s.headerFor(r.Job, []byte("{"))) }, "not a result"},
		{"result of another job of this client", func(r *wire.Result) {
			elsewhere := *r
			elsewhere.Job = "0198c0de-0000-7000-8000-000000000009"
			s.announceRaw(r.Job, elsewhere.Encode(), s.header(&elsewhere, s.gateway, stubGateway))
		}, "does not verify"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			release := make(chan struct{})
			s.onJob(func(job wire.SignedJob) {
				tt.send(s.result(job))
				go func() { <-release; s.store(s.result(job)) }()
			})
			h, err := c.SubmitKeygen(t.Context(), KeygenRequest{Chain: "bitcoin", Count: 1})
			if err != nil {
				t.Fatal(err)
			}
			trouble := waitForTrouble(t, h.p)
			close(release)
			if !strings.Contains(trouble, tt.reason) {
				t.Errorf("ignored because: %s; want %q", trouble, tt.reason)
			}
			if _, err := h.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func waitForTrouble(t *testing.T, p *pending) string {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if p.answered() {
			t.Fatal("it counted")
		}
		p.mu.Lock()
		trouble := p.ignored
		p.mu.Unlock()
		if trouble != nil {
			return trouble.Error()
		}
	}
	t.Fatal("nothing arrived")
	return ""
}

// TestUnproven: what a gateway signed for this job, and does not prove.
func TestUnproven(t *testing.T) {
	s, c := start(t)
	other, otherNodes := newManifest(t)
	recertify := func(r *wire.Result, m *wire.Manifest, nodes []*ecdsa.PrivateKey, owner string) {
		h := (&wire.Job{Kind: wire.KindKeygen, Chain: r.Chain, Count: len(r.Keys)}).
			PartHeader(s.manifest, stubClient, [32]byte(r.Digest), 0, 0)
		var public [][]byte
		for _, k := range r.Keys {
			public = append(public, k.PublicKey)
		}
		r.Batches[0].Certificates = certify(t, m, nodes, h.Context(s.manifest), keyRoot(public, owner))
	}
	tests := []struct {
		name   string
		forge  func(r *wire.Result)
		reason string
	}{
		{"certificates by other nodes", func(r *wire.Result) { recertify(r, s.manifest, otherNodes, stubClient) }, "certificate of node 0"},
		{"certificates under another manifest", func(r *wire.Result) { recertify(r, other, s.nodes, stubClient) }, "certificate of node 0"},
		{"keys of another owner", func(r *wire.Result) { recertify(r, s.manifest, s.nodes, "bob") }, "other keys"},
		{"one certificate forged", func(r *wire.Result) {
			cert := r.Batches[0].Certificates[2]
			cert[len(cert)-1] ^= 1
		}, "certificate of node 2"},
		{"one node twice", func(r *wire.Result) { r.Batches[0].Certificates[2] = r.Batches[0].Certificates[1] }, "certificate of node 2"},
		{"one certificate missing", func(r *wire.Result) { r.Batches[0].Certificates = r.Batches[0].Certificates[:2] }, "2 certificates"},
		{"no certificates", func(r *wire.Result) { r.Batches[0].Certificates = nil }, "0 certificates"},
		{"no batches", func(r *wire.Result) { r.Batches = nil }, "0 batches"},
		{"swapped address", func(r *wire.Result) { r.Keys[0].Address = r.Keys[1].Address }, "it was swapped"},
		{"address of another network", func(r *wire.Result) {
			r.Keys[0].Address = strings.Replace(r.Keys[0].Address, "bcrt1", "bc1", 1)
		}, "it was swapped"},
		{"swapped key and address", func(r *wire.Result) { *r = *withForeignKey(s, r) }, "other keys"},
		{"swapped chain codes", func(r *wire.Result) {
			r.Keys[0].ChainCode, r.Keys[1].ChainCode = r.Keys[1].ChainCode, r.Keys[0].ChainCode
		}, "has chain code"},
		{"descriptor of another key", func(r *wire.Result) { r.Keys[0].Descriptor = r.Keys[1].Descriptor }, "has descriptor"},
		{"descriptor of one chain", func(r *wire.Result) {
			r.Keys[1].Descriptor = strings.Replace(r.Keys[1].Descriptor, "<0;1>", "0", 1)
		}, "has descriptor"},
		{"keys in another order", func(r *wire.Result) {
			r.Keys[0].PublicKey, r.Keys[1].PublicKey = r.Keys[1].PublicKey, r.Keys[0].PublicKey
			r.Keys[0].Address, r.Keys[1].Address = r.Keys[1].Address, r.Keys[0].Address
		}, "other keys"},
		{"one key less", func(r *wire.Result) { r.Keys = r.Keys[:1] }, "1 keys"},
		{"batch of another job", func(r *wire.Result) { r.Batches[0].ID = strings.Repeat("0", 32) }, "not this job's"},
		{"another attempt's certificates", func(r *wire.Result) { r.Batches[0].Attempt++ }, "not this job's"},
		{"another manifest", func(r *wire.Result) { h := other.Hash(); r.Manifest = h[:] }, "ask the operators"},
		{"another network", func(r *wire.Result) { r.Network = "mainnet" }, "ask the operators"},
		{"another chain", func(r *wire.Result) { r.Chain = "solana" }, "differ"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.onJob(func(job wire.SignedJob) {
				r := s.result(job)
				tt.forge(r)
				s.store(r)
			})
			got, err := c.Keygen(t.Context(), KeygenRequest{Chain: "bitcoin", Count: 2})
			checkProofError(t, err, tt.reason)
			if len(got.Keys) != 0 {
				t.Errorf("keys were returned: %+v", got.Keys)
			}
		})
	}
}

// withForeignKey puts a good key of somebody else in the place of the first.
func withForeignKey(s *gatewayStub, r *wire.Result) *wire.Result {
	var job wire.SignedJob
	job.Client, job.Kind = stubClient, wire.KindKeygen
	job.Payload = s.last().Payload
	foreign := s.result(job)
	r.Keys[0].PublicKey, r.Keys[0].Address = foreign.Keys[0].PublicKey, foreign.Keys[0].Address
	return r
}

func checkProofError(t *testing.T, err error, reason string) {
	t.Helper()
	var proof *ProofError
	if !errors.As(err, &proof) || proof.Gateway != stubGateway || proof.Job == "" {
		t.Fatalf("got %v, want a *ProofError that names job and gateway", err)
	}
	if !strings.Contains(err.Error(), reason) {
		t.Errorf("got %v, want something about %q", err, reason)
	}
}

func TestUnprovenSignatures(t *testing.T) {
	s, c := start(t)
	keys, err := c.Keygen(t.Context(), KeygenRequest{Chain: "bitcoin", Count: 2})
	if err != nil {
		t.Fatal(err)
	}
	ed, err := c.Keygen(t.Context(), KeygenRequest{Chain: "solana", Count: 2})
	if err != nil {
		t.Fatal(err)
	}
	other, _ := newManifest(t)
	tests := []struct {
		name   string
		forge  func(r *wire.Result)
		reason string
	}{
		{"bad signature", func(r *wire.Result) { r.Sigs[0].Signature[40] ^= 1 }, "does not verify"},
		{"short signature", func(r *wire.Result) { r.Sigs[1].Signature = r.Sigs[1].Signature[:63] }, "63 bytes"},
		{"no signature", func(r *wire.Result) { r.Sigs[0].Signature = nil }, "0 bytes"},
		{"one less", func(r *wire.Result) { r.Sigs = r.Sigs[:1] }, "1 signatures for 2 items"},
		{"swapped", func(r *wire.Result) { r.Sigs[0], r.Sigs[1] = r.Sigs[1], r.Sigs[0] }, "asked of"},
		{"each other's output key", func(r *wire.Result) {
			r.Sigs[0], r.Sigs[1] = r.Sigs[1], r.Sigs[0]
			r.Sigs[0].Key, r.Sigs[1].Key = r.Sigs[1].Key, r.Sigs[0].Key
		}, "signed by key"},
		{"other suite", func(r *wire.Result) {
			r.Suite = map[string]string{SuiteEd25519: SuiteSecp256k1TR, SuiteSecp256k1TR: SuiteEd25519}[r.Suite]
		}, "signed by key"},
		{"unknown suite", func(r *wire.Result) { r.Suite = "none" }, "signed by key"},
		{"done, and an item refused", func(r *wire.Result) {
			r.Sigs[0] = wire.Signed{Key: r.Sigs[0].Key, Code: wire.CodeNotOwner, Error: "..."}
		}, "signed by key"},
		{"partial, and no item refused", func(r *wire.Result) { r.Status = wire.StatusPartial }, "0 of 2 items refused"},
		{"partial, and all items refused", func(r *wire.Result) {
			r.Status = wire.StatusPartial
			for i := range r.Sigs {
				r.Sigs[i] = wire.Signed{Key: r.Sigs[i].Key, Code: wire.CodeNotOwner, Error: "..."}
			}
		}, "2 of 2 items refused"},
		{"partial, and a bad signature", func(r *wire.Result) {
			r.Status, r.Sigs[0].Signature[40] = wire.StatusPartial, r.Sigs[0].Signature[40]^1
			r.Sigs[1] = wire.Signed{Key: r.Sigs[1].Key, Code: wire.CodeNotOwner, Error: "..."}
		}, "does not verify"},
		{"another key refused", func(r *wire.Result) {
			r.Status, r.Sigs[1] = wire.StatusPartial, wire.Signed{Key: r.Sigs[0].Key, Code: wire.CodeNotOwner, Error: "..."}
		}, "asked of"},
		{"another manifest", func(r *wire.Result) { h := other.Hash(); r.Manifest = h[:] }, "ask the operators"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.onJob(func(job wire.SignedJob) {
				r := s.result(job)
				tt.forge(r)
				s.store(r)
			})
			for _, k := range [][]Key{keys.Keys, ed.Keys} {
				_, err := c.Sign(t.Context(), SignRequest{Items: []SignItem{
					{Key: k[0].ID, PublicKey: k[0].PublicKey, Message: message(1)},
					{Key: k[1].ID, PublicKey: k[1].PublicKey, Message: message(2)},
				}})
				checkProofError(t, err, tt.reason)
			}
		})
	}
	t.Run("script root left out", func(t *testing.T) {
		s.onJob(func(job wire.SignedJob) {
			r := s.base(job)
			s.sign(r, &wire.Job{Items: []wire.JobItem{{Key: keys.Keys[0].ID, Message: message(1)}}})
			s.store(r)
		})
		_, err := c.Sign(t.Context(), SignRequest{Items: []SignItem{
			{Key: keys.Keys[0].ID, PublicKey: keys.Keys[0].PublicKey, Message: message(1), ScriptRoot: message(7)}}})
		checkProofError(t, err, "signed by key")
	})
}
