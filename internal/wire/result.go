package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Result is what a client gets for a job: plain JSON, signed by the gateway
// in two headers (nats/schemas/result.json).
type Result struct {
	Job      string   `json:"job"`
	Client   string   `json:"client"`
	Kind     Kind     `json:"kind"`
	Digest   HexBytes `json:"digest"`             // of the job that this answers
	Rejected HexBytes `json:"rejected,omitempty"` // the signature of a job that was turned away; 00: it had none
	Status   Status   `json:"status"`             // done, partial, denied or failed
	Code     Code     `json:"code,omitempty"`     // not done: why, for programs
	Error    string   `json:"error,omitempty"`    // not done: why, for people
	Fleet    string   `json:"fleet"`              //
	Network  string   `json:"network"`            //
	Manifest HexBytes `json:"manifest"`           // hash of the fleet's founding manifest
	Attempts int      `json:"attempts,omitempty"` // of the part that took most
	Chain    string   `json:"chain,omitempty"`    // keygen
	Suite    string   `json:"suite,omitempty"`    //
	Keys     []Key    `json:"keys,omitempty"`     // keygen
	Batches  []Batch  `json:"batches,omitempty"`  // keygen: what proves the keys
	// Successions lead from the founding manifest to those of the batches, oldest first.
	Successions []Base64 `json:"successions,omitempty"`
	Sigs        []Signed `json:"signatures,omitempty"` // sign, in the job's order
	// sign, by what the job had: the request with the signatures in it
	PSBT             Base64 `json:"psbt,omitempty"`
	Transaction      string `json:"transaction,omitempty"`       // bitcoin, if it is final: hexadecimal; solana: base64
	MessageSignature Base64 `json:"message_signature,omitempty"` // as wallets take it: BIP 322's witness; solana: 64 bytes
}

// Status is how a job ended.
type Status string

// The ways for a job to end.
const (
	StatusDone    Status = "done"
	StatusPartial Status = "partial" // sign: some items are signed, and the others refused
	StatusDenied  Status = "denied"  // sign: more nodes deny it by their policies than can be done without
	StatusFailed  Status = "failed"
	// StatusPending: sign: it waits for approvals. A notice says so, and no stored result.
	StatusPending Status = "pending"
)

// Refused reports whether a job ended without anything that it asked for.
func (s Status) Refused() bool { return s == StatusFailed || s == StatusDenied }

// Key is one generated key. Chain code and descriptor follow from the certificates and
// the public key. They are here for clients that derive addresses or set up a wallet
// without more than this; a result of an older gateway lacks them.
type Key struct {
	ID         string   `json:"id"`
	PublicKey  HexBytes `json:"public_key"`
	Address    string   `json:"address"`
	ChainCode  HexBytes `json:"chain_code,omitempty"` // with the public key: the root of its children
	Descriptor string   `json:"descriptor,omitempty"` // bitcoin: what a watch-only wallet imports
}

// Batch proves keys: all n nodes certified the root over them.
type Batch struct {
	ID           string     `json:"batch"`
	Part         uint32     `json:"part"`
	Attempt      uint32     `json:"attempt"`
	Count        uint32     `json:"count"`
	Certificates []HexBytes `json:"certificates"` // CBOR, by node
	// Manifest is the hash of the one whose nodes made it; absent: the fleet's founding one.
	Manifest HexBytes `json:"manifest,omitempty"`
}

// Signed is one signature, or why an item has none.
type Signed struct {
	At        *int     `json:"at,omitempty"`         // the number of the input or signer, of a job that is read
	Key       string   `json:"key"`                  // may be empty where an input is refused
	Path      string   `json:"path,omitempty"`       // to the child that signed
	PublicKey HexBytes `json:"public_key,omitempty"` // that verifies, the child's: x-only output key (BIP 341), or Ed25519
	Signature HexBytes `json:"signature,omitempty"`
	Code      Code     `json:"code,omitempty"`  // refused: why, for programs
	Error     string   `json:"error,omitempty"` // refused: why, for people
}

// Amount is how many keys or signatures a result has.
func (r *Result) Amount() int {
	n := len(r.Keys)
	for _, s := range r.Sigs {
		if s.Code == "" {
			n++
		}
	}
	return n
}

// ResultSigningInput is what a gateway signs: tag, result subject, network, manifest
// and payload, as JobSigningInput has them.
func ResultSigningInput(m *Manifest, client, job string, payload []byte) []byte {
	return signingInput("frostfleet/result/v2", m, ResultSubject(client, job), payload)
}

// MaxLetterPayload is how much of a payload a dead letter has, unless the job may
// have ended a gateway.
const MaxLetterPayload = 4 << 10

// DeadLetter says why a job was given up, with what it was: of a large payload the
// beginning, its size and its SHA-256.
type DeadLetter struct {
	Job     string `json:"job,omitempty"`
	Client  string `json:"client"`
	Kind    Kind   `json:"kind"`
	Code    Code   `json:"code"`
	Error   string `json:"error"`
	Payload []byte `json:"payload"`                  // base64
	Size    int    `json:"payload_size,omitempty"`   // only where Payload is cut
	SHA256  string `json:"payload_sha256,omitempty"` // hexadecimal
}

// Cut shortens a payload that is too large for a letter.
func (d *DeadLetter) Cut() {
	if len(d.Payload) <= MaxLetterPayload {
		return
	}
	sum := sha256.Sum256(d.Payload)
	d.Size, d.SHA256 = len(d.Payload), hex.EncodeToString(sum[:])
	d.Payload = d.Payload[:MaxLetterPayload]
}

// Encode gives the letter's JSON.
func (d *DeadLetter) Encode() []byte { return must(json.Marshal(d)) }

// Encode gives the result's JSON. The <0;1> of a descriptor stays readable.
func (r *Result) Encode() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	must(0, enc.Encode(r))
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// VerifyResult checks that one of the fleet's gateways signed a result.
func (a *Access) VerifyResult(m *Manifest, gateway, client, job string, payload, signature []byte) error {
	key, err := a.gateway(gateway)
	if err != nil {
		return fmt.Errorf("result: %w", err)
	}
	if !key.verify(ResultSigningInput(m, client, job, payload), signature) {
		return fmt.Errorf("result's signature does not verify under gateway %s's key", gateway)
	}
	return nil
}
