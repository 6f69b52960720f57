package solana

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// feeOfSignature is what the runtime charges for each, in lamports.
const feeOfSignature = 5000

// meaning is what is known of a transaction while its instructions are read.
//
// What it rests on: a program gets at an account of ours only if the instruction has it among
// its accounts, and only keys that are in the bytes sign. An instruction without any of our
// signers takes nothing from them, whatever the program.
type meaning struct {
	*compiled
	ours     []bool               // by number of account
	made     map[key]tokenAccount // associated accounts that the transaction has made, by address
	in       *intent.Intent
	budget   budget
	overflow bool // of an amount
}

// call is one instruction.
type call struct {
	*meaning
	at      int
	program key
	instruction
}

// programs are those that are known, and what each of their calls means. A reader returns why
// a call can't be accounted for, or "" when it was.
var programs = map[key]func(*call) string{
	systemProgram:     system,
	budgetProgram:     computeBudget,
	tokenProgram:      token,
	token2022Program:  token,
	associatedProgram: associatedAccount,
	// Memos, of both versions, change nothing. Both programs are immutable.
	mustKey("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"): memo,
	mustKey("Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo"): memo,
	// These are no calls, but signatures that the runtime verifies, and charges for.
	mustKey("Ed25519SigVerify111111111111111111111111111"): precompile,
	mustKey("KeccakSecp256k11111111111111111111111111111"): precompile,
	mustKey("Secp256r1SigVerify1111111111111111111111111"): precompile,
}

func memo(*call) string { return "" }

func precompile(*call) string {
	return "has the runtime verify other signatures, for fees that are not counted"
}

// understand returns what a transaction means for those of its signers that are ours.
func understand(m *compiled, ours []intent.Signature) (*intent.Intent, *intent.Refusal) {
	r := meaning{compiled: m, ours: make([]bool, len(m.keys)+m.behind), in: &intent.Intent{}}
	for _, s := range ours {
		r.ours[s.At] = true
	}
	r.findMade()
	for at, in := range m.instructions {
		c := &call{&r, at, m.keys[in.program], in}
		if id := address(c.program); !slices.Contains(r.in.Programs, id) {
			r.in.Programs = append(r.in.Programs, id)
		}
		if c.program == budgetProgram {
			r.budget.fallback += builtinUnits
		} else {
			r.budget.fallback += defaultUnits
		}
		r.read(c)
	}
	if r.ours[0] {
		r.in.Fee = r.fee()
		r.spend(intent.Solana, r.in.Fee)
	}
	if r.overflow {
		return nil, intent.Refuse(intent.BadTransaction, -1, "it moves more than 2^64-1 units of an asset")
	}
	return r.in, nil
}

func (r *meaning) read(c *call) {
	if known := programs[c.program]; known != nil {
		if why := known(c); why != "" {
			r.in.Unclear = append(r.in.Unclear,
				*intent.Refuse(intent.NotUnderstood, c.at, "instruction %d, of %s, %s", c.at, address(c.program), why))
		}
		return
	}
	if c.touched() {
		id := address(c.program)
		unknown := intent.Refuse(intent.NotUnderstood, c.at,
			"instruction %d calls program %s, which is not known, with a signer of the client's", c.at, id)
		unknown.Program = id
		r.in.Unclear = append(r.in.Unclear, *unknown)
	}
}

// fee is what the transaction costs at most.
func (r *meaning) fee() uint64 {
	priority, ok := r.budget.fee()
	fee, carry := bits.Add64(uint64(r.signers)*feeOfSignature, priority, 0)
	r.overflow = r.overflow || !ok || carry > 0
	return fee
}

// spend counts what leaves our accounts.
func (r *meaning) spend(asset string, units uint64) {
	i := slices.IndexFunc(r.in.Outflow, func(a intent.Amount) bool { return a.Asset == asset })
	if i < 0 {
		r.in.Outflow = append(r.in.Outflow, intent.Amount{Asset: asset, Units: units})
		return
	}
	sum, carry := bits.Add64(r.in.Outflow[i].Units, units, 0)
	r.in.Outflow[i].Units, r.overflow = sum, r.overflow || carry > 0
}

// pay counts a payment of ours.
func (c *call) pay(p intent.Payment) {
	p.At = c.at
	c.in.Payments = append(c.in.Payments, p)
	c.spend(p.Asset, p.Units)
}

// isOurs reports whether an account of the instruction, by its place, is a signer of ours.
func (c *call) isOurs(place int) bool { return c.ours[c.accounts[place]] }

// touched reports whether a signer of ours is among the instruction's accounts, but for those
// at some places.
func (c *call) touched(except ...int) bool {
	for place := range c.accounts {
		if c.isOurs(place) && !slices.Contains(except, place) {
			return true
		}
	}
	return false
}

// hidden reports whether one of the instruction's accounts is behind a lookup table.
func (c *call) hidden() bool {
	return slices.ContainsFunc(c.accounts, func(a byte) bool { return int(a) >= len(c.keys) })
}

// key returns the account at a place. There must be no hidden ones.
func (c *call) key(place int) key { return c.keys[c.accounts[place]] }

// notRead says that an instruction is none of those that are read, or not in the one form.
func notRead(name string) string {
	return fmt.Sprintf("is %s, which is not understood, or not in this form", name)
}

// behindLookup says that nobody knows whom an instruction is about.
func behindLookup(name string) string {
	return fmt.Sprintf("is %s, with an account behind a lookup table", name)
}

func u64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
