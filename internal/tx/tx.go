// Package tx reads what a client wants signed, whatever its form. Its readers are pure: they
// take bytes and public keys, and return meaning and digests, the same at every node and
// gateway.
package tx

import (
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// Request is what a client wants signed, in one of the kinds that can be read.
type Request struct {
	Kind    intent.Kind
	Bytes   []byte // as the client signed them in its job
	Roots   []intent.Root
	Partial bool // inputs of the client may be left unsigned
}

// Reading is a request that was read.
type Reading interface {
	// Intent is what it means. It does not change.
	Intent() *intent.Intent
	// Finish puts signatures in their places: one of 64 bytes for each of Intent().Signatures,
	// or nil for one that there is none for. They are verified elsewhere.
	Finish(signatures [][]byte, finalize bool) (Finished, error)
}

// Finished is a request with its signatures in it.
type Finished struct {
	PSBT        []byte // of a PSBT
	Transaction []byte // of a Solana transaction; of a PSBT that is final, and was to be extracted
	Signature   []byte // of a message, as wallets take it: BIP 322's witness; of Solana 64 bytes
}

// Read reads a request. Addresses are those of a network: mainnet, testnet, signet or regtest.
func Read(r Request, network string, branches *derive.Cache) (Reading, *intent.Refusal) {
	return nil, intent.Refuse(intent.NotUnderstood, -1, "%s: can't be read yet", r.Kind)
}

// Size is how many signatures a request may ask for, by a look at its bytes; 0: they can't be read.
func Size(kind intent.Kind, content []byte) int { return 1 }
