package frost

import (
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"
)

// Hashes, streams of scalars and boxes of the key generation. Each use has its
// own tag, and everything that varies is hashed with it.

func uint32Bytes(x int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(x)) }

// stream is a deterministic source of secret bytes: the ChaCha20 key stream.
type stream struct {
	cipher chacha20.Cipher
	drawn  [16]byte // the last weight
}

// newStream keys a stream, which must happen once per key and purpose.
func newStream(key *[32]byte) *stream {
	var nonce [chacha20.NonceSize]byte
	c, err := chacha20.NewUnauthenticatedCipher(key[:], nonce[:])
	if err != nil {
		panic("chacha20: " + err.Error()) // of the lengths alone
	}
	return &stream{cipher: *c}
}

// read fills b.
func (s *stream) read(b []byte) {
	clear(b)
	s.cipher.XORKeyStream(b, b)
}

func (s *stream) wipe() { *s = stream{} }

// dealStream derives a deal's secrets for one purpose from its seed. It binds
// all parameters, so that one seed in two sessions never produces two proofs
// with one nonce, nor in two forms two boxes with one key: they are bound to digests
// of two forms, and a key of Poly1305 is for one message.
func dealStream(p Params, index int, seed *[32]byte, purpose string) *stream {
	hosts := make([]byte, 0, 32*p.N)
	for _, h := range p.HostKeys {
		hosts = append(hosts, h[:]...)
	}
	parts := [][]byte{{byte(p.Suite)}, p.Context[:], uint32Bytes(p.N), uint32Bytes(p.T), uint32Bytes(p.K), hosts}
	if p.Apart {
		parts = append(parts, []byte{1})
	}
	salt := Hash("frostfleet/dkg/params/v1", parts...)
	key := deriveKey(seed[:], salt[:], "frostfleet/dkg/"+purpose+"/v1"+string(uint32Bytes(index)))
	defer clear(key[:])
	return newStream(key)
}

// deriveKey is HKDF-SHA256 with 32 bytes of output.
func deriveKey(secret, salt []byte, info string) *[32]byte {
	key, err := hkdf.Key(sha256.New, secret, salt, info, 32)
	if err != nil {
		panic("hkdf: " + err.Error()) // of the length, or of a FIPS mode that forbids the key
	}
	return (*[32]byte)(key)
}

// challenge hashes what a proof of knowledge is about: dealer, key, the dealt
// encodings of A_0 and R. It can't be the challenge of a signature.
func challenge(p Params, dealer, key int, first, nonce []byte) [32]byte {
	return Hash("frostfleet/dkg/pok/v1", []byte{byte(p.Suite)}, p.Context[:],
		uint32Bytes(dealer), uint32Bytes(key), first, nonce)
}

// digest hashes all of a deal but its boxes; the boxes are bound to it.
func (d *Deal) digest(p Params, dealer int) [32]byte {
	if d.ProofsHash != nil {
		return Hash("frostfleet/dkg/deal/v2", []byte{byte(p.Suite)}, p.Context[:],
			uint32Bytes(dealer), d.Ephemeral[:], d.Commitments, d.ProofsHash[:])
	}
	return Hash("frostfleet/dkg/deal/v1", []byte{byte(p.Suite)}, p.Context[:],
		uint32Bytes(dealer), d.Ephemeral[:], d.Commitments, d.Proofs)
}

// box returns the cipher of the box from dealer i to recipient j: own is the
// private key of one of the two and peer the public key of the other. An error
// means that peer is of small order, in which case X25519 returns zeros.
func box(p Params, own *ecdh.PrivateKey, peer, ephemeral *[32]byte, i, j int) (cipher.AEAD, error) {
	public, err := ecdh.X25519().NewPublicKey(peer[:])
	if err != nil {
		return nil, err
	}
	shared, err := own.ECDH(public)
	if err != nil {
		return nil, fmt.Errorf("X25519 key of small order: %w", err)
	}
	defer clear(shared)
	info := string(ephemeral[:]) + string(p.HostKeys[j][:]) + string(uint32Bytes(i)) + string(uint32Bytes(j))
	key := deriveKey(shared, p.Context[:], "frostfleet/dkg/box/v1"+info)
	defer clear(key[:])
	return chacha20poly1305.New(key[:])
}

// boxNonce is zero: every box has a key of its own.
var boxNonce [chacha20poly1305.NonceSize]byte
