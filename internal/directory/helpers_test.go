package directory

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/natsserver"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// patience is for what takes milliseconds on an idle machine.
const patience = 2 * time.Minute

// world is a fleet's streams on a server of its own, with somebody who writes to them.
type world struct {
	*testing.T
	fleet  *wiretest.Fleet
	server *natsserver.Server
	bus    *bus.Bus
	dir    string
	ctx    context.Context
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, dir: t.TempDir()}
	kinds := []wire.Kind{wire.KindKeygen, wire.KindSign}
	w.fleet = wiretest.New(t, 2, 3, map[string][]wire.Kind{"alice": kinds, "bob": kinds})
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel)
	w.ctx = ctx
	s, err := natsserver.Start(natsserver.Config{StoreDir: t.TempDir(), Port: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	w.server, w.bus = s, w.connect(s)
	if err := w.bus.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) connect(s *natsserver.Server) *bus.Bus {
	w.Helper()
	b, err := bus.Connect(w.ctx, bus.Options{
		Fleet: "test", Nodes: 3, URL: s.URL(), Name: "gw", AckTimeout: patience / 4, CutPatience: time.Second,
	})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = b.Close(ctx)
	})
	return b
}

// running is a directory that is fed as a gateway feeds it.
type running struct {
	*Directory
	stop func()
}

func (w *world) config(file string) Config {
	return Config{
		Path: filepath.Join(w.dir, file), Bus: w.bus, Manifest: w.fleet.Manifest,
		Known: func() wire.ManifestSet { return w.fleet.Manifest }, Access: func() *wire.Access { return w.fleet.Access },
		Log: slog.New(slog.DiscardHandler),
	}
}

// run opens a directory and waits until it is ready.
func (w *world) run(file string) *running { return w.runConfig(w.config(file)) }

func (w *world) runConfig(cfg Config) *running {
	w.Helper()
	d, err := Open(w.ctx, cfg)
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.ctx)
	var parts sync.WaitGroup
	parts.Go(func() {
		if err := d.Run(ctx); err != nil {
			w.Error(err)
		}
	})
	parts.Go(func() { w.feed(ctx, d) })
	r := &running{d, sync.OnceFunc(func() {
		cancel()
		parts.Wait()
		if err := d.Close(); err != nil {
			w.Error(err)
		}
	})}
	w.Cleanup(r.stop)
	w.eventually("the directory is ready", func() bool { return d.Ready() == nil })
	return r
}

// feed gives a directory what KEYS has, as a gateway does.
func (w *world) feed(ctx context.Context, d *Directory) {
	f, err := w.bus.Follow(ctx, bus.Keys, 1, bus.FollowOptions{
		Handler: func(m bus.Message) {
			if entry, head := wire.IsEntry(m.Subject); entry && head {
				if e, err := wire.VerifyEntry(m.Data, w.fleet.Manifest); err == nil {
					d.Entry(e, m)
				}
			}
		},
		CaughtUp: d.EntriesRead,
	})
	if err != nil {
		w.Error(err)
		return
	}
	<-f.Done()
}

func (w *world) eventually(what string, ok func() bool) {
	w.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("never: %s", what)
		}
	}
}

// settled waits until a directory has all that the streams hold.
func (w *world) settled(d *Directory) {
	w.Helper()
	for _, stream := range followed {
		last, err := w.bus.LastSeq(w.ctx, stream)
		if err != nil {
			w.Fatal(err)
		}
		if err := d.await(w.ctx, stream, last); err != nil {
			w.Fatal(err)
		}
	}
	keys, err := w.bus.Slots(w.ctx, bus.Keys, wire.EntryHeads)
	if err != nil {
		w.Fatal(err)
	}
	for _, m := range keys {
		e, err := wire.VerifyEntry(m.Data, w.fleet.Manifest)
		if err != nil {
			continue
		}
		w.eventually("the entry is there", func() bool {
			k, err := d.Key("", e.ID+".0")
			return err == nil && k.Generation >= e.Generation
		})
	}
}

func (w *world) publish(subject string, data []byte, header map[string][]string) uint64 {
	w.Helper()
	seq, err := w.bus.Publish(w.ctx, subject, data, header)
	if err != nil {
		w.Fatal(err)
	}
	return seq
}

// jobID is a number as a job's id.
func jobID(n int) string { return fmt.Sprintf("00000000-0000-7000-8000-%012d", n) }

// publicKeys are keys of a chain that nobody else has.
func publicKeys(chain string, seed string, n int) (all [][]byte) {
	for i := range n {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", seed, i))
		if chain == wire.Solana {
			all = append(all, ed25519.NewKeyFromSeed(sum[:]).Public().(ed25519.PublicKey))
			continue
		}
		_, public := btcec.PrivKeyFromBytes(sum[:])
		all = append(all, public.SerializeCompressed())
	}
	return all
}

func (w *world) digest(client, job string) [32]byte { return sha256.Sum256([]byte(client + job)) }

// entry stores an entry of a job's part, and returns its batch's id.
func (w *world) entry(client, job, chain string, part, keys int, named bool) string {
	w.Helper()
	suite, _ := wire.ChainSuite(chain)
	h := wire.BatchHeader{
		Client: client, Digest: w.digest(client, job), Part: uint32(part), Suite: uint8(suite), K: uint32(keys),
	}
	deals := [][]byte{w.fleet.Deal(h, 8), w.fleet.Deal(h, 9), w.fleet.Deal(h, 10)}
	public := publicKeys(chain, fmt.Sprint(client, job, part, keys), keys)
	head := w.fleet.EntryOf(h, deals, public)
	id := wire.ShortID(h.Context(w.fleet.Manifest))
	var header map[string][]string
	if named {
		header = map[string][]string{wire.HeaderJob: {job}}
	}
	w.publish(wire.EntryHeadSubject(id, 0), head, header)
	return id
}

// resultOnce is result for a job that may have one.
func (w *world) resultOnce(r *wire.Result) {
	w.Helper()
	if err := w.answer(wire.StoredResultSubject(r.Client, r.Job), r); err != nil && !errors.Is(err, bus.ErrExists) {
		w.Fatal(err)
	}
}

// junk stores what proves nothing about a job.
func (w *world) junk(client, id string) {
	w.Helper()
	free := jobID(1_000_000 + int(time.Now().UnixNano()%1_000_000))
	w.publish(wire.StoredResultSubject(client, free), []byte(`{"status":"done"}`), nil)
	w.publish(wire.NoticeSubject(client, "unnamed-0"), []byte("junk"), map[string][]string{wire.HeaderGateway: {"gw"}})
	w.publish(wire.RequestSubject(client, free), []byte(`{"v":9}`), nil)
	w.publish("label."+client+".key.x", []byte("{}"), nil)
	w.publish(wire.LabelSubject(client, "", free), []byte(`{"v":1,"label":"a\u0007"}`), nil)
	w.publish(wire.EntryHeadSubject(strings.Repeat("0", 32), 0), []byte(id), map[string][]string{wire.HeaderJob: {id}})
}

// answer stores a result, or a notice, signed by the fleet's gateway.
func (w *world) answer(subject string, r *wire.Result) error {
	w.Helper()
	m := w.fleet.Manifest
	hash := m.Hash()
	r.Fleet, r.Network, r.Manifest = m.Fleet, m.Network, hash[:]
	if r.Digest == nil {
		digest := w.digest(r.Client, r.Job)
		r.Digest = digest[:]
	}
	payload := r.Encode()
	sig := ed25519.Sign(w.fleet.Gateway, wire.ResultSigningInput(m, r.Client, r.Job, payload))
	_, err := w.bus.Publish(w.ctx, subject, payload, map[string][]string{
		wire.HeaderGateway: {"gw"}, wire.HeaderSignature: {hex.EncodeToString(sig)},
	})
	return err
}

func (w *world) result(r *wire.Result) {
	w.Helper()
	if err := w.answer(wire.StoredResultSubject(r.Client, r.Job), r); err != nil {
		w.Fatal(err)
	}
}

func (w *world) notice(r *wire.Result) {
	w.Helper()
	if err := w.answer(wire.NoticeSubject(r.Client, r.Job), r); err != nil {
		w.Fatal(err)
	}
}

func (w *world) note(d *Directory, r Remark) {
	w.Helper()
	if err := d.Note(w.ctx, r); err != nil {
		w.Fatal(err)
	}
}
