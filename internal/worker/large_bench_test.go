package worker

import (
	"bytes"
	"encoding/json"
	"syscall"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// BenchmarkLargeBatch is what one of 24 nodes does for a batch of 16-of-24 keys, without bus
// and device: it deals, reads and verifies the deals of all, stores them, reads the entry
// that a gateway makes of them, and stores that. cpu-ms/address is for all 24 nodes. Other
// work of the machine counts too, so it takes the lowest of several: -count 5 -cpu 1.
func BenchmarkLargeBatch(b *testing.B) {
	l := newLargeBatch(b)
	b.ReportAllocs()
	b.ResetTimer()
	var cpu time.Duration
	for b.Loop() {
		b.StopTimer()
		node := l.node()
		var seal [32]byte
		store, err := keystore.Open(b.TempDir(), &seal)
		if err != nil {
			b.Fatal(err)
		}
		began := processorTime(b)
		b.StartTimer()
		l.run(node, store)
		b.StopTimer()
		cpu += processorTime(b) - began
		if err := store.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(cpu.Seconds()*1e3*float64(l.Manifest.N)/float64(b.N*int(l.header.K)), "cpu-ms/address")
}

// processorTime is what this process used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// largeBatch is a batch's messages as node 0 reads them.
type largeBatch struct {
	*wiretest.Fleet
	b      *testing.B
	header wire.BatchHeader
	id     string
	task   wire.LogMessage
	others []wire.LogMessage // the deals of nodes 1 to 23
	own    []byte            // node 0's, the same in every life of it
	keys   []wire.LogMessage // the entry
}

func newLargeBatch(b *testing.B) *largeBatch {
	const n, t = 24, 16
	f := wiretest.New(b, t, n, map[string][]wire.Kind{"alice": {wire.KindKeygen}})
	l := &largeBatch{Fleet: f, b: b}
	job := wire.Job{
		ID: "0198c0de-0000-7000-8000-000000000001", Kind: wire.KindKeygen, Chain: "bitcoin",
		Count: wire.BatchSize(frost.Secp256k1TR, n, t), Expires: wiretest.Start.Add(time.Hour),
	}
	payload, err := json.Marshal(&job)
	if err != nil {
		b.Fatal(err)
	}
	signed := wire.SignJob(f.Clients["alice"], f.Manifest, wire.KindKeygen, "alice", payload)
	l.header = job.PartHeader(f.Manifest, "alice", signed.Digest(f.Manifest), 0, 0)
	l.id = wire.ShortID(l.header.Context(f.Manifest))
	task := &wire.Task{Job: signed}
	subject := wire.TaskSubject(task, job.ID)
	l.task = wire.LogMessage{Subject: subject, Seq: 1, Time: wiretest.Start,
		Data: wire.SealGateway(f.Gateway, "gw", f.Manifest, subject, wire.Encode(task))}

	p := l.header.Params(f.Manifest)
	deals := make([]*frost.Deal, n)
	raw := make([][]byte, n)
	for i := 1; i < n; i++ {
		if deals[i], err = frost.NewDeal(p, i, &[32]byte{byte(i)}); err != nil {
			b.Fatal(err)
		}
		raw[i] = wire.EncodeDeal(l.header, deals[i])
		l.others = append(l.others, l.sealed(i, raw[i]))
	}
	_, own := l.dealt(l.node())
	l.own, raw[0] = own, own
	if _, deals[0], err = wire.DecodeDeal(own); err != nil {
		b.Fatal(err)
	}
	public, err := frost.Summarize(p, deals)
	if err != nil {
		b.Fatal(err)
	}
	l.keys = append(l.keys, wire.LogMessage{Subject: wire.EntryHeadSubject(l.id, 0), Seq: 1, Time: wiretest.Start,
		Data: f.EntryOf(l.header, raw, public.PublicKeys)})
	for i, deal := range raw {
		l.keys = append(l.keys, wire.LogMessage{Subject: wire.EntryDealSubject(l.id, 0, i), Seq: uint64(i) + 2,
			Time: wiretest.Start, Data: deal})
	}
	return l
}

func (l *largeBatch) sealed(node int, body []byte) wire.LogMessage {
	slot := wire.Slot{Kind: wire.SlotDeal, ID: l.id, Node: node}
	return wire.LogMessage{Subject: slot.String(), Seq: 1, Time: wiretest.Start, Data: l.Seal(slot, body)}
}

// node is the machine of node 0, which has read nothing. It draws the same in each life.
func (l *largeBatch) node() *protocol.Node {
	n := protocol.NewNode(protocol.NodeConfig{
		Manifest: l.Manifest, Access: l.Access, Index: 0, Rand: zeros{},
		Host: secret.New(bytes.Clone(l.Host[0][:])), SeedSecret: secret.New(make([]byte, 32)),
	})
	n.Step(protocol.Tick{Now: wiretest.Start})
	return n
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// dealt has the node begin, and returns what it says.
func (l *largeBatch) dealt(n *protocol.Node) (protocol.Publish, []byte) {
	made := l.computed(n, n.Step(protocol.TaskMessage{LogMessage: l.task, Now: wiretest.Start}))
	for _, effect := range made {
		if p, ok := effect.(protocol.Publish); ok && p.Slot.Kind == wire.SlotDeal {
			return p, p.Body
		}
	}
	l.b.Fatalf("the node does not deal: %v", made)
	panic("unreachable")
}

// computed runs the computations among effects, and returns the effects of their outcomes.
func (l *largeBatch) computed(n *protocol.Node, effects []protocol.Effect) (after []protocol.Effect) {
	for _, effect := range effects {
		if c, ok := effect.(protocol.Compute); ok {
			after = append(after, n.Step(c.Run())...)
		}
	}
	return after
}

// arrived is a message in memory of its own, as the bus hands it over.
func arrived(m wire.LogMessage) wire.LogMessage {
	m.Data = bytes.Clone(m.Data)
	return m
}

// run is the whole batch at node 0.
func (l *largeBatch) run(n *protocol.Node, store *keystore.Store) {
	m := &member{cfg: Config{Manifest: l.Manifest}}
	_, own := l.dealt(n)
	effects := n.Step(protocol.RoundsMessage{LogMessage: l.sealed(0, own)})
	for _, deal := range l.others {
		effects = append(effects, n.Step(protocol.RoundsMessage{LogMessage: arrived(deal)})...)
	}
	certified := false
	for _, effect := range l.computed(n, effects) {
		if c, ok := effect.(protocol.Certify); ok {
			if err := store.Certify(m.record(c.Record)); err != nil {
				l.b.Fatal(err)
			}
			c.Record.Batch.Shares.Wipe()
			cert := c.Publish.With(l.Attest(0, [][32]byte{*c.Publish.Leaf}, 0))
			if err := store.SetCert(storeRef(c.Record.Ref()), cert); err != nil {
				l.b.Fatal(err)
			}
			certified = true
		}
	}
	for _, msg := range l.keys {
		for _, effect := range n.Step(protocol.ReadKeysBeside(l.Manifest, arrived(msg), n.Held(msg.Subject))) {
			if c, ok := effect.(protocol.Complete); ok && certified {
				if err := store.Complete(storeRef(c.Batch), c.Certificates); err != nil {
					l.b.Fatal(err)
				}
				return
			}
		}
	}
	l.b.Fatalf("the batch does not end; certified: %v", certified)
}
