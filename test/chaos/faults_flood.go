package chaos

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/internal/fleet"
	core "github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// atQuota is how many single signatures a client may have open.
const atQuota = 256

// quota has another client at its quota of single signatures all the time.
func quota(b *breaking) func() {
	u := b.newUser("clients/" + flooder + "/" + fleet.ClientFile)
	b.must(u.keygen(b.t.Context(), chains[0], 1))
	var asking sync.WaitGroup
	for range atQuota {
		asking.Go(func() {
			for b.ctx.Err() == nil {
				if err := u.sign(b.ctx, chains[0], 1); err != nil {
					select { // it is busy
					case <-b.ctx.Done():
					case <-time.After(200 * time.Millisecond):
					}
				}
			}
		})
	}
	return asking.Wait
}

// Floods are bounded, or they would fill the machine that runs the test.
const (
	floodSize  = 8 << 10
	floodBytes = 192 << 20
	floodPause = time.Millisecond
)

// flood publishes junk with somebody's credentials, as fast as a server takes it.
func (b *breaking) flood(name, seed string, subject func(i int) string) func() {
	conn := b.connectAs(name, b.url(), seed).Conn()
	ctx, cancel := context.WithCancel(b.ctx)
	var flooding sync.WaitGroup
	flooding.Go(func() {
		defer cancel()
		junk, published, began := make([]byte, floodSize), 0, time.Now()
		defer func() { b.Event("the flood was %d messages in %.1f s", published, time.Since(began).Seconds()) }()
		for i := 0; ctx.Err() == nil && i < floodBytes/floodSize; i++ {
			for at := range junk {
				junk[at] = byte(b.rand.Uint32())
			}
			if err := conn.Publish(core.FleetSubject(fleettest.Name, subject(i)), junk); err != nil {
				b.Event("flood: %v", err)
				return
			}
			published++
			_ = conn.FlushWithContext(ctx)
			time.Sleep(floodPause)
		}
	})
	return func() { cancel(); flooding.Wait() }
}

// floodClient leaves 1 MB of junk after the other in BULK, all to be rejected.
func floodClient(b *breaking) func() {
	u := b.connectAs(flooder, b.url(), filepath.Join("clients", flooder, "client.nk")).Conn()
	var flooding sync.WaitGroup
	flooding.Go(func() {
		junk, stored := make([]byte, core.MaxJobSize-4<<10), 0
		defer func() { b.Event("the flood was %d jobs", stored) }()
		for i := 0; b.ctx.Err() == nil; i++ { // nothing of it is kept
			m := &nats.Msg{
				Subject: core.FleetSubject(fleettest.Name, core.SizedJobSubject(core.KindSign, flooder, len(junk))), Data: junk,
				Header: nats.Header{core.HeaderClient: {flooder}, core.HeaderSignature: {fmt.Sprintf("%0128x", i)}},
			}
			if _, err := u.Store(b.ctx, m); err == nil { // or there are too many
				stored++
			}
		}
	})
	return flooding.Wait
}

// floodWorker fills the slots of sessions and batches that do not exist.
func floodWorker(b *breaking) func() {
	i := b.Target[len(b.Target)-1:]
	kinds := []string{"sign.%s.commit.%s", "sign.%s.share.%s", "dkg.%s.deal.%s", "dkg.%s.cert.%s"}
	return b.flood("worker-"+i, filepath.Join(b.Target, "bus.nk"), func(n int) string {
		id := fmt.Sprintf("%016x%016x", b.rand.Uint64(), b.rand.Uint64())
		return fmt.Sprintf(kinds[n%len(kinds)], id, i)
	})
}

// floodGateway publishes tasks that nobody signed.
func floodGateway(b *breaking) func() {
	dir := filepath.Dir(gatewayFile(int(b.Target[len(b.Target)-1] - '0')))
	return b.flood(b.Target+"-flood", filepath.Join(dir, "bus.nk"), func(int) string {
		return fmt.Sprintf("work.interactive.%s.%s.0.0", fleettest.Client, uuid.NewString())
	})
}
