package directory

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/chain"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

var (
	keysFlag  = flag.Int("keys", 0, "how many keys TestMemoryOfAKey makes; 0: it is not run")
	batchFlag = flag.Int("batch", 1000, "how many keys a batch of these has")
)

// maxPerKey is what a key may take of memory, in bytes (issue 16).
const maxPerKey = 120

// alone is a directory without a bus, whose file is filled by hand.
func alone(t testing.TB) *Directory {
	t.Helper()
	f := wiretest.New(t, 2, 3, map[string][]wire.Kind{"alice": {wire.KindKeygen}})
	d, err := openFor(Config{
		Path: filepath.Join(t.TempDir(), "directory.db"), Manifest: f.Manifest, Log: slog.New(slog.DiscardHandler),
		Access: func() *wire.Access { return f.Access },
	}, "KEYS@0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// points are public keys, each the one before and the base point.
type points struct{ at, step btcec.JacobianPoint }

func newPoints() *points {
	var p points
	one := new(btcec.ModNScalar).SetInt(1)
	btcec.ScalarBaseMultNonConst(one, &p.step)
	p.at = p.step
	return &p
}

func (p *points) next() []byte {
	var sum btcec.JacobianPoint
	btcec.AddNonConst(&p.at, &p.step, &sum)
	sum.ToAffine()
	p.at = sum
	return btcec.NewPublicKey(&sum.X, &sum.Y).SerializeCompressed()
}

// fill puts keys of one client into a directory, in commits as a busy gateway makes them.
func fill(t testing.TB, d *Directory, keys, size int) {
	t.Helper()
	p, seq := newPoints(), uint64(0)
	var together []change
	flush := func() {
		if err := d.commit(together, false); err != nil {
			t.Fatal(err)
		}
		together = nil
	}
	for made := 0; made < keys; made += size {
		seq += 4 // a head and its deals
		b := &batch{
			Client: "alice", Suite: uint8(frost.Secp256k1TR), Created: time.Now().UnixNano(), Job: jobID(made / 5000), seq: seq,
		}
		for i := range b.ID {
			b.ID[i] = byte(rand.Uint32())
		}
		for range size {
			b.Keys = append(b.Keys, p.next()...)
		}
		together = append(together, change{apply: func(w *write) error { return w.takeBatch(b) }})
		if len(together)*size >= 1000 {
			flush()
		}
	}
	flush()
	for d.index.todo.Load() > 0 {
		if err := d.indexSome(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// resident is what this process has in memory, in bytes: all of it, and its own.
func resident(t testing.TB) (all, own int64) {
	t.Helper()
	runtime.GC()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("this system does not tell what a process has in memory")
	}
	for line := range strings.Lines(string(text)) {
		for name, n := range map[string]*int64{"VmRSS:": &all, "RssAnon:": &own} {
			if rest, ok := strings.CutPrefix(line, name); ok {
				if _, err := fmt.Sscanf(rest, "%d kB", n); err != nil {
					t.Fatal(err)
				}
				*n *= 1024
			}
		}
	}
	return all, own
}

// TestMemoryOfAKey: with all of its file in memory, a directory takes 120 B a key.
func TestMemoryOfAKey(t *testing.T) {
	if *keysFlag == 0 {
		t.Skip("it takes a minute for a million keys: -args -keys 1000000")
	}
	d := alone(t)
	before, ownBefore := resident(t)
	begin := time.Now()
	fill(t, d, *keysFlag, *batchFlag)
	took := time.Since(begin)
	for q := (KeyQuery{Limit: MaxPage}); ; {
		page, err := d.Keys(q)
		if err != nil {
			t.Fatal(err)
		}
		for i, k := range page.Keys {
			if i%16 != 0 {
				continue
			}
			if got, err := d.ByAddress("", k.Address); err != nil || got.ID != k.ID {
				t.Fatalf("%s: %s, %v", k.ID, got.ID, err)
			}
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	after, ownAfter := resident(t)
	n := int64(*keysFlag)
	all, own, disk := (after-before)/n, (ownAfter-ownBefore)/n, d.Stats().Bytes/n
	t.Logf("%d keys in batches of %d: %d B of memory a key, of these %d the program's own; %d B of disk; filled in %v",
		n, *batchFlag, all, own, disk, took.Round(time.Second))
	if n >= 1_000_000 && *batchFlag == 1000 && all > maxPerKey {
		t.Errorf("%d B of memory a key, and %d are allowed", all, maxPerKey)
	}
}

// BenchmarkByAddress is a look-up of an address among 100,000 keys.
func BenchmarkByAddress(b *testing.B) {
	d := alone(b)
	fill(b, d, 100_000, 1000)
	var addresses []string
	for q := (KeyQuery{Limit: MaxPage}); len(addresses) < 20_000; {
		page, err := d.Keys(q)
		if err != nil {
			b.Fatal(err)
		}
		for _, k := range page.Keys {
			addresses = append(addresses, k.Address)
		}
		q.After = page.Next
	}
	for b.Loop() {
		if _, err := d.ByAddress("", addresses[rand.IntN(len(addresses))]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lookups/s")
}

// BenchmarkEntry is what taking a batch of 1,000 keys into the file costs, without its addresses.
func BenchmarkEntry(b *testing.B) {
	d := alone(b)
	p := newPoints()
	var keys []byte
	for range 1000 {
		keys = append(keys, p.next()...)
	}
	seq := uint64(0)
	for b.Loop() {
		seq++
		one := &batch{Client: "alice", Suite: uint8(frost.Secp256k1TR), Created: time.Now().UnixNano(), Keys: keys, seq: seq,
			Job: jobID(int(seq)), ID: [16]byte(append(be64(seq), be64(rand.Uint64())...))}
		if err := d.commit([]change{{apply: func(w *write) error { return w.takeBatch(one) }}}, false); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHotPath is what a batch of 1,000 keys costs the key generation: its gateway has verified
// the head and computed the addresses anyway, and hands both on. Per operation: the processor time of
// all that the directory does then, to the end of the index.
func BenchmarkHotPath(b *testing.B) {
	d := alone(b)
	p := newPoints()
	e := &wire.Entry{EntryHead: wire.EntryHead{Header: wire.BatchHeader{
		Client: "alice", Suite: uint8(frost.Secp256k1TR), K: 1000,
	}}}
	keys := make([]wire.Key, 1000)
	for i := range keys {
		public := p.next()
		e.Keys = append(e.Keys, wire.EntryKey{Index: uint32(i), Owner: "alice", PublicKey: public})
		address, err := chain.Address(wire.Bitcoin, "regtest", public)
		if err != nil {
			b.Fatal(err)
		}
		keys[i].Address = address
	}
	ctx, cancel := context.WithCancel(b.Context())
	var writes sync.WaitGroup
	writes.Go(func() {
		if err := d.runWrites(ctx); err != nil {
			b.Error(err)
		}
	})
	writes.Go(func() { d.runEntries(ctx) })
	before := processor(b)
	for i := 0; b.Loop(); i++ {
		e.ID = fmt.Sprintf("%032x", rand.Uint64())
		for k := range keys {
			keys[k].ID = wire.KeyID{Batch: e.ID, Index: k}.String()
		}
		d.Entry(e, bus.Message{Seq: uint64(i + 1), Time: time.Now(), Header: map[string][]string{wire.HeaderJob: {jobID(i)}}})
		d.Computed(keys)
		if i%64 == 63 { // as many as come in some seconds
			for d.index.todo.Load() < 32 {
				time.Sleep(time.Millisecond)
			}
			if err := d.indexSome(ctx); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(processor(b)-before)/float64(b.N)/1000, "cpu-ns/key")
	cancel()
	writes.Wait()
}

// processor is the processor time that this process has had.
func processor(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
