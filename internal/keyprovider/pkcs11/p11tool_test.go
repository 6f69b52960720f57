//go:build cgo

package pkcs11

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

// TestURIOfAnotherTool: the URI that p11tool and pkcs11-tool print for a key,
// with every attribute of the token and the key, opens it; one attribute that
// is another token's or key's does not. Provisioning twice makes one key, with
// the CKA_ID of the URI.
func TestURIOfAnotherTool(t *testing.T) {
	h := softhsm.New(t)
	token := h.Token(t, "node 0")
	base := Options{
		Section: Section{Library: h.Library(), DerivationKeyLabel: derivationLabel}, PIN: pinOf(token.PIN),
	}
	whole := base
	whole.Section = withURI(t, base.Section, "pkcs11:token=node%200%20%20;id=%0a%00;object="+identityLabel)
	for _, want := range []string{"made", "kept"} {
		facts, err := Provision(t.Context(), whole)
		if err != nil || !strings.HasPrefix(facts[0].Value, want) {
			t.Fatalf("%+v, %v: want the identity key %s", facts, err, want)
		}
	}
	p := mustOpen(t, whole)
	_, info, err := p.findToken()
	if err != nil {
		t.Fatal(err)
	}
	printed := func(model, serial, id string) string {
		escape := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
		return fmt.Sprintf("PKCS11:model=%s;manufacturer=%s;serial=%s;token=node%%200;id=%s;object=%s;type=private",
			escape(model), escape(info.ManufacturerID), escape(serial), id, identityLabel)
	}
	for text, reason := range map[string]keyprovider.Reason{
		printed(info.Model, info.SerialNumber, "%0A%00"):             keyprovider.OK,
		printed(info.Model+"  ", info.SerialNumber+"\x00", "%0A%00"): keyprovider.OK,
		printed("other", info.SerialNumber, "%0A%00"):                keyprovider.NotFound,
		printed(info.Model, "0"+info.SerialNumber, "%0A%00"):         keyprovider.NotFound,
		printed(info.Model, info.SerialNumber, "%0A%01"):             keyprovider.NotFound,
	} {
		o := base
		o.Section = withURI(t, base.Section, text)
		p, err := Open(t.Context(), o)
		if keyprovider.ReasonOf(err) != reason {
			t.Errorf("%s: %v, want reason %q", text, err, reason)
		}
		if err == nil {
			mustWork(t, p)
			mustClose(t, p)
		}
	}
}
