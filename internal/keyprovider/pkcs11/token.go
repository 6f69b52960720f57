//go:build cgo

package pkcs11

import (
	"fmt"
	"slices"
	"strings"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

const actFindToken = "find token"

// An identity tells tokens apart wherever they are plugged in. Serial numbers
// alone don't: every token of NSS and of a TPM has 0000000000000000.
type identity struct{ label, serial, manufacturer, model string }

func identify(t p11.TokenInfo) identity {
	return identity{clean(t.Label), clean(t.SerialNumber), clean(t.ManufacturerID), clean(t.Model)}
}

// String is the token for people, and for a map.
func (id identity) String() string {
	return fmt.Sprintf("token %q, serial number %s, %s %s", id.label, id.serial, id.manufacturer, id.model)
}

// findToken finds the one token that the options name, wherever it is now.
func (p *Provider) findToken() (uint, p11.TokenInfo, error) {
	slots, err := p.mod.api.GetSlotList(true)
	if err != nil {
		return 0, p11.TokenInfo{}, p.failed("C_GetSlotList", p.o.Library, err)
	}
	var fit uint
	var info p11.TokenInfo
	var there, alike, foreign []string
	first := p.firstKeys()
	for _, slot := range slots {
		token, err := p.mod.api.GetTokenInfo(slot)
		here := fmt.Sprintf("slot %d: %s", slot, identify(token))
		switch asked := (p.o.Slot == nil || *p.o.Slot == slot) && p.o.named(token); {
		case err != nil:
			there = append(there, fmt.Sprintf("slot %d can't be read: %v", slot, err))
		case asked && first != nil && identify(token) != first.token:
			foreign = append(foreign, here)
		case asked:
			fit, info, alike = slot, token, append(alike, here)
		case token.Flags&p11.CKF_TOKEN_INITIALIZED != 0:
			there = append(there, here)
		}
	}
	switch {
	case len(alike) == 0 && len(foreign) > 0: // it must not get the PIN
		return 0, info, p.fail(keyprovider.WrongKey, actFindToken, p.tokenName(), fmt.Sprintf(
			"it is another token than before, which was %s; there is %s: put the node's own token back, or if its keys "+
				"were moved to that one restart frost-worker", first.token, strings.Join(foreign, "; ")), nil)
	case len(alike) == 0:
		return 0, info, p.noToken(there)
	case len(alike) > 1:
		return 0, info, p.fail(keyprovider.WrongKey, actFindToken, p.tokenName(),
			"several tokens have that label: set slot. They are "+strings.Join(alike, "; "), nil)
	case info.Flags&p11.CKF_TOKEN_INITIALIZED == 0:
		return 0, info, p.fail(keyprovider.NotFound, actFindToken, p.tokenName(),
			"the token is not initialised: "+p.initCommand(fit), nil)
	}
	return fit, info, nil
}

// named reports whether a token is the one that the section names.
func (s *Section) named(t p11.TokenInfo) bool {
	same := func(want, is string) bool { return want == "" || want == strings.TrimRight(is, padding) }
	return same(s.TokenLabel, t.Label) && same(s.manufacturer, t.ManufacturerID) && same(s.model, t.Model) &&
		same(s.serial, t.SerialNumber)
}

func (p *Provider) noToken(there []string) error {
	found := "there is no initialised token at all"
	if len(there) > 0 {
		slices.Sort(there)
		found = "there is " + strings.Join(there, "; ")
	}
	return p.fail(keyprovider.NotFound, actFindToken, p.tokenName(),
		fmt.Sprintf("no such token in %s: %s. Plug it in or restore it, or correct token_label or slot (%s)",
			p.o.Library, found, p.look()), nil)
}

func (p *Provider) initCommand(slot uint) string {
	if strings.Contains(p.o.Library, "softhsm") {
		return fmt.Sprintf("softhsm2-util --init-token --slot %d --label LABEL", slot)
	}
	return fmt.Sprintf("pkcs11-tool --module %s --slot %d --init-token --label LABEL, then --init-pin", p.o.Library, slot)
}

// recognize refuses another token before it gets the PIN, by the public keys
// that can be read without login: label, serial number and maker may all be the
// same.
func (c *conn) recognize(s session) error {
	found, err := c.find(s, p11.CKO_PUBLIC_KEY, withLabel(c.p.o.KeyLabel), p11.NewAttribute(p11.CKA_PRIVATE, false))
	if err != nil {
		return err
	}
	first, r := c.p.firstKeys(), reader{c: c, s: s}
	for _, h := range found {
		if key := parsePoint(r.bytes(h, p11.CKA_EC_POINT)); key != nil {
			c.keys.visible = true
			if first != nil && key.Equal(first.public) {
				return nil
			}
		}
	}
	if r.err != nil || first == nil || !c.keys.visible && !first.visible {
		return r.err
	}
	return c.p.fail(keyprovider.WrongKey, actFindToken, c.p.keyName(c.p.o.KeyLabel),
		fmt.Sprintf("it is another key than before, "+
			"or gone; slot %d has %s, which was not given the PIN: put the node's own token back, or restore it from its backup",
			c.slot, identify(c.info)), nil)
}

// tokenInfo is what the token in the slot says now; it must be the one of before.
func (c *conn) tokenInfo() (p11.TokenInfo, error) {
	info, err := c.p.mod.api.GetTokenInfo(c.slot)
	if err == nil && identify(info) != c.keys.token {
		err = p11.Error(p11.CKR_TOKEN_NOT_PRESENT)
	}
	return info, c.p.failed("C_GetTokenInfo", c.p.tokenName(), err)
}

// askMechanisms finds out what the token can do.
func (c *conn) askMechanisms() error {
	list, err := c.p.mod.api.GetMechanismList(c.slot)
	c.can = map[uint]bool{}
	for _, m := range list {
		c.can[m.Mechanism] = true
	}
	return c.p.failed("C_GetMechanismList", c.p.tokenName(), err)
}
