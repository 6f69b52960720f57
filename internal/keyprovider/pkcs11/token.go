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

// findToken finds the one token that the options fit, wherever it is now.
func (p *Provider) findToken() (uint, p11.TokenInfo, error) {
	slots, err := p.mod.api.GetSlotList(true)
	if err != nil {
		return 0, p11.TokenInfo{}, p.failed("C_GetSlotList", p.o.Library, err)
	}
	var fit []uint
	var info p11.TokenInfo
	var there, alike, foreign []string
	known := p.knownKeys()
	for _, slot := range slots {
		token, err := p.mod.api.GetTokenInfo(slot)
		if err != nil {
			there = append(there, fmt.Sprintf("slot %d can't be read: %v", slot, err))
			continue
		}
		here := describeToken(slot, token)
		if p.o.Slot != nil && *p.o.Slot != slot || !p.o.named(token) {
			if token.Flags&p11.CKF_TOKEN_INITIALIZED != 0 {
				there = append(there, here)
			}
			continue
		}
		if known != nil && token.SerialNumber != known.serial {
			foreign = append(foreign, here)
			continue
		}
		fit, info, alike = append(fit, slot), token, append(alike, here)
	}
	switch {
	case len(fit) == 0 && len(foreign) > 0: // it must not get the PIN
		return 0, info, p.fail(keyprovider.WrongKey, actFindToken, p.tokenName(), fmt.Sprintf(
			"it is another token than before, whose serial number was %s; there is %s: put the node's own token back, or if its keys were moved to that one restart frost-worker",
			clean(known.serial), strings.Join(foreign, "; ")), nil)
	case len(fit) == 0:
		return 0, info, p.noToken(there)
	case len(fit) > 1:
		return 0, info, p.fail(keyprovider.WrongKey, actFindToken, p.tokenName(),
			"several tokens have that label: set slot. They are "+strings.Join(alike, "; "), nil)
	case info.Flags&p11.CKF_TOKEN_INITIALIZED == 0:
		return 0, info, p.fail(keyprovider.NotFound, actFindToken, p.tokenName(), "the token is not initialised: "+p.initCommand(fit[0]), nil)
	}
	return fit[0], info, nil
}

// named reports whether a token is the one that the options name.
func (o *Options) named(t p11.TokenInfo) bool {
	same := func(want, is string) bool { return want == "" || want == strings.TrimRight(is, " \x00") }
	return same(o.TokenLabel, t.Label) && same(o.Manufacturer, t.ManufacturerID) && same(o.Model, t.Model) && same(o.Serial, t.SerialNumber)
}

func describeToken(slot uint, t p11.TokenInfo) string {
	return fmt.Sprintf("slot %d: token %q, serial number %s", slot, t.Label, t.SerialNumber)
}

func (p *Provider) noToken(there []string) error {
	found := "there is no initialised token at all"
	if len(there) > 0 {
		slices.Sort(there)
		found = "there is " + strings.Join(there, "; ")
	}
	return p.fail(keyprovider.NotFound, actFindToken, p.tokenName(),
		fmt.Sprintf("no such token in %s: %s. Plug it in or restore it, or mend token_label or slot (%s)", p.o.Library, found, p.look()), nil)
}

func (p *Provider) initCommand(slot uint) string {
	if strings.Contains(p.o.Library, "softhsm") {
		return fmt.Sprintf("softhsm2-util --init-token --slot %d --label LABEL", slot)
	}
	return fmt.Sprintf("pkcs11-tool --module %s --slot %d --init-token --label LABEL, then --init-pin", p.o.Library, slot)
}

// mechanisms are what the token can do.
func (c *conn) mechanisms() (map[uint]bool, error) {
	list, err := c.p.mod.api.GetMechanismList(c.slot)
	if err != nil {
		return nil, c.p.failed("C_GetMechanismList", c.p.tokenName(), err)
	}
	out := map[uint]bool{}
	for _, m := range list {
		out[m.Mechanism] = true
	}
	return out, nil
}
