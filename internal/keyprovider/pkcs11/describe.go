//go:build cgo

package pkcs11

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"strings"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// Probe implements keyprovider.Prober: the token is still the one in its slot,
// and the keys' labels can be read. It costs the token no use of a key.
func (p *Provider) Probe(ctx context.Context) error {
	_, err := p.use(ctx, keyprovider.OpDescribe, "probe", p.keyName(p.o.KeyLabel),
		func(c *conn, s session) ([]byte, error) { return nil, c.probe(s) })
	return err
}

func (c *conn) probe(s session) error {
	if _, err := c.tokenInfo(); err != nil {
		return err
	}
	labels := map[string]handle{c.p.o.KeyLabel: c.keys.identity}
	if c.keys.kind != "" {
		labels[c.p.o.DerivationKeyLabel] = c.keys.derivation
	}
	for label, h := range labels {
		values, err := c.p.mod.api.GetAttributeValue(s, h, []*p11.Attribute{p11.NewAttribute(p11.CKA_LABEL, nil)})
		if err == nil && (len(values) != 1 || !bytes.Equal(values[0].Value, []byte(label))) {
			err = p11.Error(p11.CKR_OBJECT_HANDLE_INVALID) // it was renamed
		}
		if err != nil {
			return c.p.failed("C_GetAttributeValue", c.p.keyName(label), err)
		}
	}
	return nil
}

// Describe implements keyprovider.Describer.
func (p *Provider) Describe(ctx context.Context) ([]keyprovider.Fact, error) {
	var facts []keyprovider.Fact
	_, err := p.use(ctx, keyprovider.OpDescribe, "describe", p.keyName(p.o.KeyLabel),
		func(c *conn, s session) (_ []byte, err error) { facts, err = c.describe(s); return nil, err })
	if err != nil { // facts may be those of a call that goes on
		return nil, err
	}
	return facts, nil
}

func (c *conn) describe(s session) ([]keyprovider.Fact, error) {
	lib, err := c.p.mod.api.GetInfo()
	if err != nil {
		return nil, c.p.failed("C_GetInfo", c.p.o.Library, err)
	}
	t := c.info
	facts := []keyprovider.Fact{
		{Name: "library", Value: fmt.Sprintf("%s: %s, %s %d.%d, PKCS#11 %d.%d", c.p.o.Library, clean(lib.ManufacturerID),
			clean(lib.LibraryDescription),
			lib.LibraryVersion.Major, lib.LibraryVersion.Minor, lib.CryptokiVersion.Major, lib.CryptokiVersion.Minor)},
		{Name: "token", Value: fmt.Sprintf("%q in slot %d: %s %s, serial number %s, firmware %d.%d", t.Label, c.slot,
			clean(t.ManufacturerID), clean(t.Model), clean(t.SerialNumber), t.FirmwareVersion.Major, t.FirmwareVersion.Minor)},
	}
	if facts[1].Warning, err = c.softwareWarning(lib); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(c.keys.public)
	if err != nil {
		return nil, err
	}
	r := reader{c: c, s: s}
	facts = append(facts, r.describeKey("identity", c.keys.identity, fmt.Sprintf(
		"%q: P-256, CKM_ECDSA, SHA-256 of the public key %x", c.p.o.KeyLabel, sha256.Sum256(der))))
	derivation := keyprovider.Fact{Name: "derivation", Value: "none",
		Warning: "a node needs a derivation key: set derivation_key_label"}
	if kind := derivationKeys[c.keys.kind]; kind != "" {
		derivation = r.describeKey("derivation", c.keys.derivation, fmt.Sprintf("%q: %s", c.p.o.DerivationKeyLabel, kind))
	}
	return append(facts, derivation), r.err
}

var derivationKeys = map[string]string{HMAC: "secret key, CKM_SHA256_HMAC", ECDH: "P-256, CKM_ECDH1_DERIVE"}

// software are names of tokens that are no hardware, as makers and models are
// written. A TPM that is a program (swtpm) says of itself that it is hardware.
var software = map[string]string{
	"softhsm": "SoftHSM", "mozilla foundation": "NSS", "kryoptic": "Kryoptic", "sw   tpm": "a software TPM",
	"opencryptoki": "opencryptoki",
}

// softwareWarning is for tokens of which the keys are in files: those known by
// name, and those of which neither the slot nor the signing mechanism says that
// it is hardware.
func (c *conn) softwareWarning(lib p11.Info) (string, error) {
	const risk = " keeps its keys in files of this machine: whoever reads them and knows the PIN has the keys"
	names := strings.ToLower(strings.Join([]string{c.info.ManufacturerID, c.info.Model, lib.ManufacturerID,
		lib.LibraryDescription}, "\n"))
	for part, who := range software {
		if strings.Contains(names, part) {
			return who + risk, nil
		}
	}
	slot, err := c.p.mod.api.GetSlotInfo(c.slot)
	if err != nil {
		return "", c.p.failed("C_GetSlotInfo", c.p.tokenName(), err)
	}
	sign, err := c.p.mod.api.GetMechanismInfo(c.slot, mechanism(p11.CKM_ECDSA))
	if err != nil {
		return "", c.p.failed("C_GetMechanismInfo", c.p.tokenName(), err)
	}
	if slot.Flags&p11.CKF_HW_SLOT == 0 && sign.Flags&p11.CKF_HW == 0 {
		return "neither its slot nor its signatures are marked as hardware (CKF_HW_SLOT, CKF_HW); a token that is software" +
			risk, nil
	}
	return "", nil
}

// describeKey warns of attributes by which a key may have left the token, or
// may yet.
func (r *reader) describeKey(what string, h handle, value string) keyprovider.Fact {
	var warnings []string
	for _, a := range []struct {
		attribute uint
		good      bool
		warning   string
	}{
		{p11.CKA_EXTRACTABLE, false, "it can be exported (CKA_EXTRACTABLE)"},
		{p11.CKA_SENSITIVE, true, "it can be read in the clear (not CKA_SENSITIVE)"},
		{p11.CKA_NEVER_EXTRACTABLE, true, "it could be exported before (not CKA_NEVER_EXTRACTABLE)"},
		{p11.CKA_ALWAYS_SENSITIVE, true, "it could be read in the clear before (not CKA_ALWAYS_SENSITIVE)"},
		{p11.CKA_PRIVATE, true, "it is seen without login (not CKA_PRIVATE)"},
	} {
		if is, known := r.truth(h, a.attribute); known && is != a.good {
			warnings = append(warnings, a.warning)
		}
	}
	switch local, known := r.madeHere(h, len(warnings) == 0); {
	case !known:
		value += "; the token does not say whether it was made there"
	case !local:
		warnings = append(warnings, "it was not made on the token: there may be copies (not CKA_LOCAL)")
	}
	return keyprovider.Fact{Name: what, Value: value, Warning: strings.Join(warnings, "; ")}
}

// madeHere reads CKA_LOCAL, if the token says so. NSS gives it as false for keys
// that it made; it does not keep CKA_KEY_GEN_MECHANISM, which goes with it, and
// calls the same keys never extractable and always sensitive, which an imported
// key is not.
func (r *reader) madeHere(h handle, neverOutside bool) (local, known bool) {
	local, known = r.truth(h, p11.CKA_LOCAL)
	if known && !local && neverOutside {
		_, known = r.number(h, p11.CKA_KEY_GEN_MECHANISM)
	}
	return local, known
}

// clean takes the padding off a text of the token, and what would not print.
func clean(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s))
}
