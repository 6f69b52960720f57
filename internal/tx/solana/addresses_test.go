package solana

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// Associated accounts are those of @solana/spl-token: a digest over 400, of which one took nine
// bumps.
func TestAssociatedAccount(t *testing.T) {
	t.Parallel()
	h := sha256.New()
	for i := range 200 {
		for _, program := range []string{TokenProgram, Token2022Program} {
			a, err := AssociatedAccount(addressOf(fmt.Sprint("owner ", i)), program, addressOf(fmt.Sprint("mint ", i)))
			if err != nil {
				t.Fatal(err)
			}
			k, err := parseKey(a)
			if err != nil {
				t.Fatal(err)
			}
			h.Write(k[:])
		}
	}
	const want = "ed3728b50b29f23491e8acc959e18ffb219e899e883e8374409a452241e51416"
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	_, names := web3js(t)
	if a, err := AssociatedAccount(names["payee"], TokenProgram, names["mint"]); a != names["ata"] || err != nil {
		t.Errorf("%s, %v", a, err)
	}
	for at, says := range []string{"owner: ", "token program: ", "mint: "} {
		long := func(text string, n int) string { return strings.Repeat(text, n) }
		for _, bad := range []string{"", "1", "0OIl", long("1", 33), long("z", 44), long("1", 1<<20)} {
			three := []string{names["payee"], TokenProgram, names["mint"]}
			three[at] = bad
			_, err := AssociatedAccount(three[0], three[1], three[2])
			if err == nil || !strings.HasPrefix(err.Error(), says) {
				t.Errorf("%.50q as %s%v", bad, says, err)
			}
		}
	}
}

var (
	fieldPrime = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	curveD     = new(big.Int).Mul(big.NewInt(-121665), new(big.Int).ModInverse(big.NewInt(121666), fieldPrime))
)

// isPoint is the curve's equation, x² = (y²-1)/(dy²+1), in whole numbers: y without its sign
// bit is a point's if that is a square. It is how the runtime's library decides.
func isPoint(k key) bool {
	b := k
	b[31] &= 0x7f
	slices.Reverse(b[:])
	y2 := new(big.Int).SetBytes(b[:])
	y2.Mul(y2, y2)
	u := new(big.Int).Sub(y2, big.NewInt(1))
	v := new(big.Int).Mul(curveD, y2)
	v.Add(v, big.NewInt(1))
	u.Mod(u.Mul(u, v), fieldPrime) // u/v is a square if uv is
	return big.Jacobi(u, fieldPrime) >= 0
}

func TestOnCurve(t *testing.T) {
	t.Parallel()
	numbers := []*big.Int{}
	for d := range int64(20) { // zero, one, and all around the prime: encodings that aren't canonical
		numbers = append(numbers, big.NewInt(d), new(big.Int).Add(fieldPrime, big.NewInt(d-1)))
	}
	for i := range 200 {
		h := sha256.Sum256(fmt.Append(nil, i))
		numbers = append(numbers, new(big.Int).SetBytes(h[:]))
	}
	on := 0
	for _, n := range numbers {
		for sign := range byte(2) {
			k := key(new(big.Int).Mod(n, new(big.Int).Lsh(big.NewInt(1), 255)).FillBytes(make([]byte, 32)))
			slices.Reverse(k[:])
			k[31] |= sign << 7
			if onCurve(k) != isPoint(k) {
				t.Errorf("%x: %t", k, onCurve(k))
			}
			if isPoint(k) {
				on++
			}
		}
	}
	if on < len(numbers)/2 || on > 2*len(numbers)-100 {
		t.Errorf("%d of %d are points", on, 2*len(numbers))
	}
}
