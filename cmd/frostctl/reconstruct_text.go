package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/frostfleet/frostfleet/internal/chain"
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/exit"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// rootLine is a whole key as --json has it. Descriptors are of bitcoin, the scalar of solana.
type rootLine struct {
	Key       string        `json:"key"`
	Client    string        `json:"client"`
	Network   string        `json:"network"`
	Chain     string        `json:"chain"`
	Address   string        `json:"address"`
	PublicKey wire.HexBytes `json:"public_key"`
	ChainCode wire.HexBytes `json:"chain_code"`

	accountLine
	Own      string        `json:"own_descriptor,omitempty"` // of Address alone
	Accounts []accountLine `json:"accounts,omitempty"`       // below the key
	Ed25519  string        `json:"ed25519_scalar,omitempty"` // 32 bytes, little-endian
}

type accountLine struct {
	Account    string `json:"account,omitempty"`
	Descriptor string `json:"descriptor,omitempty"`
	Receive    string `json:"receive,omitempty"`
	Change     string `json:"change,omitempty"`
}

func newAccountLine(account derive.Path, d exit.Descriptors) accountLine {
	return accountLine{account.String(), d.Both, d.Receive, d.Change}
}

func newRootLine(r *exit.Root, accounts []derive.Path) (l rootLine, err error) {
	l = rootLine{
		Key: r.ID, Client: r.Owner, Network: r.Network, Chain: wire.Bitcoin,
		PublicKey: r.PublicKey, ChainCode: r.ChainCode[:],
	}
	if r.Suite == frost.Ed25519 {
		l.Chain, l.Ed25519 = wire.Solana, hex.EncodeToString(r.Secret.Expose())
		l.Address, err = chain.Address(l.Chain, l.Network, l.PublicKey)
		return l, err
	}
	if l.Address, err = chain.Address(l.Chain, l.Network, l.PublicKey); err != nil {
		return l, err
	}
	d, err := r.Descriptors(nil)
	if err != nil {
		return l, err
	}
	l.accountLine, l.Own = newAccountLine(nil, d), d.Own
	for _, path := range accounts {
		if d, err = r.Descriptors(path); err != nil {
			return l, err
		}
		l.Accounts = append(l.Accounts, newAccountLine(path, d))
	}
	return l, nil
}

const rootsHead = `# Whole keys of a fleet. Whoever reads this spends. Compare the addresses with your
# records before anything is paid to one.
`

const scalarNote = `# No seed wallet takes this: it is the secret scalar itself, 32 bytes, little-endian, where
# a seed would be hashed to one. frostctl reconstruct sign-solana signs with it.
`

// rootsText is what is written of whole keys, as JSON lines or with comments. The caller wipes it.
func rootsText(roots []exit.Root, accounts []derive.Path, asJSON bool) (*secret.Bytes, error) {
	var b bytes.Buffer
	b.Grow((1 + len(roots)) * (1 + len(accounts)) * (2 << 10)) // so that no copy is left behind where it grew
	if !asJSON {
		b.WriteString(rootsHead)
	}
	for i := range roots {
		l, err := newRootLine(&roots[i], accounts)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", roots[i].ID, err)
		}
		if !asJSON {
			l.text(&b)
		} else if err := printJSON(&b, l); err != nil {
			return nil, err
		}
	}
	return secret.New(b.Bytes()), nil
}

func (l *rootLine) text(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n# key %s of client %s, %s on %s\n# address     %s\n# public key  %x\n# chain code  %x\n",
		l.Key, l.Client, l.Chain, l.Network, l.Address, []byte(l.PublicKey), []byte(l.ChainCode))
	if l.Ed25519 != "" {
		fmt.Fprintf(b, "%s%s\n", scalarNote, l.Ed25519)
		return
	}
	fmt.Fprintf(b, "# the address above alone\n%s\n", l.Own)
	for _, a := range append([]accountLine{l.accountLine}, l.Accounts...) {
		fmt.Fprintf(b, "# addresses %s to receive, %s for change\n%s\n# the same in two\n%s\n%s\n",
			strings.TrimPrefix(a.Account+"/0/i", "/"), strings.TrimPrefix(a.Account+"/1/i", "/"),
			a.Descriptor, a.Receive, a.Change)
	}
}
