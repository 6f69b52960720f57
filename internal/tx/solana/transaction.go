// Package solana reads what a client wants to sign on Solana: whole transactions, legacy and
// of version 0, and off-chain messages. It says what a transaction takes from its signers as
// far as the bytes say it, and names every instruction that it can't account for.
//
// It is pure: bytes and public keys in, meaning out, the same everywhere. Why it has a parser
// of its own says docs/adr/0023-reading-solana-transactions.md.
package solana

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// Transaction is a transaction that was read.
type Transaction struct {
	raw []byte
	envelope
	intent *intent.Intent
}

// ReadTransaction reads a whole transaction as wallets serialise it: the number of signatures
// (compact-u16), 64 bytes for each required signer, zeros where nobody signed yet, and the
// message, at most [MaxSize] bytes in all. A message without its signatures is refused, and so
// is every encoding that a validator would refuse, with code bad_transaction.
//
// Each root, with its path, is a key that is to sign. One that is not among the required
// signers is refused with code no_input, and so are two that are the same. All other signers
// are foreign, and what they signed stays.
func ReadTransaction(raw []byte, roots []intent.Root, branches *derive.Cache) (*Transaction, *intent.Refusal) {
	raw = bytes.Clone(raw)
	e, err := parseTransaction(raw)
	if err != nil {
		return nil, intent.Refuse(intent.BadTransaction, -1, "no Solana transaction that can be signed: %v", err)
	}
	signatures, refusal := findSigners(e, roots, branches)
	if refusal != nil {
		return nil, refusal
	}
	in, refusal := understand(&e.compiled, signatures)
	if refusal != nil {
		return nil, refusal
	}
	id := sha256.Sum256(e.message)
	in.Kind, in.ID, in.Signatures = intent.SolanaTransaction, hex.EncodeToString(id[:]), signatures
	in.Foreign = e.signers - len(signatures)
	return &Transaction{raw, *e, in}, nil
}

// Signers returns how many signatures a transaction asks for, without reading more of it than
// that takes.
func Signers(raw []byte) (int, error) {
	c, n, err := parseSignatures(raw)
	if err == nil && n == 0 {
		err = errors.New("it has no signer")
	}
	if err == nil && len(c.rest) == 0 {
		err = errors.New("it has no message")
	}
	if err != nil {
		return 0, fmt.Errorf("no Solana transaction: %w", err)
	}
	return n, nil
}

// findSigners returns the signatures that roots are to make, in the order of the signers.
func findSigners(e *envelope, roots []intent.Root, branches *derive.Cache) ([]intent.Signature, *intent.Refusal) {
	if len(roots) == 0 {
		return nil, intent.Refuse(intent.NoInput, -1, "no key is named that signs")
	}
	signatures := make([]intent.Signature, len(roots))
	for i, root := range roots {
		s, refusal := signatureOf(root, branches)
		if refusal != nil {
			return nil, refusal
		}
		s.Root, s.Message = i, e.message
		s.At = slices.Index(e.keys[:e.signers], key(s.PublicKey))
		if s.At < 0 {
			return nil, intent.Refuse(intent.NoInput, -1, "%s, %s, is no signer of the transaction",
				name(root), address(key(s.PublicKey)))
		}
		for _, other := range signatures[:i] {
			if other.At == s.At {
				return nil, intent.Refuse(intent.NoInput, -1, "%s and %s are the same signer",
					name(roots[other.Root]), name(root))
			}
		}
		signatures[i] = s
	}
	slices.SortFunc(signatures, func(a, b intent.Signature) int { return cmp.Compare(a.At, b.At) })
	return signatures, nil
}

// signatureOf returns a signature of the key that a root's path leads to.
func signatureOf(root intent.Root, branches *derive.Cache) (s intent.Signature, _ *intent.Refusal) {
	if root.Key.Suite != frost.Ed25519 || len(root.Key.PublicKey) != keySize {
		return s, intent.Refuse(intent.NoInput, -1, "%s is no key of Ed25519, which Solana's are", name(root))
	}
	keys, errs := branches.PublicKeys([]derive.Descendant{{Root: root.Key, Path: root.Path}})
	if errs[0] != nil {
		return s, intent.Refuse(intent.NoInput, -1, "%s: %v", name(root), errs[0])
	}
	offsets, err := branches.Offsets(root.Key, root.Path)
	if err != nil {
		return s, intent.Refuse(intent.NoInput, -1, "%s: %v", name(root), err)
	}
	return intent.Signature{Path: root.Path, Offsets: offsets, PublicKey: keys[0]}, nil
}

// name is how a refusal calls a key.
func name(root intent.Root) string {
	if len(root.Path) == 0 {
		return "key " + root.ID
	}
	return "key " + root.ID + " at " + root.Path.String()
}

// Intent is what the transaction means.
func (t *Transaction) Intent() *intent.Intent { return t.intent }

// Finish returns the transaction with signatures in the places of their signers. Where there
// is none, what was there stays. There is nothing to finalise.
func (t *Transaction) Finish(signatures [][]byte, _ bool) (intent.Finished, error) {
	if len(signatures) != len(t.intent.Signatures) {
		return intent.Finished{}, fmt.Errorf("%d signatures for %d signers", len(signatures), len(t.intent.Signatures))
	}
	raw := bytes.Clone(t.raw)
	for i, s := range signatures {
		at := t.intent.Signatures[i].At
		switch len(s) {
		case 0:
		case signatureSize:
			copy(raw[t.signature(at):], s)
		default:
			return intent.Finished{}, fmt.Errorf("signature of signer %d has %d bytes, want %d", at, len(s), signatureSize)
		}
	}
	return intent.Finished{Transaction: raw}, nil
}
