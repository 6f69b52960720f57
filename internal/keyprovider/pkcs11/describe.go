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
	key := p.keyName(p.o.KeyLabel)
	if err := p.begin(ctx, "probe", key); err != nil {
		return err
	}
	probe := func(c *conn, s session) ([]byte, error) { return nil, c.probe(s) }
	_, err := p.use(ctx, keyprovider.OpDescribe, "probe", key, probe)
	return err
}

func (c *conn) probe(s session) error {
	m := c.p.mod.api
	now, err := m.GetTokenInfo(c.slot)
	if err != nil {
		return c.p.failed("C_GetTokenInfo", c.p.tokenName(), err)
	}
	if identify(now) != identify(c.info) {
		// another one is in its slot
		return c.p.failed("C_GetTokenInfo", c.p.tokenName(), p11.Error(p11.CKR_TOKEN_NOT_PRESENT))
	}
	for label, h := range c.handles() {
		values, err := m.GetAttributeValue(s, h, []*p11.Attribute{p11.NewAttribute(p11.CKA_LABEL, nil)})
		if err != nil {
			return c.p.failed("C_GetAttributeValue", c.p.keyName(label), err)
		}
		if len(values) != 1 || !bytes.Equal(values[0].Value, []byte(label)) {
			// it was renamed
			return c.p.failed("C_GetAttributeValue", c.p.keyName(label), p11.Error(p11.CKR_OBJECT_HANDLE_INVALID))
		}
	}
	return nil
}

// handles are the keys by label.
func (c *conn) handles() map[string]handle {
	out := map[string]handle{c.p.o.KeyLabel: c.keys.identity}
	if c.keys.kind != "" {
		out[c.p.o.DerivationKeyLabel] = c.keys.derivation
	}
	return out
}

// Describe implements keyprovider.Describer.
func (p *Provider) Describe(ctx context.Context) ([]keyprovider.Fact, error) {
	key := p.keyName(p.o.KeyLabel)
	if err := p.begin(ctx, "describe", key); err != nil {
		return nil, err
	}
	answer := make(chan []keyprovider.Fact, 1)
	_, err := p.use(ctx, keyprovider.OpDescribe, "describe", key, func(c *conn, s session) ([]byte, error) {
		facts, err := c.describe(s)
		answer <- facts
		return nil, err
	})
	if err != nil {
		return nil, err
	}
	return <-answer, nil
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
	identity, err := c.describeKey(s, c.keys.identity)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(c.keys.public)
	if err != nil {
		return nil, err
	}
	identity.Name = "identity"
	identity.Value = fmt.Sprintf("%q: P-256, CKM_ECDSA, SHA-256 of the public key %x", c.p.o.KeyLabel,
		sha256.Sum256(der)) + identity.Value
	derivation, err := c.describeDerivation(s)
	return append(facts, identity, derivation), err
}

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

func (c *conn) describeDerivation(s session) (keyprovider.Fact, error) {
	if c.keys.kind == "" {
		return keyprovider.Fact{Name: "derivation", Value: "none",
			Warning: "a node needs a derivation key: set derivation_key_label"}, nil
	}
	fact, err := c.describeKey(s, c.keys.derivation)
	what := "secret key, CKM_SHA256_HMAC"
	if c.keys.kind == ECDH {
		what = "P-256, CKM_ECDH1_DERIVE"
	}
	fact.Name, fact.Value = "derivation", fmt.Sprintf("%q: %s", c.p.o.DerivationKeyLabel, what)+fact.Value
	return fact, err
}

// describeKey warns of attributes by which a key may have left the token, or
// may yet.
func (c *conn) describeKey(s session, h handle) (fact keyprovider.Fact, err error) {
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
		is, known, err := c.truth(s, h, a.attribute)
		if err != nil {
			return fact, err
		}
		if known && is != a.good {
			warnings = append(warnings, a.warning)
		}
	}
	switch local, known, err := c.madeHere(s, h, len(warnings) == 0); {
	case err != nil:
		return fact, err
	case !known:
		fact.Value = "; the token does not say whether it was made there"
	case !local:
		warnings = append(warnings, "it was not made on the token: there may be copies (not CKA_LOCAL)")
	}
	fact.Warning = strings.Join(warnings, "; ")
	return fact, nil
}

// madeHere reads CKA_LOCAL, if the token says so. NSS gives it as false for keys that it made; it
// does not keep CKA_KEY_GEN_MECHANISM, which goes with it, and calls the same
// keys never extractable and always sensitive, which an imported key is not.
func (c *conn) madeHere(s session, h handle, neverOutside bool) (local, known bool, err error) {
	local, known, err = c.truth(s, h, p11.CKA_LOCAL)
	if err == nil && known && !local && neverOutside {
		_, known, err = c.number(s, h, p11.CKA_KEY_GEN_MECHANISM)
	}
	return local, known, err
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
