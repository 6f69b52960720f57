package solana

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"filippo.io/edwards25519"
	"github.com/mr-tron/base58"
)

// The programs that own tokens, by address. A mint belongs to one of them.
const (
	TokenProgram     = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
	Token2022Program = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"
)

var (
	systemProgram     = mustKey("11111111111111111111111111111111")
	budgetProgram     = mustKey("ComputeBudget111111111111111111111111111111")
	tokenProgram      = mustKey(TokenProgram)
	token2022Program  = mustKey(Token2022Program)
	associatedProgram = mustKey("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
	rentSysvar        = mustKey("SysvarRent111111111111111111111111111111111")
)

// AssociatedAccount returns the address of an owner's associated token account for a mint.
// All are addresses in Base58; the program is [TokenProgram] or [Token2022Program]. A payment
// of a token names the account that gets it, so this is how to know whether an owner does:
// "account:" and this address is a payment to owner.
func AssociatedAccount(owner, program, mint string) (string, error) {
	o, err := parseKey(owner)
	if err != nil {
		return "", fmt.Errorf("owner: %w", err)
	}
	p, err := parseKey(program)
	if err != nil {
		return "", fmt.Errorf("token program: %w", err)
	}
	m, err := parseKey(mint)
	if err != nil {
		return "", fmt.Errorf("mint: %w", err)
	}
	account, err := associated(o, p, m)
	if err != nil {
		return "", err
	}
	return address(account), nil
}

// associated derives a program address: the hash with the highest bump that is no point of
// the curve, so that it has no secret key.
func associated(owner, program, mint key) (key, error) {
	var preimage [4*keySize + 1 + len(derivedTag)]byte
	copy(preimage[:], owner[:])
	copy(preimage[keySize:], program[:])
	copy(preimage[2*keySize:], mint[:])
	copy(preimage[3*keySize+1:], associatedProgram[:])
	copy(preimage[4*keySize+1:], derivedTag)
	for bump := 255; bump >= 0; bump-- {
		preimage[3*keySize] = byte(bump)
		if k := key(sha256.Sum256(preimage[:])); !onCurve(k) {
			return k, nil
		}
	}
	return key{}, errors.New("there is no associated account: every bump is a point of the curve")
}

const derivedTag = "ProgramDerivedAddress"

// onCurve reports whether the runtime takes the bytes for a point. Both decoders take
// encodings that are not canonical.
func onCurve(k key) bool {
	_, err := new(edwards25519.Point).SetBytes(k[:])
	return err == nil
}

func address(k key) string { return base58.Encode(k[:]) }

func parseKey(text string) (key, error) {
	if len(text) > 44 {
		return key{}, errors.New("longer than an address")
	}
	b, err := base58.Decode(text)
	if err != nil || len(b) != keySize {
		return key{}, fmt.Errorf("%q is no address: want 32 bytes in Base58", text)
	}
	return key(b), nil
}

// mustKey is for addresses that this program has of itself.
func mustKey(text string) key {
	k, err := parseKey(text)
	if err != nil {
		panic(err)
	}
	return k
}
