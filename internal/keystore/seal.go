package keystore

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// A nonce is 16 random bytes drawn for the record and an 8-byte counter: key
// indices from 0, and completeMark. No two seals of a record share one, and
// two records do with a chance of 2^-128 a pair.
const (
	noncePrefix         = 16
	completeMark uint64 = 1 << 32
	checkMark    uint64 = 1 << 33

	sealedShare = frost.ScalarSize + chacha20poly1305.Overhead
)

// Purposes, the first part of every associated data.
const (
	sealKeyInfo   = "frostfleet/keystore/seal/v1"
	purposeShare  = "frostfleet/keystore/share/v1"
	purposeDone   = "frostfleet/keystore/complete/v1"
	purposeCheck  = "frostfleet/keystore/check/v1"
	checkValueLen = noncePrefix + chacha20poly1305.Overhead
)

func newAEAD(seal *[32]byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, seal[:], nil, sealKeyInfo, chacha20poly1305.KeySize)
	if err != nil {
		return nil, fmt.Errorf("derive the keystore's seal key: %w", err)
	}
	defer clear(key)
	return chacha20poly1305.NewX(key)
}

func nonce(prefix [noncePrefix]byte, counter uint64) []byte {
	return binary.BigEndian.AppendUint64(prefix[:], counter)
}

// associated is purpose || len(header) || header || public, where public is
// one entry's public key and commitments. The share's index is in the nonce.
func associated(purpose string, header, public []byte) []byte {
	ad := make([]byte, 0, len(purpose)+8+len(header)+len(public))
	ad = append(ad, purpose...)
	ad = binary.BigEndian.AppendUint64(ad, uint64(len(header)))
	ad = append(ad, header...)
	return append(ad, public...)
}

// sealKeys lays out the keys value: K entries of h.entrySize() bytes. raw is
// the encoded header.
func (s *Store) sealKeys(h *header, raw []byte, r *Record) []byte {
	out := make([]byte, 0, h.K*h.entrySize())
	shares, points := r.Shares.Expose(), h.commitmentsSize()
	for i := range h.K {
		start := len(out)
		out = append(out, r.PublicKeys[i]...)
		out = append(out, r.Commitments[i*points:(i+1)*points]...)
		ad := associated(purposeShare, raw, out[start:])
		share := shares[i*frost.ScalarSize : (i+1)*frost.ScalarSize]
		out = s.aead.Seal(out, nonce(h.Nonce, uint64(i)), share, ad)
	}
	return out
}

// openEntry takes one entry apart and opens its share. It returns false when
// the entry, its index or the header is not what was sealed.
func (s *Store) openEntry(h *header, raw, entry []byte, i int) (*Key, bool) {
	public := entry[:len(entry)-sealedShare]
	ad := associated(purposeShare, raw, public)
	share, err := s.aead.Open(nil, nonce(h.Nonce, uint64(i)), entry[len(public):], ad)
	if err != nil {
		return nil, false
	}
	own := append([]byte(nil), public...)
	size := h.suite().PublicKeySize()
	key := h.key(own[:size:size])
	key.Commitments, key.Share = own[size:], secret.New(share)
	return key, true
}

// key is what all keys of a record have in common, and a public key.
func (h *header) key(public []byte) *Key {
	return &Key{
		Suite: h.suite(), N: h.N, T: h.T, Index: h.Index, PublicKey: public, Owner: h.Owner,
		Generation: h.Generation, Transcript: h.Transcript, MadeBy: h.MadeBy,
	}
}

// sealComplete marks a batch complete; openComplete believes no other mark.
func (s *Store) sealComplete(h *header, raw []byte) []byte {
	return s.aead.Seal(nil, nonce(h.Nonce, completeMark), nil, associated(purposeDone, raw, nil))
}

func (s *Store) openComplete(h *header, raw, mark []byte) bool {
	if len(mark) != chacha20poly1305.Overhead { // or damage chooses what Open allocates
		return false
	}
	_, err := s.aead.Open(nil, nonce(h.Nonce, completeMark), mark, associated(purposeDone, raw, nil))
	return err == nil
}

// sealCheck makes the value by which Open knows its seal key.
func (s *Store) sealCheck() ([]byte, error) {
	var prefix [noncePrefix]byte
	if _, err := rand.Read(prefix[:]); err != nil {
		return nil, err
	}
	return s.aead.Seal(prefix[:], nonce(prefix, checkMark), nil, []byte(purposeCheck)), nil
}

func (s *Store) openCheck(stored []byte) bool {
	if len(stored) != checkValueLen {
		return false
	}
	prefix := [noncePrefix]byte(stored)
	_, err := s.aead.Open(nil, nonce(prefix, checkMark), stored[noncePrefix:], []byte(purposeCheck))
	return err == nil
}
