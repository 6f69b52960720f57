package solana

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"unicode/utf8"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// An off-chain message begins with this. Its first byte would be version 127 of a
// transaction's message, which the runtime never accepts.
const offchainDomain = "\xffsolana offchain"

const (
	// MaxText is how many bytes a text may have, so that the message with its preamble is
	// no longer than what the fleet signs.
	MaxText = frost.MaxMessage - preambleSize

	preambleSize = len(offchainDomain) + 1 + 32 + 1 + 1 + keySize + 2
	maxOnDevice  = 1232 // of preamble and text, for the two formats that hardware wallets sign
)

// The formats of the specification.
const (
	restrictedASCII = 0 // 0x20 to 0x7e
	limitedUTF8     = 1
	extendedUTF8    = 2 // longer than maxOnDevice
)

// Message is an off-chain message that was read.
type Message struct{ intent *intent.Intent }

// ReadMessage makes the off-chain message of a text that one key signs: version 0 of the
// specification (agave, docs/src/proposals/off-chain-message-signing.md), with the application
// domain of 32 zero bytes, one signer and the first format that the text fits. The text is
// UTF-8 of 1 to [MaxText] bytes; others are refused with code bad_message.
//
// This is what @solana/offchain-messages and hardware wallets verify. The command solana
// sign-offchain-message of today leaves out application domain and signers; its signatures
// are others.
func ReadMessage(text string, root intent.Root, branches *derive.Cache) (*Message, *intent.Refusal) {
	switch {
	case text == "":
		return nil, intent.Refuse(intent.BadMessage, -1, "the message is empty")
	case len(text) > MaxText:
		return nil, intent.Refuse(intent.BadMessage, -1, "the message has %d bytes, more than %d", len(text), MaxText)
	case !utf8.ValidString(text):
		return nil, intent.Refuse(intent.BadMessage, -1, "the message is not UTF-8")
	}
	s, refusal := signatureOf(root, branches)
	if refusal != nil {
		return nil, refusal
	}
	s.Message = offchain(text, s.PublicKey)
	id := sha256.Sum256(s.Message)
	return &Message{&intent.Intent{
		Kind: intent.SolanaMessage, Signatures: []intent.Signature{s}, ID: hex.EncodeToString(id[:]), Text: text,
	}}, nil
}

// offchain returns what is signed.
func offchain(text string, signer []byte) []byte {
	b := make([]byte, 0, preambleSize+len(text))
	b = append(b, offchainDomain...)
	b = append(b, 0)                   // version of the header
	b = append(b, make([]byte, 32)...) // application domain
	b = append(b, format(text), 1)     // one signer
	b = append(b, signer...)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(text)))
	return append(b, text...)
}

func format(text string) byte {
	if preambleSize+len(text) > maxOnDevice {
		return extendedUTF8
	}
	for i := range len(text) {
		if text[i] < 0x20 || text[i] > 0x7e {
			return limitedUTF8
		}
	}
	return restrictedASCII
}

// Intent is what the message means.
func (m *Message) Intent() *intent.Intent { return m.intent }

// Finish returns the signature, which is what wallets take.
func (m *Message) Finish(signatures [][]byte, _ bool) (intent.Finished, error) {
	if len(signatures) != 1 || len(signatures[0]) != signatureSize {
		return intent.Finished{}, fmt.Errorf("want one signature of %d bytes", signatureSize)
	}
	return intent.Finished{Signature: signatures[0]}, nil
}
