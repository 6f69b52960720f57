//go:build cgo

package pkcs11

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/conformance"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

// TestConformance runs the suite over real tokens, with both ways to derive.
func TestConformance(t *testing.T) {
	for _, derivation := range []string{HMAC, ECDH} {
		t.Run(derivation, func(t *testing.T) {
			h := softhsm.New(t)
			_, one := provisioned(t, h, "one", derivation)
			_, two := provisioned(t, h, "two", derivation)
			f := newFaulty(t, h)
			opener := func(o Options) func() (keyprovider.Provider, error) {
				o.Library = f.name
				return func() (keyprovider.Provider, error) { return open(t.Context(), o, f.load, false) }
			}
			conformance.Run(t, conformance.Subject{Open: opener(one), OpenOther: opener(two), Hang: func() (release func()) {
				for _, function := range []string{"C_SignInit", "C_Sign", "C_DeriveKey", "C_GetTokenInfo", "C_GetAttributeValue"} {
					f.block(function)
				}
				return f.release
			}})
		})
	}
}

func TestConformanceWithoutDerivationKey(t *testing.T) {
	h := softhsm.New(t)
	open := func(label string) func() (keyprovider.Provider, error) {
		_, o := provisioned(t, h, label, "")
		o.DerivationKeyLabel = ""
		return func() (keyprovider.Provider, error) { return Open(t.Context(), o) }
	}
	conformance.Run(t, conformance.Subject{Open: open("one"), OpenOther: open("two"), CannotDerive: true})
}

// TestDeriveIsHMAC: the same function that AWS KMS and the software provider
// compute, so that a key imported elsewhere gives the same shares.
func TestDeriveIsHMAC(t *testing.T) {
	h := softhsm.New(t)
	token, o := provisioned(t, h, "one", HMAC)
	key := []byte(strings.Repeat("k", 32))
	o.DerivationKeyLabel = "imported"
	o.asAdmin(t, token, func(a *admin) {
		_, err := a.api.CreateObject(a.s, attributesOf(map[uint]any{p11.CKA_CLASS: p11.CKO_SECRET_KEY, p11.CKA_KEY_TYPE: p11.CKK_GENERIC_SECRET,
			p11.CKA_TOKEN: true, p11.CKA_LABEL: "imported", p11.CKA_VALUE: key, p11.CKA_SIGN: true}))
		a.must(err)
	})
	p := mustOpen(t, o)
	for _, label := range []string{"a", strings.Repeat("b", keyprovider.MaxLabel)} {
		got, err := p.Derive(t.Context(), []byte(label))
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(label))
		if err != nil || !hmac.Equal(got[:], mac.Sum(nil)) {
			t.Fatalf("Derive is not HMAC-SHA256: %v", err)
		}
	}
}

// TestOneOwner: providers of a process share the library and the login, and
// only the last one finalises it.
func TestOneOwner(t *testing.T) {
	h := softhsm.New(t)
	token, o := provisioned(t, h, "one", "")
	_, other := provisioned(t, h, "two", "")
	f := newFaulty(t, h)
	o.Library, other.Library = f.name, f.name
	first := mustOpenWith(t, o, f.load)
	noPIN := o
	noPIN.PIN, noPIN.TokenLabel, noPIN.Slot = nil, "", &token.Slot
	second := mustOpenWith(t, noPIN, f.load) // logged in already: no PIN is wanted
	third := mustOpenWith(t, other, f.load)
	if f.count("C_Initialize") != 1 || f.count("C_Login") != 2 {
		t.Fatalf("%d initialisations and %d logins for two tokens", f.count("C_Initialize"), f.count("C_Login"))
	}
	mustClose(t, first)
	mustWork(t, second) // still logged in
	mustWork(t, third)
	mustClose(t, second)
	mustClose(t, third)
	if n := f.count("C_Finalize"); n != 1 {
		t.Fatalf("finalised %d times", n)
	}
	if n := f.openSessions(); n != 0 {
		t.Fatalf("%d sessions were left open", n)
	}
	mustWork(t, mustOpenWith(t, o, f.load)) // again
	if f.count("C_Initialize") != 2 {
		t.Fatal("the library was not initialised again")
	}
}

// TestForeignOwner: something else in the process initialised the library. It
// stays so.
func TestForeignOwner(t *testing.T) {
	h := softhsm.New(t)
	_, o := provisioned(t, h, "one", "")
	theirs := p11.New(o.Library)
	defer theirs.Destroy()
	if err := theirs.Initialize(); err != nil {
		t.Fatal(err)
	}
	p := mustOpen(t, o)
	mustWork(t, p)
	mustClose(t, p)
	if _, err := theirs.GetInfo(); err != nil {
		t.Fatalf("Close finalised a library that others use: %v", err)
	}
	if err := theirs.Finalize(); err != nil {
		t.Fatal(err)
	}
}

// TestPoolIsBounded: many callers, few sessions.
func TestPoolIsBounded(t *testing.T) {
	h := softhsm.New(t)
	_, o := provisioned(t, h, "one", "")
	f := newFaulty(t, h)
	o.Library, o.Sessions = f.name, 3
	p := mustOpenWith(t, o, f.load)
	done := make(chan error, 32)
	for range cap(done) {
		go func() { done <- trySign(t.Context(), p) }()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := f.most(); n > 3 {
		t.Fatalf("%d sessions at once", n)
	}
}

func TestNoSuchLibrary(t *testing.T) {
	_, err := Open(t.Context(), Options{Section: Section{Library: "/nowhere/lib.so", TokenLabel: "t", KeyLabel: "k"}})
	wants(t, err, keyprovider.NotFound, "/nowhere/lib.so", "pkcs11_library", "softhsm2")
	_, err = Open(t.Context(), Options{Section: Section{Library: "/etc/hostname", TokenLabel: "t", KeyLabel: "k"}})
	wants(t, err, keyprovider.Other, "/etc/hostname", "no PKCS#11 library")
}

// TestPrintsNothing: the PIN is in no error, log line, fact or print.
func TestPrintsNothing(t *testing.T) {
	h := softhsm.New(t)
	token, o := provisioned(t, h, "one", "")
	var log logged
	var heard calls
	o.Log, o.Observe = log.logger(), heard.observe
	p := mustOpen(t, o)
	facts, err := p.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, p)
	wrong := o
	wrong.PIN = pinOf("987654321098")
	_, err = Open(t.Context(), wrong)
	wants(t, err, keyprovider.PIN)
	all := fmt.Sprintf("%s %+v %+v %v %+v %#v %v", log.String(), heard.all, facts, err, o, o, errors.Unwrap(err))
	for _, pin := range []string{token.PIN, "987654321098"} {
		if strings.Contains(all, pin) {
			t.Fatalf("a PIN is printed: %s", all)
		}
	}
	if got := fmt.Sprintf("%v %+v %s", p, p, p); strings.Trim(got, " ") != strings.TrimSpace(strings.Repeat("PKCS#11 key provider ", 3)) {
		t.Fatalf("a provider prints as %s", got)
	}
}

// TestObserve: each call that the token got is told once, and no other.
func TestObserve(t *testing.T) {
	h := softhsm.New(t)
	_, o := provisioned(t, h, "one", "")
	var heard calls
	o.Observe = heard.observe
	wants := func(when string, want map[string]int) {
		t.Helper()
		for _, operation := range keyprovider.Operations {
			if n := heard.count(operation, keyprovider.OK); n != want[operation] {
				t.Fatalf("%s: %d calls of %s, not %d", when, n, operation, want[operation])
			}
		}
	}
	p := mustOpen(t, o)
	wants("after Open", map[string]int{"login": 1, "public_key": 1, "sign": 1, "derive": 2})
	for range 3 {
		if _, err := p.Sign(t.Context(), [32]byte{1}); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Derive(t.Context(), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Sign(over, [32]byte{1}); err == nil {
		t.Fatal("signed after the end of the context")
	}
	if _, err := p.Identity(t.Context()); err != nil { // from memory
		t.Fatal(err)
	}
	wants("after use", map[string]int{"login": 1, "public_key": 1, "sign": 4, "derive": 5, "describe": 1})
	for _, call := range heard.all {
		if call.Provider != "pkcs11" || call.Took <= 0 || call.Err != nil {
			t.Fatalf("%+v", call)
		}
	}
}
