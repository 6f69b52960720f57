//go:build cgo

package pkcs11

import (
	"errors"
	"fmt"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

// TestFindToken: errors list what is there.
func TestFindToken(t *testing.T) {
	h := softhsm.New(t)
	one, o := provisioned(t, h, "node-0", "")
	twin := h.Token(t, "node-0")
	h.Token(t, "spare")
	_, err := Open(t.Context(), o)
	wants(t, err, keyprovider.WrongKey, "several tokens have that label", "set slot", one.Serial, twin.Serial,
		fmt.Sprint("slot ", one.Slot), fmt.Sprint("slot ", twin.Slot))

	o.Slot = &one.Slot
	mustWork(t, mustOpen(t, o))
	o.TokenLabel = ""
	mustWork(t, mustOpen(t, o))

	for _, c := range []struct {
		label string
		slot  *uint
		want  []string
	}{
		{"gone", nil, []string{`token "gone"`, `token "node-0"`, `token "spare"`, twin.Serial, "softhsm2-util --show-slots"}},
		{"gone", &one.Slot, []string{fmt.Sprintf(`token "gone" in slot %d`, one.Slot), `token "node-0"`}},
		{"", new(uint(4242)), []string{"the token in slot 4242", `token "spare"`}},
		{"", new(uint(3)), []string{"not initialised", "softhsm2-util --init-token --slot 3"}}, // SoftHSM's free one
	} {
		o.TokenLabel, o.Slot = c.label, c.slot
		_, err := Open(t.Context(), o)
		wants(t, err, keyprovider.NotFound, c.want...)
	}
}

func TestNoTokenAtAll(t *testing.T) {
	h := softhsm.New(t)
	_, err := Open(t.Context(), Options{Section: Section{Library: h.Library(), TokenLabel: "node-0", KeyLabel: "k"}})
	wants(t, err, keyprovider.NotFound, "no initialised token at all")
}

var p384 = []byte{0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22}

// TestWrongKeys: keys that can't be used are told by what is wrong with them.
// Provision does not touch them.
func TestWrongKeys(t *testing.T) {
	const generic = p11.CKM_GENERIC_SECRET_KEY_GEN
	none := map[uint]any{}
	for _, c := range []struct {
		name       string
		make       func(*admin)
		derivation string
		key        string // the one at fault
		want       []string
	}{
		{"two identities", func(a *admin) { a.pair("id", p256, none); a.pair("id", p256, none) }, "", "id", []string{"2 keys have that label", "CKA_ID 07, 07"}},
		{"RSA", func(a *admin) { a.pair("id", nil, none) }, "", "id", []string{"RSA", "P-256"}},
		{"P-384", func(a *admin) { a.pair("id", p384, none) }, "", "id", []string{"another curve"}},
		{"not for signing", func(a *admin) { a.pair("id", p256, map[uint]any{p11.CKA_SIGN: false}) }, "", "id", []string{"CKA_SIGN is false"}},
		{"PIN for each use", func(a *admin) { a.pair("id", p256, map[uint]any{p11.CKA_ALWAYS_AUTHENTICATE: true}) }, "", "id", []string{"CKA_ALWAYS_AUTHENTICATE"}},
		{"AES", func(a *admin) { a.secret("der", p11.CKM_AES_KEY_GEN, none) }, "", "der", []string{"type 0x1f", "generic secret"}},
		{"short secret", func(a *admin) { a.secret("der", generic, map[uint]any{p11.CKA_VALUE_LEN: 16}) }, "", "der", []string{"16 bytes", "32"}},
		{"secret not for HMAC", func(a *admin) { a.secret("der", generic, map[uint]any{p11.CKA_SIGN: false}) }, "", "der", []string{"CKA_SIGN is false"}},
		{"two secrets", func(a *admin) { a.secret("der", generic, none); a.secret("der", generic, none) }, "", "der", []string{"2 keys have that label"}},
		{"pair not for ECDH", func(a *admin) { a.pair("der", p256, none) }, "", "der", []string{"CKA_DERIVE is false"}},
		{"both kinds", func(a *admin) {
			a.secret("der", generic, none)
			a.pair("der", p256, map[uint]any{p11.CKA_DERIVE: true})
		}, "", "der", []string{`derivation = "hmac" or "ecdh"`}},
		{"not HMAC", func(a *admin) { a.pair("der", p256, map[uint]any{p11.CKA_DERIVE: true}) }, HMAC, "der", []string{`derivation = "hmac", and it is a private key`}},
		{"not ECDH", func(a *admin) { a.secret("der", generic, none) }, ECDH, "der", []string{`derivation = "ecdh", and it is a secret key`}},
		{"RSA for ECDH", func(a *admin) { a.pair("der", nil, none) }, ECDH, "der", []string{"RSA"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := softhsm.New(t)
			token, o := provisioned(t, h, "node-0", "")
			o.Derivation = c.derivation
			o.asAdmin(t, token, c.make)
			if c.key == "id" {
				o.KeyLabel = "id"
			} else {
				o.DerivationKeyLabel = "der"
			}
			_, err := Open(t.Context(), o)
			wants(t, err, keyprovider.WrongKey, append(c.want, fmt.Sprintf("key %q on token \"node-0\"", c.key))...)
			_, err = Provision(t.Context(), o)
			wants(t, err, keyprovider.WrongKey, c.want...)
		})
	}
}

// TestBothKinds: Derivation chooses where both are there.
func TestBothKinds(t *testing.T) {
	h := softhsm.New(t)
	token, o := provisioned(t, h, "node-0", "")
	o.DerivationKeyLabel = "both"
	o.asAdmin(t, token, func(a *admin) {
		a.secret("both", p11.CKM_GENERIC_SECRET_KEY_GEN, nil)
		a.pair("both", p256, map[uint]any{p11.CKA_DERIVE: true})
	})
	seen := map[[32]byte]bool{}
	for _, derivation := range []string{HMAC, ECDH} {
		o.Derivation = derivation
		p := mustOpen(t, o)
		mustWork(t, p)
		out, err := p.Derive(t.Context(), []byte("x"))
		if err != nil || seen[out] {
			t.Fatalf("%v: the same value", err)
		}
		seen[out] = true
	}
}

func TestMissingKeys(t *testing.T) {
	h := softhsm.New(t)
	_, o := provisioned(t, h, "node-0", "")
	wrong := o
	wrong.KeyLabel = "nobody"
	_, err := Open(t.Context(), wrong)
	wants(t, err, keyprovider.NotFound, `key "nobody"`, "there are: \""+identityLabel, "frost-worker provision")
	wrong = o
	wrong.DerivationKeyLabel = "nobody"
	_, err = Open(t.Context(), wrong)
	wants(t, err, keyprovider.NotFound, `key "nobody"`, "secret keys: \""+derivationLabel, "frost-worker provision")
	if !errors.Is(err, keyprovider.ErrCannotDerive) {
		t.Fatal("not ErrCannotDerive")
	}
	o.DerivationKeyLabel = ""
	_, err = mustOpen(t, o).Derive(t.Context(), []byte("x"))
	wants(t, err, keyprovider.CannotDerive, "derivation_key_label", "frost-worker provision")
}
