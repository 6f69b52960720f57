package rfc9591

import (
	"io"

	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/frostfleet/frostfleet/internal/frost/oracle"
)

// generate draws one nonce and publishes it.
func generate(rand io.Reader, share []byte) (*SecNonce, *PubNonce, error) {
	nonces := make([]SecNonce, 1)
	if err := nonces[0].Draw(rand, share); err != nil {
		return nil, nil, err
	}
	wire, err := Publish(Encoded, nonces)
	if err != nil {
		return nil, nil, err
	}
	pub, _ := parse(Encoded, wire)
	return &nonces[0], pub, nil
}

// parse reads one public nonce.
func parse(form Form, wire []byte) (*PubNonce, bool) {
	if len(wire) != form.NonceSize() {
		return nil, false
	}
	n := make([]PubNonce, 1)
	ok := ParseNonces(form, n, wire, false) < 0
	return &n[0], ok
}

func newSession(key *Key, set *SignerSet, nonces []*PubNonce, message []byte) (*Session, error) {
	s, err := NewSessions(set, []Input{{key, nonces, message}})
	if err != nil {
		return nil, err
	}
	return &s[0], nil
}

// library is a session as the oracle has it; of a child, whose offset is a sum.
func library(s *Session) *oracle.Session {
	o := &oracle.Session{N: int(s.key.n), T: int(s.key.t), Commitments: s.key.encoded, Message: s.message, Signers: s.set.ids}
	for _, n := range s.nonces {
		o.Nonces = append(o.Nonces, n.Bytes())
	}
	if s.key.offset != nil {
		o.Offsets = [][32]byte{edwards25519.EncodeScalar(s.key.offset)}
	}
	return o
}
