package sim

import (
	"cmp"
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
	manifest *wire.Manifest // that it is a node of
	index    int
	beside   []*machine // others whose nodes run in the same process, and share nothing but that
	invited  bool       // it runs from now on, as a node of the next manifest
	deceives bool       // it lies in resharings
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

// isLiar reports whether it is the plan's liar.
func (m *machine) isLiar() bool { return m.manifest == m.w.manifest && m.index == m.w.plan.liar }

// honest reports whether it never lies.
func (m *machine) honest() bool { return !m.isLiar() && !m.deceives }

func newMachine(w *world, manifest *wire.Manifest, index int) *machine {
	m := &machine{w: w, manifest: manifest, index: index, disk: newDisk(), skew: w.between(-20*time.Second, 20*time.Second)}
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
	digest := wire.AttestDigest(m.manifest, leaves)
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
	records  map[wire.BatchRef]*record
	moved    map[string]bool // batches that a later manifest's nodes have
	lineage  *wire.Lineage   // nil: the machine's own manifest alone
	approved approval
	dealt    [32]byte // to which manifest
	refused  []string
	cursor   uint64
	freezes  []byte  // KeptFreezes
	heard    *ledger // the same, by the check's own count
	ledger   []byte  // of the policy
}

type record struct {
	protocol.BatchRecord
	shares       []byte
	complete     bool
	certificates [][]byte
}

func newDisk() *disk {
	return &disk{records: map[wire.BatchRef]*record{}, moved: map[string]bool{}}
}

// clone is a copy of the disk, as a twin has it.
func (d *disk) clone() *disk {
	c := &disk{records: map[wire.BatchRef]*record{}, refused: slices.Clone(d.refused), cursor: d.cursor,
		moved: maps.Clone(d.moved), lineage: d.lineage, approved: d.approved, dealt: d.dealt,
		freezes: d.freezes, heard: d.heard, ledger: slices.Clone(d.ledger)}
	for ref, r := range d.records {
		copied := *r
		c.records[ref] = &copied
	}
	return c
}

func (d *disk) sorted() []wire.BatchRef {
	return slices.SortedFunc(maps.Keys(d.records), func(a, b wire.BatchRef) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Generation, b.Generation))
	})
}

// latest is the highest generation of a batch that is usable, nil if none is.
func (d *disk) latest(batch string) (latest *record) {
	for ref, r := range d.records {
		if ref.ID == batch && r.complete && (latest == nil || ref.Generation > latest.Generation) {
			latest = r
		}
	}
	return latest
}

// holding is the record that a holding names, nil if it is not usable.
func (d *disk) holding(h wire.Holding) *record {
	for ref, r := range d.records {
		if ref.ID == h.ID() && r.complete && wire.NewHolding(ref.ID, r.Transcript) == h {
			return r
		}
	}
	return nil
}

func (d *disk) known() map[wire.BatchRef]protocol.KnownBatch {
	known := map[wire.BatchRef]protocol.KnownBatch{}
	for _, r := range d.records {
		known[r.Ref()] = protocol.KnownBatch{Transcript: r.Transcript, MadeBy: r.MadeBy, Complete: r.complete, Moved: d.moved[r.ID]}
	}
	return known
}

// store keeps a batch, unless another transcript of it is there.
func (d *disk) store(r *protocol.BatchRecord) (*record, error) {
	if old := d.records[r.Ref()]; old != nil {
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
	d.records[r.Ref()] = kept
	return kept, nil
}

// load gives a copy of a key, if it is usable.
func (d *disk) load(m *machine, id wire.KeyID) protocol.LoadedKey {
	r := d.latest(id.Batch)
	if r == nil || id.Index >= int(r.Header.K) {
		return protocol.LoadedKey{}
	}
	suite := frost.Suite(r.Header.Suite)
	size := m.manifest.T * suite.PointSize()
	return protocol.LoadedKey{Owner: r.Header.Client, MadeBy: r.MadeBy, Key: &frost.Key{
		Suite: suite, N: m.manifest.N, T: m.manifest.T, Index: m.index,
		PublicKey:     r.Batch.PublicKeys[id.Index],
		VSSCommitment: slices.Clone(r.Batch.Commitments[id.Index*size:][:size]),
		Share:         secret.New(slices.Clone(r.shares[id.Index*frost.ScalarSize:][:frost.ScalarSize])),
	}}
}
