package wire

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// MaxNodes bounds a fleet. Indices are sent as single bytes.
const MaxNodes = frost.MaxNodes

// Networks that a fleet can belong to.
var networks = map[string]bool{"mainnet": true, "testnet": true, "signet": true, "regtest": true}

// IsNetwork reports whether a fleet can belong to a network of this name.
func IsNetwork(name string) bool { return networks[name] }

// fleetName keeps to lower case, as the names of the fleet's streams are upper
// case, and two fleets must not meet there.
var fleetName = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)

var token = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// HexBytes are bytes that stand as hexadecimal in JSON.
type HexBytes []byte

// MarshalText implements encoding.TextMarshaler.
func (h HexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *HexBytes) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	*h = b
	return err
}

// NodeCard is what the manifest says of one worker.
type NodeCard struct {
	Index      int      `json:"index"`
	Identity   HexBytes `json:"identity"`   // P-256, uncompressed, 65 bytes
	Encryption HexBytes `json:"encryption"` // X25519, 32 bytes
}

// Versions of manifests: a fleet's founding one, and those that succeed it.
const (
	ManifestVersion  = 1
	SuccessorVersion = 2
)

// Manifest is the core manifest: who the fleet is. It is public and the same
// everywhere, and its hash is in every transcript. A fleet that changes has another
// one, which names the one before it.
type Manifest struct {
	Version       int    `json:"version"`
	Fleet         string `json:"fleet"`
	Network       string `json:"network"`
	N             int    `json:"n"`
	T             int    `json:"t"`
	Epoch         int    `json:"epoch"`
	AttestSigning bool   `json:"attest_signing"` // the HSM signs every signing commitment
	// Genesis is the hash of the fleet's founding manifest, and Previous that of the one
	// before this. The founding one has neither.
	Genesis  HexBytes   `json:"genesis,omitempty"`
	Previous HexBytes   `json:"previous,omitempty"`
	Nodes    []NodeCard `json:"nodes"`

	hash       [32]byte
	identities []*ecdsa.PublicKey
}

// ParseManifest reads a manifest's JSON strictly and validates it.
func ParseManifest(data []byte) (*Manifest, error) {
	if len(data) > MaxJobSize {
		return nil, fmt.Errorf("manifest: %d bytes is over the limit of %d", len(data), MaxJobSize)
	}
	var m Manifest
	if err := strictJSON(data, &m); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if err := m.Seal(); err != nil {
		return nil, err
	}
	return &m, nil
}

// Seal validates the manifest and computes its hash; it is not changed
// afterwards.
func (m *Manifest) Seal() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("manifest: "+format, args...)) }
	if err := m.checkVersion(); err != nil {
		errs = append(errs, err)
	}
	if !fleetName.MatchString(m.Fleet) {
		bad("fleet %.64q: use 1 to 32 lower-case letters, digits, _ or -", m.Fleet)
	}
	if !IsNetwork(m.Network) {
		bad("network %q: use mainnet, testnet, signet or regtest", m.Network)
	}
	if m.N < 1 || m.N > MaxNodes || m.T < 1 || m.T > m.N {
		bad("threshold %d of %d: need 1 <= t <= n <= %d", m.T, m.N, MaxNodes)
	}
	if m.Epoch < 0 || m.Epoch > 1<<30 {
		bad("epoch %d is out of range", m.Epoch)
	}
	if len(m.Nodes) != m.N {
		bad("n is %d and there are %d nodes", m.N, len(m.Nodes))
	}
	errs = append(errs, m.sealNodes()...)
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	m.hash = m.computeHash()
	return nil
}

func (m *Manifest) sealNodes() (errs []error) {
	seen := map[string]int{}
	m.identities = nil
	for i, node := range m.Nodes {
		if node.Index != i {
			errs = append(errs, fmt.Errorf("manifest: node %d has index %d: list the nodes in index order", i, node.Index))
		}
		pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), node.Identity)
		if err != nil {
			errs = append(errs, fmt.Errorf("manifest: node %d: identity: not an uncompressed P-256 key: %w", i, err))
		}
		m.identities = append(m.identities, pub)
		if err := checkHostKey(node.Encryption); err != nil {
			errs = append(errs, fmt.Errorf("manifest: node %d: encryption: %w", i, err))
		}
		for _, key := range []HexBytes{node.Identity, node.Encryption} {
			if other, ok := seen[string(key)]; ok {
				errs = append(errs, fmt.Errorf("manifest: nodes %d and %d share the key %x: every node has keys of its own", other, i, []byte(key)))
			}
			seen[string(key)] = i
		}
	}
	return errs
}

// fieldPrime is 2^255-19.
var fieldPrime = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))

// checkHostKey refuses X25519 keys that give the same secret with everybody, and
// second spellings, in which two nodes could have one key.
func checkHostKey(key []byte) error {
	pub, err := ecdh.X25519().NewPublicKey(key)
	if err != nil {
		return fmt.Errorf("not an X25519 key: %w", err)
	}
	u := slices.Clone(key)
	slices.Reverse(u)
	if new(big.Int).SetBytes(u).Cmp(fieldPrime) >= 0 {
		return errors.New("not an X25519 key as programs make it: it is not below 2^255-19")
	}
	probe := must(ecdh.X25519().NewPrivateKey(bytes.Repeat([]byte{0x40}, 32)))
	if _, err := probe.ECDH(pub); err != nil {
		return errors.New("a point of small order")
	}
	return nil
}

// checkVersion holds a manifest's version against what it says of its place.
func (m *Manifest) checkVersion() error {
	switch {
	case m.Version != ManifestVersion && m.Version != SuccessorVersion:
		return fmt.Errorf("manifest: version %d: this program knows versions %d and %d", m.Version, ManifestVersion,
			SuccessorVersion)
	case m.Version == ManifestVersion && len(m.Genesis)+len(m.Previous) > 0:
		return errors.New("manifest: one of version 1 is its fleet's first, and has no genesis and no previous")
	case m.Version == SuccessorVersion && (len(m.Genesis) != 32 || len(m.Previous) != 32):
		return errors.New("manifest: one of version 2 follows another: genesis and previous are 64 hexadecimal digits each")
	case m.Version == SuccessorVersion && m.Epoch < 1:
		return errors.New("manifest: one that follows another has an epoch of at least 1")
	}
	return nil
}

func (m *Manifest) computeHash() [32]byte {
	attest := uint32(0)
	if m.AttestSigning {
		attest = 1
	}
	tag := "frostfleet/manifest/v1"
	parts := [][]byte{[]byte(m.Fleet), []byte(m.Network), Be32(m.N), Be32(m.T), Be32(m.Epoch), Be32(attest)}
	if m.Successor() {
		tag = "frostfleet/manifest/v2"
		parts = append(parts, m.Genesis, m.Previous)
	}
	for _, node := range m.Nodes {
		parts = append(parts, node.Identity, node.Encryption)
	}
	return frost.Hash(tag, parts...)
}

// Hash is the manifest's identity. What nodes say is bound to it.
func (m *Manifest) Hash() [32]byte { return m.hash }

// Successor reports whether the manifest follows another one. No manifest, which is what
// an administrator has who makes the streams, is as a founding one.
func (m *Manifest) Successor() bool { return m != nil && len(m.Previous) > 0 }

// FleetID is the fleet's identity: the hash of its founding manifest. What clients,
// gateways, approvers and administrators say is bound to it, and so is of one fleet and
// counts whatever manifest comes next.
func (m *Manifest) FleetID() [32]byte {
	if m.Successor() {
		return [32]byte(m.Genesis)
	}
	return m.hash
}

// ParentHash is the hash of the manifest before this one; false if this is the first.
func (m *Manifest) ParentHash() ([32]byte, bool) {
	if !m.Successor() {
		return [32]byte{}, false
	}
	return [32]byte(m.Previous), true
}

// NodeName is node i for people: as its audit log has it, and with the epoch where that tells it
// from the founding manifest's node of that index.
func (m *Manifest) NodeName(i int) string {
	name := fmt.Sprintf("worker-%d", i)
	if m.Successor() {
		name += fmt.Sprintf(" of epoch %d", m.Epoch)
	}
	return name
}

// Identity is node i's P-256 key.
func (m *Manifest) Identity(i int) *ecdsa.PublicKey { return m.identities[i] }

// HostKeys are the nodes' X25519 keys in index order.
func (m *Manifest) HostKeys() [][32]byte {
	keys := make([][32]byte, len(m.Nodes))
	for i, node := range m.Nodes {
		keys[i] = [32]byte(node.Encryption)
	}
	return keys
}
