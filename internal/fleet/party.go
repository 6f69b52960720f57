package fleet

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// A Party is a gateway, or a client with the kinds of jobs that it may ask for.
type Party struct {
	Name  string
	Kinds []string // keygen, sign; empty for a gateway
}

// NewKey makes the party's key in a new file, and gives its entry in the
// access list.
func (p Party) NewKey(path string) (public ed25519.PublicKey, entry string, err error) {
	if err := p.check(); err != nil {
		return nil, "", err
	}
	if public, err = makeKey(path); err != nil {
		return nil, "", err
	}
	return public, p.entry(public), nil
}

// NewApproverKey makes the key of somebody who approves jobs in a new file, and gives the
// entry for policies.
func NewApproverKey(name, path string) (public ed25519.PublicKey, entry string, err error) {
	if !wire.IsToken(name) {
		return nil, "", fmt.Errorf("approver %.64q: want a name of 1 to 64 letters, digits, _ and -", name)
	}
	if public, err = makeKey(path); err != nil {
		return nil, "", err
	}
	return public, tableEntry("approver", name, public), nil
}

// check judges the party before it has a key, so another key stands in.
func (p Party) check() (err error) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	if len(p.Kinds) == 0 {
		_, err = wire.NewAccess(nil, map[string]ed25519.PublicKey{p.Name: key})
		return err
	}
	c := wire.Client{Name: p.Name, Key: key}
	for i, kind := range p.Kinds {
		if slices.Contains(p.Kinds[:i], kind) {
			return fmt.Errorf("client %q: kind %q is listed twice", p.Name, kind)
		}
		c.Kinds = append(c.Kinds, wire.Kind(kind))
	}
	_, err = wire.NewAccess([]wire.Client{c}, nil)
	return err
}

func (p Party) entry(public ed25519.PublicKey) string {
	if len(p.Kinds) == 0 {
		return tableEntry("gateway", p.Name, public)
	}
	return tableEntry("client", p.Name, public) + fmt.Sprintf("kinds = [\"%s\"]\n", strings.Join(p.Kinds, `", "`))
}

func tableEntry(table, name string, public ed25519.PublicKey) string {
	return fmt.Sprintf("[[%s]]\nname = %q\npublic_key = \"%x\"\n", table, name, []byte(public))
}

// makeKey writes a fresh Ed25519 seed in hexadecimal and returns the public
// key. A file that exists is an error.
func makeKey(path string) (ed25519.PublicKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	defer clear(private)
	text := append(hex.AppendEncode(nil, private[:ed25519.SeedSize]), '\n')
	defer clear(text)
	return public, writeNew(path, text)
}
