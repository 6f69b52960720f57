// Package oracle is FROST(Ed25519, SHA-512) by github.com/bytemare/frost, whose hashes and
// group have nothing in common with package rfc9591: what that one makes is checked by it, in
// tests and, of a sample, while programs run (package crosscheck). No other package imports the
// library, which, at the pinned version, has properties that this package is built around:
//
//   - Its hash functions share one state in the process: concurrent calls produce wrong hashes
//     and panics. So every call into it holds one mutex, and a panic becomes an error.
//   - It accepts points of small and mixed order.
//   - It refuses public shares that are 0, 1 or equal, which the last dealer can bring about and
//     which do no harm.
//
// So an error of the library is no verdict: [ErrDisagrees] is, which is said of what went into
// the library's sums and came out another.
package oracle

import (
	"bytes"
	"crypto/sha512"
	"errors"
	"fmt"
	"math/big"
	"runtime"
	"slices"
	"sync"

	"github.com/bytemare/ecc"
	"github.com/bytemare/frost"
)

// ErrDisagrees means that the library comes to another result.
var ErrDisagrees = errors.New("the signing library comes to another result")

// Session is the public data of one signature of t among n signers.
type Session struct {
	N, T        int
	Commitments []byte     // of the key: t points of 32 bytes, constant term first
	Offsets     [][32]byte // to the child that signs
	Message     []byte
	Signers     []uint16 // t identifiers, ascending
	Nonces      [][]byte // of each: hiding and binding point, as they are on the wire
	Divided     bool     // they are divided by 8, x and y of each
}

// group is the library's name for edwards25519.
const group = ecc.Edwards25519Sha512

// library guards every call into bytemare/frost in this process: its hash functions share one
// state.
var library sync.Mutex

// locked runs f, which calls into the library, alone in the process, and turns
// a panic into an error. The panic's value is named only if the Go runtime made
// it: any other may be anything.
func locked(f func() error) (err error) {
	library.Lock()
	defer library.Unlock()
	defer func() {
		switch p := recover().(type) {
		case nil:
		case runtime.Error:
			err = fmt.Errorf("the signing library panicked: %w", p)
		default:
			err = errors.New("the signing library panicked")
		}
	}()
	return f()
}

// VerifyShare returns nil if the library takes the share of a signer, [ErrDisagrees] if not, and
// any other error if it has nothing to say.
func (s *Session) VerifyShare(id uint16, share []byte) error {
	return locked(func() error {
		o, err := s.open()
		if err != nil {
			return err
		}
		answer, err := shareOf(id, share)
		if err != nil {
			return err
		}
		for i, other := range s.Signers {
			if other == id {
				if o.config.SignerPublicKeyShares[i], err = publicShare(id, o.pubshare(id)); err != nil {
					return err
				}
			}
		}
		if err := o.config.ValidateCommitmentList(o.commitments); err != nil { // which looks at all but the share
			return err
		}
		if err := o.config.VerifySignatureShare(answer, s.Message, o.commitments); err != nil {
			return fmt.Errorf("%w: %w", ErrDisagrees, err)
		}
		return nil
	})
}

// VerifySum returns nil if the library adds shares, in the order of the signers, up to the
// signature, [ErrDisagrees] if to another, and any other error if it has nothing to say.
func (s *Session) VerifySum(shares [][]byte, signature []byte) error {
	sum, err := s.Aggregate(shares)
	if err == nil && !bytes.Equal(sum, signature) {
		return ErrDisagrees
	}
	return err
}

// Aggregate adds up one signature share of 32 bytes per signer, in their order, to a signature.
func (s *Session) Aggregate(shares [][]byte) (out []byte, err error) {
	if len(shares) != len(s.Signers) {
		return nil, fmt.Errorf("%d signature shares of %d signers", len(shares), len(s.Signers))
	}
	err = locked(func() error {
		o, err := s.open()
		if err != nil {
			return err
		}
		answers := make([]*frost.SignatureShare, len(shares))
		for i, b := range shares {
			if answers[i], err = shareOf(s.Signers[i], b); err != nil {
				return err
			}
		}
		sig, err := o.config.AggregateSignatures(s.Message, answers, o.commitments, false)
		if err != nil {
			return fmt.Errorf("the signing library: %w", err)
		}
		r := sig.R.Encode()
		out = append(bytes.Clone(r), s.addOffset(r, o.config.VerificationKey.Encode(), sig.Z.Encode())...)
		return nil
	})
	return out, err
}

// addOffset adds to a sum of signature shares what nobody has a share of: the challenge times
// the offsets of a child key. With big numbers: it is all public.
func (s *Session) addOffset(r, public, z []byte) []byte {
	challenge := sha512.Sum512(slices.Concat(r, public, s.Message))
	c, sum := number(challenge[:]), number(z)
	for _, offset := range s.Offsets {
		sum.Add(sum, new(big.Int).Mul(c, number(offset[:])))
	}
	out := sum.Mod(sum, order).FillBytes(make([]byte, 32))
	slices.Reverse(out)
	return out
}

// order is that of the group, 2^252 + 27742317777372353535851937790883648493.
var order = func() *big.Int {
	n, _ := new(big.Int).SetString("27742317777372353535851937790883648493", 10)
	return n.Add(n, new(big.Int).Lsh(big.NewInt(1), 252))
}()

// number is that of little-endian bytes.
func number(b []byte) *big.Int {
	b = bytes.Clone(b)
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}

func shareOf(id uint16, b []byte) (*frost.SignatureShare, error) {
	z := group.NewScalar()
	if err := z.Decode(b); err != nil {
		return nil, fmt.Errorf("signature share of signer %d is not a scalar", id)
	}
	return &frost.SignatureShare{Group: group, SignerIdentifier: id, SignatureShare: z}, nil
}

func element(b []byte) (*ecc.Element, error) {
	e := group.NewElement()
	if err := e.Decode(b); err != nil {
		return nil, errors.New("the signing library refuses a point")
	}
	return e, nil
}
