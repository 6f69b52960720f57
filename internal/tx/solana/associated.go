package solana

import "github.com/frostfleet/frostfleet/internal/tx/intent"

// Rent that an account must hold, in lamports (solana-rent: two years at 3,480 a byte and
// year, 128 bytes more than it has).
const (
	rentOfByte   = 6960
	rentOverhead = 128
	// tokenSize is an account of SPL Token.
	tokenSize = 165
	// token2022Size is the largest account that Token-2022 makes of itself: type, and the
	// extensions that a mint requires (immutable owner 4, transfer fee 12, not transferable 4,
	// transfer hook 5, pausable 4). What mints have on top is not known from the bytes.
	token2022Size = tokenSize + 1 + 4 + 12 + 4 + 5 + 4
)

// tokenAccount is an associated account, which follows from its owner, program and mint.
type tokenAccount struct{ owner, program, mint key }

// findMade finds the associated accounts that the transaction has made. That an address is an
// owner's does not depend on the instruction, which only says whose it is.
func (r *meaning) findMade() {
	r.made = make(map[key]tokenAccount)
	for at, in := range r.instructions {
		if r.keys[in.program] != associatedProgram {
			continue
		}
		c := &call{r, at, associatedProgram, in}
		if a, ok := c.creation(); ok {
			if account, err := associated(a.owner, a.program, a.mint); err == nil && account == c.key(1) {
				r.made[account] = a
			}
		}
	}
}

// creation reads Create or CreateIdempotent of the Associated Token Account program.
// The account itself is not checked.
func (c *call) creation() (a tokenAccount, ok bool) {
	if len(c.data) > 1 || len(c.data) == 1 && c.data[0] > 1 || c.hidden() { // no data: Create
		return a, false
	}
	// funder, account, owner, mint, System program, token program; the rent sysvar of old
	switch n := len(c.accounts); {
	case n != 6 && (n != 7 || c.key(6) != rentSysvar):
		return a, false
	case c.key(4) != systemProgram || c.key(5) != tokenProgram && c.key(5) != token2022Program:
		return a, false
	}
	return tokenAccount{owner: c.key(2), program: c.key(5), mint: c.key(3)}, true
}

// associatedAccount reads an instruction of the Associated Token Account program. Who funds an
// account pays its owner, who may close it and keep the rent.
func associatedAccount(c *call) string {
	const funder, account = 0, 1
	if !c.touched() {
		return ""
	}
	if c.hidden() {
		return behindLookup("an instruction on an associated account")
	}
	a, ok := c.creation()
	if !ok || c.made[c.key(account)] != a {
		return notRead("an instruction on an associated account")
	}
	if c.isOurs(funder) {
		size := uint64(tokenSize)
		if a.program == token2022Program {
			size = token2022Size
		}
		rent := (rentOverhead + size) * rentOfByte
		c.pay(intent.Payment{To: address(a.owner), Amount: intent.Amount{Asset: intent.Solana, Units: rent}})
	}
	return ""
}
