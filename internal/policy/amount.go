package policy

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/mr-tron/base58"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// Assets that are no money: a limit counts them all the same.
const (
	jobs       = "jobs"
	signatures = "signatures"
)

// token begins the name of a token of Solana; its mint follows.
const token = "spl:"

// isMoney reports whether an asset is one that a transaction moves.
func isMoney(asset string) bool { return asset != jobs && asset != signatures }

// units are the names that amounts have in the file.
var units = map[string]struct {
	asset    string
	decimals int
}{
	"BTC": {intent.Bitcoin, 8}, "sat": {intent.Bitcoin, 0},
	"SOL": {intent.Solana, 9}, "lamports": {intent.Solana, 0},
	jobs: {jobs, 0}, signatures: {signatures, 0},
}

var errAmount = errors.New(`is no amount: write a number, a space and a unit, such as "0.5 BTC", "1000 sat", ` +
	`"2 SOL", "5000 lamports", "250000 spl:<mint>" (in the token's smallest units), "600 signatures" or "20 jobs"`)

// parseAmount reads an amount. Tokens are counted in their smallest units: how many
// decimals a mint has is not in the file.
func parseAmount(text string) (intent.Amount, error) {
	number, unit, ok := strings.Cut(text, " ")
	u, known := units[unit]
	if strings.HasPrefix(unit, token) {
		if err := checkMint(unit); err != nil {
			return intent.Amount{}, err
		}
		u.asset, known = unit, true
	}
	if !ok || !known {
		return intent.Amount{}, errAmount
	}
	n, err := parseDecimal(number, u.decimals)
	if err != nil {
		return intent.Amount{}, err
	}
	if n == 0 {
		return intent.Amount{}, errors.New("is zero: leave the asset out of assets, or the kind out of kinds, to forbid it")
	}
	return intent.Amount{Asset: u.asset, Units: n}, nil
}

// parseDecimal reads a decimal number, and multiplies it by a power of ten.
func parseDecimal(text string, decimals int) (uint64, error) {
	whole, fraction, point := strings.Cut(text, ".")
	if whole == "" || strings.Trim(whole+fraction, "0123456789") != "" || point && fraction == "" {
		return 0, errAmount
	}
	if len(fraction) > decimals {
		return 0, fmt.Errorf("has more than the %d decimals of its unit", decimals)
	}
	n, err := strconv.ParseUint(whole+fraction+strings.Repeat("0", decimals-len(fraction)), 10, 63)
	if err != nil {
		return 0, fmt.Errorf("is more than %d of the smallest units", uint64(math.MaxInt64))
	}
	return n, nil
}

// checkMint wants "spl:" and the address of a mint.
func checkMint(asset string) error {
	if mint, ok := strings.CutPrefix(asset, token); !ok || !isSolana(mint) {
		return fmt.Errorf("%.80q is no token: write spl: and the address of its mint", asset)
	}
	return nil
}

// isSolana reports whether a text is an address of Solana, or the key of anything there.
func isSolana(text string) bool {
	if len(text) < 32 || len(text) > 44 {
		return false
	}
	b, err := base58.Decode(text)
	return err == nil && len(b) == 32
}

// Amount is an amount as people write it, and as the file may have it.
func Amount(asset string, n uint64) string {
	switch asset {
	case intent.Bitcoin:
		return decimal(n, 8) + " BTC"
	case intent.Solana:
		return decimal(n, 9) + " SOL"
	}
	return strconv.FormatUint(n, 10) + " " + asset
}

func decimal(n uint64, decimals int) string {
	digits := fmt.Sprintf("%0*d", decimals+1, n)
	whole, fraction := digits[:len(digits)-decimals], strings.TrimRight(digits[len(digits)-decimals:], "0")
	if fraction == "" {
		return whole
	}
	return whole + "." + fraction
}
