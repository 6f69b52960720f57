package solana

import (
	"encoding/binary"
	"math/bits"
)

// What the runtime allows (agave, compute-budget).
const (
	maxUnits     = 1_400_000
	defaultUnits = 200_000 // of an instruction
	builtinUnits = 3_000   // of one of the compute budget's, since SIMD-0170
)

// Instructions of the ComputeBudget program, by their first byte.
const (
	requestHeap    = 1
	setUnitLimit   = 2
	setUnitPrice   = 3
	setLoadedLimit = 4
)

// budget is what a transaction's compute units may cost.
type budget struct {
	seen     [setLoadedLimit + 1]bool
	limit    uint32 // where it was set
	price    uint64 // of a unit, in millionths of a lamport
	fallback uint64 // units of all instructions, where it was not
}

// computeBudget reads what a transaction pays for priority. Each instruction may be there
// once. The runtime ignores bytes that follow; here they are refused.
func computeBudget(c *call) string {
	kind := 0
	if len(c.data) > 0 {
		kind = int(c.data[0])
	}
	size := 5
	if kind == setUnitPrice {
		size = 9
	}
	b := &c.budget
	switch {
	case kind < requestHeap || kind > setLoadedLimit || len(c.data) != size || len(c.accounts) > 0:
		return notRead("an instruction")
	case b.seen[kind]:
		return "sets the same limit or price for a second time"
	}
	b.seen[kind] = true
	switch kind {
	case setUnitLimit:
		b.limit = binary.LittleEndian.Uint32(c.data[1:])
	case setUnitPrice:
		b.price = u64(c.data[1:])
	}
	return ""
}

// fee is the price of the units that a transaction may use, in lamports, rounded up, and
// whether there are that many. Where the transaction sets no limit, what the runtime allows
// depends on its version: this is the most that any does.
func (b *budget) fee() (uint64, bool) {
	units := b.fallback
	if b.seen[setUnitLimit] {
		units = uint64(b.limit)
	}
	const million = 1_000_000
	high, low := bits.Mul64(min(units, maxUnits), b.price)
	low, carry := bits.Add64(low, million-1, 0)
	high += carry
	if high >= million {
		return 0, false
	}
	lamports, _ := bits.Div64(high, low, million)
	return lamports, true
}
