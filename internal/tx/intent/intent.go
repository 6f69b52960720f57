// Package intent says what a request for signatures means: what it spends, whom it pays,
// what comes back as change, and which digests its signatures are of. The readers of
// internal/tx make an Intent out of a client's signed bytes, the same at every node and
// gateway; internal/policy judges it; internal/protocol signs what it lists. It is data:
// no I/O, no clock, no state.
package intent

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
)

// Kind is a form in which a client says what it wants signed.
type Kind string

// The kinds, as jobs and policies name them.
const (
	Raw               Kind = "raw"                // digests and bytes that nobody can read
	PSBT              Kind = "psbt"               // BIP 174, version 0
	SolanaTransaction Kind = "solana_transaction" // legacy or version 0
	BitcoinMessage    Kind = "bitcoin_message"    // BIP 322, simple
	SolanaMessage     Kind = "solana_message"     // off-chain message
)

// Kinds are all kinds.
var Kinds = []Kind{Raw, PSBT, SolanaTransaction, BitcoinMessage, SolanaMessage}

// Root is a key of the client that a request names. Inputs and change are looked for
// under it. Where the request's bytes can't say which child signs (Solana, messages),
// Path does.
type Root struct {
	ID  string // as the job has it
	Key derive.Key
	// Path leads from the key to the one that signs; nil: the key itself, or, in a PSBT,
	// whatever the inputs say.
	Path derive.Path
}

// Intent is what a request means. Amounts are in the smallest units of their asset.
type Intent struct {
	Kind       Kind
	Signatures []Signature // what is to be signed, in the order of inputs or signers
	Payments   []Payment   // what goes to others, in the order of outputs or instructions
	Change     []Change    // what may be change: policy decides whether it is
	Outflow    []Amount    // what the client has less afterwards at most, fees and change included, by asset
	Fee        uint64      // that the client pays at most; of Bitcoin: of the whole transaction
	VSize      uint64      // Bitcoin: virtual bytes once signed; 0 where it is not known
	Spends     []string    // Bitcoin: outpoints of the client's inputs; two requests that share one exclude each other
	Foreign    int         // inputs or signers that are not the client's
	Programs   []string    // Solana: programs that are called
	Nonce      string      // Solana: the nonce account whose nonce is advanced
	ID         string      // Bitcoin: the txid; Solana and messages: SHA-256 of what is signed
	Text       string      // of a message, as a person reads it
	// Unclear is what nobody can account for. It is signed where no policy is in force, and
	// refused where one is.
	Unclear []Refusal
	// Refused are the inputs of the client that can't be signed. With any, nothing is signed,
	// unless the request permits fewer (partial).
	Refused []Refusal
}

// Signature is one signature that a request asks for.
type Signature struct {
	Root      int                      // in the request's list
	Path      derive.Path              // from the root to the key that signs; nil: the root itself
	Offsets   [][frost.ScalarSize]byte // on that path
	PublicKey []byte                   // that verifies: x-only output key (BIP 341), or Ed25519
	Message   []byte                   // that is signed: a sighash, 32 bytes, or what Solana signs
	Tweak     frost.Tweak
	At        int    // which input or signer it is for
	Sighash   string // Bitcoin: "default", "all", "none|anyonecanpay", ... as PSBTs name them in lower case
	Amount    uint64 // Bitcoin: what the input spends
}

// Amount is so much of an asset.
type Amount struct {
	Asset string // "btc", "sol", or "spl:" and the mint's address
	Units uint64
}

// The assets that chains have of themselves. Tokens are "spl:" and the mint.
const (
	Bitcoin = "btc"
	Solana  = "sol"
)

// Payment is what an output or an instruction gives to somebody.
type Payment struct {
	At int // number of the output or the instruction
	// To is an address of the network. Of a token it is the owner, not the token account, or
	// "account:" and the token account's address where the request doesn't say whose it is;
	// of a script that has no address it is "script:" and the script in hexadecimal.
	To string
	Amount
	Decimals uint8 // of a token: units are so many places after the point, as the chain will check
}

// Change is an output that pays to a child of a root that an input of the client is under
// as well, without a script tree (BIP 86).
type Change struct {
	At    int
	To    string // its address, should it turn out to be a payment
	Root  int
	Path  derive.Path
	Units uint64
}

// Refusal is what can't be signed, or can't be understood, and why.
type Refusal struct {
	Code   string // stable, one of the codes of this package
	At     int    // the input, output or instruction; -1: the whole request
	Reason string // a sentence that names it
	// Program is the Solana program whose call it is, where all that is wrong is that nobody
	// here knows the program: a policy that lists it accepts the call.
	Program string
}

// The codes of refusals. They are codes of jobs, too: internal/wire lists them.
const (
	BadPSBT        = "bad_psbt"        // the bytes are no PSBT that this program reads
	BadTransaction = "bad_transaction" // the bytes are no Solana transaction that this program reads
	BadMessage     = "bad_message"     // a message that can't be signed
	NoInput        = "no_input"        // nothing in it is the client's to sign
	MissingAmount  = "missing_amount"  // an input without the output that it spends
	BadInput       = "bad_input"       // an input of the client's that contradicts itself, or is signed another way
	NotUnderstood  = "not_understood"  // something that nobody can account for
)

func (r *Refusal) Error() string { return r.Code + ": " + r.Reason }

// Refuse makes a refusal.
func Refuse(code string, at int, format string, args ...any) *Refusal {
	return &Refusal{Code: code, At: at, Reason: fmt.Sprintf(format, args...)}
}

// Finished is a request with its signatures in it.
type Finished struct {
	PSBT        []byte // of a PSBT
	Transaction []byte // of a Solana transaction; of a PSBT that is final, and was to be extracted
	Signature   []byte // of a message, as wallets take it: BIP 322's witness; of Solana 64 bytes
}
