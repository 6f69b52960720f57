// Package ideal counts the operations that the protocol can't do without, as formulas in
// its threshold t, its nodes n and the items k of a batch. Times the cost of each, measured
// in the same run with the best implementation there is, they are what an item would cost if
// nothing else took time: no encoding of messages, signatures of messages, bus or disk.
//
// What could be kept with a key is not counted, be it kept or not: output keys, nodes'
// public shares, decoded keys. Nor is what is negligible: inversions that a batch shares,
// additions of scalars, random streams, signatures of whole batches.
// bench/README.md has the counts as a table, with reasons.
package ideal

import (
	"fmt"
	"slices"
	"strings"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// An Op is an operation that has a cost.
type Op struct {
	Kind Kind
	Size int // terms of the sum that a Term is one of; else 0
}

// Kind is a kind of operation.
type Kind string

// The kinds. Those above the line touch secrets and take constant time.
const (
	Base   Kind = "base"   // multiple of G with its encoding
	Scalar Kind = "scalar" // product of two scalars
	DH     Kind = "dh"     // X25519
	BoxKiB Kind = "box"    // ChaCha20-Poly1305 of 1,024 bytes

	Decode     Kind = "decode"      // a point of a deal or nonce: secp256k1 without a root, Ed25519 with one
	Lift       Kind = "lift"        // a point in a signature or a key, with a root
	Add        Kind = "add"         // sum of two points
	Term128    Kind = "term128"     // one of a sum of multiples, by a factor of 128 bits
	Term256    Kind = "term256"     // the same, by a whole scalar
	PublicBase Kind = "public_base" // a point plus a multiple of G, all public
	SHA256     Kind = "sha256"      // a hash of 200 bytes
	SHA512     Kind = "sha512"
	SHA256KiB  Kind = "sha256_kib" // 1,024 bytes of a long hash
	SHA512KiB  Kind = "sha512_kib"
)

func (o Op) String() string {
	if o.Size == 0 {
		return string(o.Kind)
	}
	return fmt.Sprintf("%s/%d", o.Kind, o.Size)
}

// Counts says how often each operation is needed for one item.
type Counts map[Op]float64

// Ops are the operations, in order.
func (c Counts) Ops() []Op {
	var ops []Op
	for op := range c {
		ops = append(ops, op)
	}
	slices.SortFunc(ops, func(a, b Op) int { return strings.Compare(a.String(), b.String()) })
	return ops
}

// Cost sums up, of costs in any unit. An operation without a cost is an error.
func (c Counts) Cost(costs map[Op]float64) (sum float64, err error) {
	for op, count := range c {
		cost := costs[op]
		if cost <= 0 {
			return 0, fmt.Errorf("%s has no cost", op)
		}
		sum += count * cost
	}
	return sum, nil
}

// Keygen counts the operations for one key: of n nodes, the gateway and the client.
func Keygen(suite frost.Suite, t, n, k int) Counts {
	nodes, threshold, batch := float64(n), float64(t), float64(k)
	others := nodes - 1
	// One equation of each node has all proofs, and its own shares.
	terms := k * (2*(n-1) + t)
	point := float64(suite.PointSize())
	deal := threshold*point + (point + frost.ScalarSize) + nodes*frost.ScalarSize // bytes of a key
	c := Counts{
		{Kind: Base}:                 nodes*(threshold+1) + nodes/batch,
		{Kind: Decode}:               nodes*others*(threshold+1) + nodes,
		{Kind: Add}:                  nodes*others*threshold + others,
		{Kind: Term128, Size: terms}: nodes*others + nodes*threshold,
		{Kind: Term256, Size: terms}: nodes * others,
		{Kind: Scalar}:               nodes*nodes*(threshold-1) + nodes + 2*nodes*others + nodes*threshold,
		{Kind: SHA256}:               nodes * nodes,
		{Kind: SHA256KiB}:            nodes * nodes * deal / 1024,
		{Kind: BoxKiB}:               2 * nodes * nodes * frost.ScalarSize / 1024,
		{Kind: DH}:                   (2*nodes*nodes + nodes) / batch,
	}
	if suite == frost.Secp256k1TR { // an Ed25519 key is its address
		c[Op{Kind: PublicBase}] = 2
		c[Op{Kind: Lift}] = 1
	}
	return c
}

// Sign counts the operations for one signature: of t signers, the gateway and the client.
func Sign(suite frost.Suite, t, k int) Counts {
	signers, batch := float64(t), float64(k)
	all := signers + 1 // who computes the nonce of the signature
	c := Counts{
		{Kind: Base}:                 2*signers + signers/batch,
		{Kind: Decode}:               2 * signers * signers,
		{Kind: Term128, Size: 3 * k}: signers,
		{Kind: Term256, Size: 3 * k}: 2 * signers,
		{Kind: Term128, Size: 2 * k}: 2,
		{Kind: Term256, Size: 2 * k}: 2,
		{Kind: Lift}:                 1,
		{Kind: Scalar}:               6*signers + 4,
	}
	if suite == frost.Secp256k1TR { // one binding factor for the sum of the nonces
		c[Op{Kind: Term256, Size: 1}] = all
		c[Op{Kind: Add}] = all * (2*(signers-1) + 1)
		c[Op{Kind: SHA256}] = 4*signers + 2 + 1
		return c
	}
	// A binding factor for each signer.
	c[Op{Kind: Term256, Size: t}] += all * signers
	c[Op{Kind: Add}] = all * signers
	c[Op{Kind: SHA512}] = signers*(signers+5) + signers + 3 + 1
	c[Op{Kind: SHA512KiB}] = all * signers * 96 / 1024
	return c
}
