package sim

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"strconv"
	"strings"

	"filippo.io/edwards25519"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// childOf is the public key of a key's child, by other libraries than the program's:
// BIP 32, or section 10 of docs/protocol.md.
func childOf(k announcedKey, path string) []byte {
	if path == "" {
		return k.public
	}
	var indexes []uint32
	for step := range strings.SplitSeq(path, "/") {
		i, err := strconv.ParseUint(step, 10, 31)
		if err != nil {
			panic(err)
		}
		indexes = append(indexes, uint32(i))
	}
	if k.suite == frost.Ed25519 {
		return edwardsChild(k.public, k.chain[:], indexes)
	}
	return secpChild(k.public, k.chain[:], indexes)
}

func secpChild(public, chain []byte, indexes []uint32) []byte {
	key := hdkeychain.NewExtendedKey(chaincfg.RegressionNetParams.HDPublicKeyID[:], public, chain, make([]byte, 4), 0, 0,
		false)
	var err error
	for _, i := range indexes {
		if key, err = key.Derive(i); err != nil {
			panic(err)
		}
	}
	child, err := key.ECPubKey()
	if err != nil {
		panic(err)
	}
	return child.SerializeCompressed()
}

func edwardsChild(public, chain []byte, indexes []uint32) []byte {
	for _, i := range indexes {
		hash := func(tag string) []byte {
			mac := hmac.New(sha512.New, chain)
			mac.Write([]byte(tag))
			mac.Write(public)
			mac.Write(binary.BigEndian.AppendUint32(nil, i))
			return mac.Sum(nil)
		}
		offset, err := new(edwards25519.Scalar).SetUniformBytes(hash("frostfleet/ed25519-child/v1"))
		if err != nil {
			panic(err)
		}
		p, err := new(edwards25519.Point).SetBytes(public)
		if err != nil {
			return nil
		}
		next := hash("frostfleet/ed25519-chaincode/v1")[:32]
		public, chain = p.Add(p, new(edwards25519.Point).ScalarBaseMult(offset)).Bytes(), next
	}
	return public
}
