//go:build cgo

package pkcs11

import (
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

// TestForeignToken: another token with the same label does not get the node's
// PIN, and the node's own is not held against it afterwards.
func TestForeignToken(t *testing.T) {
	h := softhsm.New(t)
	token, o := provisioned(t, h, "node-0", "")
	restore := h.Backup(t, token)
	o = keptIn(t.TempDir(), o, token.PIN)
	f := newFaulty(t, h)
	o.Library = f.name
	p := mustOpenWith(t, o, f.load)
	mustWork(t, p)
	h.Delete(t, token.Label)
	foreign := h.Token(t, token.Label)
	logins := f.count("C_Login")
	_ = trySign(t.Context(), p) // loses the connection
	for range 2 {
		wants(t, trySign(t.Context(), p), keyprovider.WrongKey, "another token than before", token.Serial, foreign.Serial)
		time.Sleep(dialPause)
	}
	h.Delete(t, token.Label)
	restore()
	eventually(t, "the node's own token is back", func() error { return trySign(t.Context(), p) })
	if n := f.count("C_Login") - logins; n != 1 {
		t.Fatalf("%d logins, not one to the node's own token", n)
	}
}

// TestForeignTokenWithTheSameSerial: tokens of NSS and of a TPM all have the
// serial number 0000000000000000, and may have the same label and maker. The
// public key tells them apart before one gets the PIN; so does its absence.
func TestForeignTokenWithTheSameSerial(t *testing.T) {
	for name, withKeys := range map[string]bool{"other keys": true, "no keys": false} {
		t.Run(name, func(t *testing.T) {
			h := softhsm.New(t)
			token, o := provisioned(t, h, "node-0", "")
			restore := h.Backup(t, token)
			o = keptIn(t.TempDir(), o, token.PIN)
			spare := optionsFor(h, h.Token(t, "spare"))
			if withKeys {
				if _, err := Provision(t.Context(), spare); err != nil {
					t.Fatal(err)
				}
			}
			f := newFaulty(t, h)
			own := true
			f.tokens = func(_ uint, info *p11.TokenInfo) {
				info.SerialNumber = "0000000000000000"
				if !own && info.Label == "spare" {
					info.Label = "node-0"
				}
			}
			o.Library = f.name
			p := mustOpenWith(t, o, f.load)
			mustWork(t, p)
			f.set(func() { own = false })
			h.Delete(t, token.Label)
			logins := f.count("C_Login")
			_ = trySign(t.Context(), p) // loses the connection
			for range 2 {
				wants(t, trySign(t.Context(), p), keyprovider.WrongKey, "another key than before, or gone", "was not given the PIN")
				time.Sleep(dialPause)
			}
			if n := f.count("C_Login") - logins; n > 0 {
				t.Fatalf("%d logins to the other token", n)
			}
			f.set(func() { own = true })
			restore()
			eventually(t, "the node's own token is back", func() error { return trySign(t.Context(), p) })
		})
	}
}

// TestTokensAlike: beside the node's own token, another with its label does no
// harm to a worker that runs.
func TestTokensAlike(t *testing.T) {
	h := softhsm.New(t)
	_, o := provisioned(t, h, "node-0", "")
	h.Token(t, "other")
	f := newFaulty(t, h)
	o.Library = f.name
	p := mustOpenWith(t, o, f.load)
	mustWork(t, p)
	f.set(func() {
		f.tokens = func(_ uint, info *p11.TokenInfo) {
			if info.Label == "other" {
				info.Label = "node-0"
			}
		}
	})
	f.failOnce("C_SignInit", p11.CKR_DEVICE_ERROR)
	wants(t, trySign(t.Context(), p), keyprovider.Unavailable)
	mustWork(t, p)
	_, err := open(t.Context(), o, f.load, false)
	wants(t, err, keyprovider.WrongKey, "several tokens have that label")
}

// TestTokenSwappedAtLogin, while a person looked for the PIN.
func TestTokenSwappedAtLogin(t *testing.T) {
	f, _, o := pinned(t)
	looks := 0
	f.tokens = func(_ uint, info *p11.TokenInfo) {
		if info.Label != "node-0" {
			return
		}
		if looks++; looks > 1 {
			info.SerialNumber = "another"
		}
	}
	wants(t, openErr(t, o, f), keyprovider.Unavailable, "not in its slot")
	if f.count("C_Login") > 0 {
		t.Fatal("the other token got the PIN")
	}
}
