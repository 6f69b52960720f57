package reading

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// paid writes what a payment gives. Of a token it says both, what its units are and how many
// of the smallest: the number of decimals is the transaction's word, which the chain checks.
func paid(p intent.Payment) string {
	if p.Decimals == 0 || p.Asset == intent.Bitcoin || p.Asset == intent.Solana {
		return money(p.Amount)
	}
	return fmt.Sprintf("%s (%s)", decimal(p.Units, int(p.Decimals)), money(p.Amount))
}

// money writes an amount with its unit.
func money(a intent.Amount) string {
	switch a.Asset {
	case intent.Bitcoin:
		return decimal(a.Units, 8) + " BTC"
	case intent.Solana:
		return decimal(a.Units, 9) + " SOL"
	}
	return fmt.Sprintf("%d smallest units of token %s", a.Units, strings.TrimPrefix(a.Asset, "spl:"))
}

// decimal writes n units of 10^-places.
func decimal(n uint64, places int) string {
	s := fmt.Sprintf("%0*d", places+1, n)
	return s[:len(s)-places] + "." + s[len(s)-places:]
}

// perUnit divides, to one decimal, rounded down: a rate that is shown is not above the true
// one. No product overflows.
func perUnit(n, units uint64) string {
	hi, lo := bits.Mul64(n, 10)
	if hi >= units {
		return strconv.FormatUint(n/units, 10)
	}
	tenths, _ := bits.Div64(hi, lo, units)
	return decimal(tenths, 1)
}
