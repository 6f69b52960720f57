// Package tx reads what a client wants signed, whatever its form. Its readers are pure: they
// take bytes and public keys, and return meaning and digests, the same at every node and
// gateway.
package tx

import (
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/tx/bitcoin"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/tx/solana"
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
type Finished = intent.Finished

// Read reads a request. Addresses are those of a network: mainnet, testnet, signet or regtest.
// Errors are refusals of the request, with one of the codes of package intent.
func Read(r Request, network string, branches *derive.Cache) (Reading, *intent.Refusal) {
	if len(r.Roots) == 0 {
		return nil, intent.Refuse(intent.NoInput, -1, "the request names no key")
	}
	switch r.Kind {
	case intent.PSBT:
		read, refusal := bitcoin.ReadPSBT(r.Bytes, r.Roots, r.Partial, network, branches)
		return psbt{read}, refusal
	case intent.BitcoinMessage:
		read, refusal := bitcoin.ReadMessage(string(r.Bytes), r.Roots[0], branches)
		return message{read}, refusal
	case intent.SolanaTransaction:
		return solana.ReadTransaction(r.Bytes, r.Roots, branches)
	case intent.SolanaMessage:
		return solana.ReadMessage(string(r.Bytes), r.Roots[0], branches)
	}
	return nil, intent.Refuse(intent.NotUnderstood, -1, "nothing reads a request of kind %.64q", string(r.Kind))
}

// Size is how many signatures a request may ask for at most, by a look at its bytes that
// costs next to nothing; 0: they can't be read.
func Size(kind intent.Kind, content []byte) (n int) {
	switch kind {
	case intent.PSBT:
		n, _ = bitcoin.Inputs(content)
	case intent.SolanaTransaction:
		n, _ = solana.Signers(content)
	case intent.BitcoinMessage, intent.SolanaMessage:
		n = 1
	}
	return n
}

type psbt struct{ *bitcoin.PSBT }

func (p psbt) Finish(signatures [][]byte, finalize bool) (Finished, error) {
	raw, transaction, err := p.PSBT.Finish(signatures, finalize)
	return Finished{PSBT: raw, Transaction: transaction}, err
}

type message struct{ *bitcoin.Message }

func (m message) Finish(signatures [][]byte, _ bool) (Finished, error) {
	signature, err := m.Message.Finish(signatures)
	return Finished{Signature: signature}, err
}
