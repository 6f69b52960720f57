package wire

import (
	"crypto/ed25519"
	"crypto/rand"
	"testing"
)

// What a signature or a digest is over: nothing of it can be exchanged afterwards.

// Two clients may have one key, and still their jobs are their own.
func TestJobSignatureBindsTheClient(t *testing.T) {
	f := newFleet(t, 1, 1)
	pub, key, _ := ed25519.GenerateKey(rand.Reader)
	access := must(NewAccess([]Client{
		{Name: "one", Key: pub, Kinds: Kinds}, {Name: "two", Key: pub, Kinds: Kinds},
	}, nil))
	f.clients["one"] = key
	job := f.keygen(1, "one", "bitcoin", 1)
	if err := job.Authenticate(f.m, access); err != nil {
		t.Fatal(err)
	}
	job.Client = "two"
	if job.Authenticate(f.m, access) == nil {
		t.Error("what one signed is a job of two")
	}
}

func TestJobDigestBindsTheClient(t *testing.T) {
	f := newFleet(t, 1, 1)
	job := f.keygen(1, "alice", "bitcoin", 1)
	digest := job.Digest(f.m)
	job.Client = "bob"
	if job.Digest(f.m) == digest {
		t.Error("two clients' jobs have one digest")
	}
}

func TestCommitmentIsAttested(t *testing.T) {
	f, other := newFleet(t, 1, 2), newFleet(t, 1, 2)
	o, session, points := NewOpener(f.m, nil), [32]byte{1}, []byte("D and E")
	good := CommitBody{Session: session, Points: points}
	good.Attestation = f.attestOne(0, CommitLeaf(f.m, session, 0, points))
	if _, err := o.DecodeCommit(Encode(&good), session, 0); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*CommitBody){
		"another pair":    func(c *CommitBody) { c.Points = []byte("E and D") },
		"another session": func(c *CommitBody) { c.Attestation = f.attestOne(0, CommitLeaf(f.m, [32]byte{2}, 0, points)) },
		"another node":    func(c *CommitBody) { c.Attestation = f.attestOne(0, CommitLeaf(f.m, session, 1, points)) },
		"another's key":   func(c *CommitBody) { c.Attestation = f.attestOne(1, CommitLeaf(f.m, session, 0, points)) },
		"another fleet":   func(c *CommitBody) { c.Attestation = f.attestOne(0, CommitLeaf(other.m, session, 0, points)) },
		"none":            func(c *CommitBody) { c.Attestation = nil },
	} {
		c := good
		change(&c)
		if _, err := o.DecodeCommit(Encode(&c), session, 0); err == nil {
			t.Errorf("an attestation of %s passes", name)
		}
	}
}

// Without attestations the session that the body names is all there is.
func TestCommitmentIsOfItsSession(t *testing.T) {
	f := newFleet(t, 1, 1)
	f.m.AttestSigning = false
	body := Encode(&CommitBody{Session: [32]byte{1}, Points: []byte("points")})
	o := NewOpener(f.m, nil)
	if _, err := o.DecodeCommit(body, [32]byte{1}, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := o.DecodeCommit(body, [32]byte{2}, 0); err == nil {
		t.Error("a commitment for another session passes")
	}
}

func TestCertificateBindsItsFields(t *testing.T) {
	f, other := newFleet(t, 1, 2), newFleet(t, 1, 2)
	good := Certificate{Context: [32]byte{1}, Transcript: [32]byte{2}, Root: [32]byte{3}, Node: 1}
	good.Attestation = f.attestOne(1, good.Leaf(f.m))
	if _, err := DecodeCertificate(Encode(&good), f.m, 1, 0); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Certificate){
		"context":    func(c *Certificate) { c.Context[0]++ },
		"transcript": func(c *Certificate) { c.Transcript[0]++ },
		"root":       func(c *Certificate) { c.Root[0]++ },
		"node":       func(c *Certificate) { c.Node = 0 },
		"generation": func(c *Certificate) { c.Generation = 1 },
		// Signed, and of a generation that this program does not read.
		"later generation": func(c *Certificate) { c.Generation = 1; c.Attestation = f.attestOne(1, c.Leaf(f.m)) },
		"fleet":            func(c *Certificate) { c.Attestation = f.attestOne(1, c.Leaf(other.m)) },
		// Signed by node 1, in the name of node 0.
		"name": func(c *Certificate) { c.Node = 0; c.Attestation = f.attestOne(1, c.Leaf(f.m)) },
	} {
		c := good
		change(&c)
		if _, err := DecodeCertificate(Encode(&c), f.m, 1, 0); err == nil {
			t.Errorf("a certificate with another %s passes", name)
		}
	}
}
