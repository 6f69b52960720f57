package awskms

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

// TestPublicKey: every way to come by the public key, and what it costs.
func TestPublicKey(t *testing.T) {
	f, o := faulty(t)
	o.DerivationKeyID = ""
	pinned := publicKey(t, f, o.KeyID)
	other := &newKey(t).PublicKey
	const noGet = "describe ok, public_key denied"
	tests := []struct {
		name         string
		pinned, deny bool
		calls, from  string
	}{
		{"granted", false, false, "describe ok, public_key ok", "kms:GetPublicKey"},
		{"granted and pinned", true, false, "describe ok, public_key ok", "kms:GetPublicKey"},
		{"denied and pinned", true, true, noGet + ", sign ok", "proven by a signature"},
		{"denied", false, true, noGet + ", sign ok, sign ok", "two signatures"},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			f.Deny(o.KeyID)
			if c.deny {
				f.Deny(o.KeyID, "kms:GetPublicKey")
			}
			o, heard := o, &calls{}
			o.Observe = heard.observe
			if c.pinned {
				o.Pinned = pinned
			}
			p := open(t, o)
			if got, err := p.Identity(t.Context()); err != nil || !got.Equal(pinned) {
				t.Fatalf("%v, %v", got, err)
			}
			if heard.String() != c.calls || !strings.Contains(p.publicFrom, c.from) {
				t.Fatalf("%s: %s", p.publicFrom, heard)
			}
			if !c.pinned {
				return
			}
			o.Pinned = other
			_, err := Open(t.Context(), o)
			wants(t, err, keyprovider.WrongKey, "manifest pins", o.KeyID)
		})
	}
}

// TestRecoveryIsNotFooled: signatures by changing keys, or of another digest,
// give no public key.
func TestRecoveryIsNotFooled(t *testing.T) {
	f, o := faulty(t)
	f.Deny(o.KeyID, "kms:GetPublicKey")
	stranger := newKey(t)
	lie := func(out map[string]any) { out["Signature"] = signed(t, stranger, [32]byte{1}) }
	first := 0
	second := func(out map[string]any) {
		if f.Calls(kmstest.Sign) == first+2 {
			lie(out)
		}
	}
	for _, lies := range []kmstest.Fault{{Change: lie, Times: 1}, {Change: second}, {Change: lie}} {
		first = f.Calls(kmstest.Sign)
		f.Fault(kmstest.Sign, lies)
		_, err := Open(t.Context(), o)
		wants(t, err, keyprovider.BadAnswer, "no public key in common")
	}
}

// TestAliasIsResolvedOnce: an alias that moves changes nothing before a
// restart, and then the pinned key notices.
func TestAliasIsResolvedOnce(t *testing.T) {
	kmstest.Setenv(t)
	f := kmstest.StartFaultKMS(t)
	first, second := f.CreateKey(kmstest.Identity), f.CreateKey(kmstest.Identity)
	f.CreateAlias(kmstest.Region, "alias/node", first)
	o := Options{Section: Section{KeyID: "alias/node", Regions: []string{kmstest.Region}, Endpoint: f.URL}}
	o.Pinned = publicKey(t, f, first)
	p := open(t, o)
	f.CreateAlias(kmstest.Region, "alias/node", second)
	if _, err := p.Sign(t.Context(), [32]byte{1}); err != nil || f.CallsTo(second, kmstest.Sign) != 0 {
		t.Fatalf("the running node follows the alias: %v", err)
	}
	if err := p.Probe(t.Context()); err != nil || f.CallsTo(second, kmstest.DescribeKey) != 0 {
		t.Fatalf("the probe follows the alias: %v", err)
	}
	_, err := Open(t.Context(), o)
	wants(t, err, keyprovider.WrongKey, "an alias may have been moved", "alias/node")
}

// TestPublicKeyAnswers: what is no key on P-256 is no public key.
func TestPublicKeyAnswers(t *testing.T) {
	f, o := faulty(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := x509.MarshalPKIXPublicKey(&p384.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key  any
		word string
	}{
		"none": {nil, "PKIX"}, "cut": {spki(t)[:60], "PKIX"}, "P-384": {other, "not on P-256"},
	} {
		f.Fault(kmstest.GetPublicKey, fault{Change: func(out map[string]any) { out["PublicKey"] = c.key }})
		_, err := Open(t.Context(), o)
		wants(t, err, keyprovider.BadAnswer, c.word, "kms:GetPublicKey with "+o.KeyID)
		if t.Failed() {
			t.Fatal(name)
		}
	}
}
