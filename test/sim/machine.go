package sim

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// machine is what outlives a node's processes: its HSM, its disk, its clock.
type machine struct {
	w        *world
	index    int
	identity *ecdsa.PrivateKey
	host     [32]byte
	hedge    [32]byte
	skew     time.Duration
	unheard  bool // its heartbeats are lost, all of them
	disk     *disk
	lives    int
	life     *worker // the process that is not a twin, if it is up
	amnesia  bool    // it was wiped, or had a twin: it may not know what it certified
}

func newMachine(w *world, index int) *machine {
	m := &machine{w: w, index: index, disk: newDisk(), skew: w.between(-20*time.Second, 20*time.Second)}
	m.trouble()
	m.identity = identityKey(w)
	w.bytes(m.host[:])
	w.bytes(m.hedge[:])
	w.check.watch.forbid(RuleSecret, m.host[:], "a host key", "")
	w.check.watch.forbid(RuleSecret, m.hedge[:], "a hedge secret", "")
	return m
}

func identityKey(w *world) *ecdsa.PrivateKey {
	for {
		var d [32]byte
		w.bytes(d[:])
		if key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:]); err == nil {
			return key
		}
	}
}

// bytes fills p from the world's source.
func (w *world) bytes(p []byte) {
	var word [8]byte
	for len(p) > 0 {
		binary.LittleEndian.PutUint64(word[:], w.rng.Uint64())
		p = p[copy(p, word[:]):]
	}
}

func (m *machine) card() wire.NodeCard {
	host, err := ecdh.X25519().NewPrivateKey(m.host[:])
	if err != nil {
		panic(err)
	}
	identity, err := m.identity.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	return wire.NodeCard{Index: m.index, Identity: identity, Encryption: host.PublicKey().Bytes()}
}

// attest is an HSM call for a leaf, at times together with other leaves that
// waited for it.
func (m *machine) attest(leaf [32]byte) *wire.Attestation {
	leaves := [][32]byte{leaf}
	i := 0
	for range m.w.rng.IntN(3) {
		leaves = append(leaves, [32]byte{byte(m.w.rng.Uint32())})
	}
	if len(leaves) > 1 {
		i = m.w.rng.IntN(len(leaves))
		leaves[0], leaves[i] = leaves[i], leaves[0]
	}
	digest := wire.AttestDigest(m.w.manifest, leaves)
	sig, err := m.identity.Sign(nil, digest[:], crypto.SHA256) // deterministic, RFC 6979
	if err != nil {
		panic(err)
	}
	return wire.NewAttestations(leaves, sig)[i]
}

// clock is the machine's own time.
func (m *machine) clock() time.Time { return m.w.now().Add(m.skew) }

// disk is a node's keystore: what is in it survives a crash.
type disk struct {
	records map[string]*record
	refused []string
	cursor  uint64
	freezes []byte  // KeptFreezes
	heard   *ledger // the same, by the check's own count
	ledger  []byte  // of the policy
}

type record struct {
	protocol.BatchRecord
	shares       []byte
	complete     bool
	certificates [][]byte
}

func newDisk() *disk { return &disk{records: map[string]*record{}} }

// clone is a copy of the disk, as a twin has it.
func (d *disk) clone() *disk {
	c := &disk{records: map[string]*record{}, refused: slices.Clone(d.refused), cursor: d.cursor,
		freezes: d.freezes, heard: d.heard, ledger: slices.Clone(d.ledger)}
	for id, r := range d.records {
		copied := *r
		c.records[id] = &copied
	}
	return c
}

func (d *disk) sorted() []string { return slices.Sorted(maps.Keys(d.records)) }

func (d *disk) known() map[wire.BatchRef]protocol.KnownBatch {
	known := map[wire.BatchRef]protocol.KnownBatch{}
	for _, r := range d.records {
		known[r.Ref()] = protocol.KnownBatch{Transcript: r.Transcript, MadeBy: r.MadeBy, Complete: r.complete}
	}
	return known
}

// store keeps a batch, unless another transcript of it is there.
func (d *disk) store(r *protocol.BatchRecord) (*record, error) {
	if old := d.records[r.ID]; old != nil {
		if old.Transcript != r.Transcript {
			return nil, fmt.Errorf("batch %s was certified with another transcript", r.ID)
		}
		return old, nil
	}
	kept := &record{BatchRecord: *r, shares: slices.Clone(r.Batch.Shares.Expose())}
	kept.Deals = make([][]byte, len(r.Deals))
	for i, deal := range r.Deals {
		kept.Deals[i] = slices.Clone(deal)
	}
	kept.Batch = &frost.Batch{Public: r.Batch.Public}
	d.records[r.ID] = kept
	return kept, nil
}

// load gives a copy of a key, if it is usable.
func (d *disk) load(m *machine, id wire.KeyID) protocol.LoadedKey {
	r := d.records[id.Batch]
	if r == nil || !r.complete || id.Index >= int(r.Header.K) {
		return protocol.LoadedKey{}
	}
	suite := frost.Suite(r.Header.Suite)
	size := m.w.manifest.T * suite.PointSize()
	return protocol.LoadedKey{Owner: r.Header.Client, MadeBy: r.MadeBy, Key: &frost.Key{
		Suite: suite, N: m.w.manifest.N, T: m.w.manifest.T, Index: m.index,
		PublicKey:     r.Batch.PublicKeys[id.Index],
		VSSCommitment: slices.Clone(r.Batch.Commitments[id.Index*size:][:size]),
		Share:         secret.New(slices.Clone(r.shares[id.Index*frost.ScalarSize:][:frost.ScalarSize])),
	}}
}
