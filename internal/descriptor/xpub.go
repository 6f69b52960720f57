package descriptor

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/mr-tron/base58"
	"golang.org/x/crypto/ripemd160" //nolint:staticcheck // SA1019: old, and what BIP 32 hashes with

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
)

// Version is what a serialized key begins with: who reads it sees the network, and
// that it is public.
type Version [4]byte

// The versions of BIP 32.
var (
	Mainnet = Version{0x04, 0x88, 0xb2, 0x1e} // xpub
	Testnet = Version{0x04, 0x35, 0x87, 0xcf} // tpub, for all test networks
)

// Fingerprint names a key: the first bytes of its hash. It is a hint, which others can
// be made to share; compare keys.
type Fingerprint [4]byte

// String returns 8 hexadecimal digits.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// FingerprintOf returns the fingerprint of a compressed public key.
func FingerprintOf(publicKey []byte) Fingerprint {
	inner := sha256.Sum256(publicKey)
	h := ripemd160.New()
	h.Write(inner[:])
	return Fingerprint(h.Sum(nil)[:4])
}

// ExtendedKey is an extended public key: a key that can derive, and where it is in its
// tree. At depth 0 Parent and Index are zero.
type ExtendedKey struct {
	Version   Version
	Depth     byte
	Parent    Fingerprint
	Index     uint32 // of the last step
	ChainCode [32]byte
	PublicKey [33]byte
}

// ErrExtendedKey means that a text is no extended public key.
var ErrExtendedKey = errors.New("not an extended public key: want the xpub or tpub of BIP 32")

// Extend returns the extended public key of what path leads to from root.
func Extend(v Version, root derive.Key, path derive.Path) (ExtendedKey, error) {
	if root.Suite != frost.Secp256k1TR {
		return ExtendedKey{}, fmt.Errorf("extended public key of suite %s: BIP 32 has keys of secp256k1", root.Suite)
	}
	if len(path) == 0 {
		b, err := derive.NewBranch(root, nil) // which decodes the key
		if err != nil {
			return ExtendedKey{}, err
		}
		return ExtendedKey{Version: v, ChainCode: root.ChainCode, PublicKey: [33]byte(b.Key().PublicKey)}, nil
	}
	last := len(path) - 1
	parent, err := root.Child(path[:last])
	if err != nil {
		return ExtendedKey{}, err
	}
	child, err := root.Child(path)
	if err != nil {
		return ExtendedKey{}, err
	}
	return ExtendedKey{
		Version: v, Depth: byte(len(path)), Parent: FingerprintOf(parent.PublicKey), Index: path[last],
		ChainCode: child.ChainCode, PublicKey: [33]byte(child.PublicKey),
	}, nil
}

// Key returns the key, ready to derive from.
func (k ExtendedKey) Key() derive.Key {
	return derive.Key{Suite: frost.Secp256k1TR, PublicKey: k.PublicKey[:], ChainCode: k.ChainCode}
}

const (
	serializedSize = 78
	checkSize      = 4
	// Base58 of 82 bytes has 111 or 112 digits, or leading ones of a version that we refuse.
	maxText = 112
)

// String returns the serialization of BIP 32 in Base58Check.
func (k ExtendedKey) String() string {
	b := make([]byte, 0, serializedSize+checkSize)
	b = append(b, k.Version[:]...)
	b = append(b, k.Depth)
	b = append(b, k.Parent[:]...)
	b = binary.BigEndian.AppendUint32(b, k.Index)
	b = append(b, k.ChainCode[:]...)
	b = append(b, k.PublicKey[:]...)
	check := checksum58(b)
	return base58.Encode(append(b, check[:]...))
}

// checksum58 is that of Base58Check.
func checksum58(b []byte) [checkSize]byte {
	first := sha256.Sum256(b)
	second := sha256.Sum256(first[:])
	return [checkSize]byte(second[:])
}

// ParseExtendedKey reads what [ExtendedKey.String] writes, and any other xpub or tpub,
// those with a hardened Index included. It refuses private keys, other versions, a key
// off the curve, and a root that names a parent.
func ParseExtendedKey(text string) (ExtendedKey, error) {
	if len(text) > maxText {
		return ExtendedKey{}, ErrExtendedKey
	}
	b, err := base58.Decode(text)
	if err != nil || len(b) != serializedSize+checkSize {
		return ExtendedKey{}, ErrExtendedKey
	}
	body := b[:serializedSize]
	if check := checksum58(body); !bytes.Equal(check[:], b[serializedSize:]) {
		return ExtendedKey{}, fmt.Errorf("%w: its checksum is wrong", ErrExtendedKey)
	}
	k := ExtendedKey{
		Version: Version(body[:4]), Depth: body[4], Parent: Fingerprint(body[5:9]),
		Index: binary.BigEndian.Uint32(body[9:13]), ChainCode: [32]byte(body[13:45]), PublicKey: [33]byte(body[45:]),
	}
	if k.Version != Mainnet && k.Version != Testnet {
		return ExtendedKey{}, fmt.Errorf("%w: another version", ErrExtendedKey)
	}
	if k.Depth == 0 && (k.Parent != Fingerprint{} || k.Index != 0) {
		return ExtendedKey{}, fmt.Errorf("%w: a root with a parent", ErrExtendedKey)
	}
	if _, err := derive.NewBranch(k.Key(), nil); err != nil {
		return ExtendedKey{}, fmt.Errorf("%w: its key is not on the curve", ErrExtendedKey)
	}
	return k, nil
}
