package solana

import (
	"encoding/binary"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// Instructions of the System program that are read, by number.
const (
	createAccount         = 0
	transfer              = 2
	createAccountWithSeed = 3
	advanceNonce          = 4
	withdrawNonce         = 5
	transferWithSeed      = 11
)

// systemNames are all instructions of the System program.
var systemNames = [...]string{
	"CreateAccount", "Assign", "Transfer", "CreateAccountWithSeed", "AdvanceNonceAccount", "WithdrawNonceAccount",
	"InitializeNonceAccount", "AuthorizeNonceAccount", "Allocate", "AllocateWithSeed", "AssignWithSeed",
	"TransferWithSeed", "UpgradeNonceAccount",
}

// system reads an instruction of the System program. Those that move lamports are understood.
// Of the others, those that take no signer of ours don't matter; the rest could lock or give
// away an account (Assign, Allocate, AuthorizeNonceAccount).
func system(c *call) string {
	kind, name := c.systemKind()
	switch {
	case kind == advanceNonce:
		return c.advance()
	case !c.touched():
		return ""
	}
	m, ok := c.move(kind)
	switch {
	case !ok:
		return notRead(name)
	case c.hidden():
		return behindLookup(name)
	case m.creates && c.isOurs(m.to):
		return fmt.Sprintf("is %s, which hands a signer's own account to a program", name)
	case c.isOurs(m.authority):
		c.pay(intent.Payment{To: address(c.key(m.to)), Amount: intent.Amount{Asset: intent.Solana, Units: m.lamports}})
	case c.touched(m.to): // to receive is no loss
		return notRead(name)
	}
	return ""
}

// systemKind returns an instruction's number, and what it is called.
func (c *call) systemKind() (uint32, string) {
	if len(c.data) < 4 {
		return 1<<32 - 1, "an instruction"
	}
	kind := binary.LittleEndian.Uint32(c.data)
	if kind < uint32(len(systemNames)) {
		return kind, systemNames[kind]
	}
	return kind, fmt.Sprintf("instruction number %d", kind)
}

// move is an instruction that moves lamports. The numbers are places among its accounts.
type move struct {
	authority int // whose signature it takes
	to        int
	creates   bool // the account that gets them, which is a program's from then on
	lamports  uint64
}

// move reads an instruction that moves lamports. Data must have exactly the fields, though
// the runtime takes more; and so must the accounts.
func (c *call) move(kind uint32) (m move, ok bool) {
	data := c.data[min(4, len(c.data)):]
	switch accounts := len(c.accounts); kind {
	case transfer: // from, to
		if len(data) == 8 && accounts == 2 {
			return move{authority: 0, to: 1, lamports: u64(data)}, true
		}
	case createAccount: // from, new; lamports, space, owner
		if len(data) == 8+8+keySize && accounts == 2 {
			return move{authority: 0, to: 1, creates: true, lamports: u64(data)}, true
		}
	case createAccountWithSeed: // from, new, and the base unless it is from; base, seed, lamports, space, owner
		if rest, ok := afterSeed(data, keySize); ok && len(rest) == 8+8+keySize && (accounts == 2 || accounts == 3) {
			return move{authority: 0, to: 1, creates: true, lamports: u64(rest)}, true
		}
	case transferWithSeed: // from, base, to; lamports, seed, owner
		if rest, ok := afterSeed(data, 8); ok && len(rest) == keySize && accounts == 3 {
			return move{authority: 1, to: 2, lamports: u64(data)}, true
		}
	case withdrawNonce: // nonce, to, recent blockhashes, rent, authority
		if len(data) == 8 && accounts == 5 {
			return move{authority: 4, to: 1, lamports: u64(data)}, true
		}
	}
	return move{}, false
}

// afterSeed returns what follows a seed, which is a 64-bit length and so many bytes, that
// begins so far into data.
func afterSeed(data []byte, skip int) ([]byte, bool) {
	if len(data) < skip+8 {
		return nil, false
	}
	length, rest := u64(data[skip:]), data[skip+8:]
	if length > uint64(len(rest)) {
		return nil, false
	}
	return rest[length:], true
}

// advance reads AdvanceNonceAccount, whoever's nonce it is: with it the transaction lives
// until the nonce is used, and not for a minute. It counts only where it comes first.
func (c *call) advance() string {
	const name = "AdvanceNonceAccount"
	switch {
	case c.at != 0:
		return "is " + name + ", which has to come first, and once"
	case len(c.data) != 4 || len(c.accounts) != 3: // nonce, recent blockhashes, authority
		return notRead(name)
	case c.hidden():
		return behindLookup(name)
	}
	c.in.Nonce = address(c.key(0))
	return ""
}
