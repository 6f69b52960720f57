package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/loadgen"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// keygen is frostctl bench keygen.
func (b *benchmark) keygen() []loadgen.Load {
	return b.one("keygen", b.keygenLoad(b.rate > 0))
}

// sign is frostctl bench sign.
func (b *benchmark) sign() []loadgen.Load {
	return b.one("sign", b.signLoad(b.rate > 0, b.batch))
}

// one is a load as the flags say.
func (b *benchmark) one(name string, l loadgen.Load) []loadgen.Load {
	l.Name, l.Rate, l.Workers, l.Duration, l.Count = name, b.rate, b.workers, b.duration, b.count
	return []loadgen.Load{l}
}

// mixed is frostctl bench mixed.
func (b *benchmark) mixed() []loadgen.Load {
	single := b.signLoad(true, 1)
	single.Name, single.Rate, single.Duration = "single signatures", b.rate, b.duration
	bulk := b.signLoad(false, b.batch)
	if b.bulk == "keygen" {
		bulk = b.keygenLoad(false)
	}
	bulk.Name, bulk.Workers, bulk.Duration = "bulk "+b.bulk, b.workers, b.duration
	return []loadgen.Load{single, bulk}
}

// measure puts loads on at the same time. Progress is the first one's. A load
// that check let through has a report, however it ends.
func (b *benchmark) measure(loads []loadgen.Load) ([]*loadgen.Report, error) {
	reports := make([]*loadgen.Report, len(loads))
	bar := newLoadProgress(b.cmd, &loads[0])
	defer bar.finish()
	var running errgroup.Group
	for i, l := range loads {
		running.Go(func() (err error) {
			reports[i], err = loadgen.Run(b.cmd.Context(), l)
			return err
		})
	}
	return reports, running.Wait()
}

// newLoadProgress shows how many jobs ended of how many or, where that is not
// known, how many seconds have gone.
func newLoadProgress(cmd *cobra.Command, l *loadgen.Load) *progress {
	what, total := "jobs", l.Count
	done := func(s loadgen.Snapshot) int { return s.Done + s.Failed + s.Busy }
	switch {
	case total == 0 && l.Rate > 0:
		total = int(l.Rate * l.Duration.Seconds())
	case total == 0:
		what, total = "seconds", int(l.Duration.Seconds())
		done = func(s loadgen.Snapshot) int { return int(s.Elapsed.Seconds()) }
	}
	bar, shown := newProgress(cmd, what, total), 0
	l.Progress = func(s loadgen.Snapshot) {
		if n := min(done(s), total); n != shown {
			shown = n
			bar.update(n, total)
		}
	}
	return bar
}

// ask has one job done. In an open loop the fleet may turn it away: the next one
// that is due does not wait for that. In a closed loop the client waits until there
// is room.
func ask[Q, R any](ctx context.Context, open bool, request Q,
	submit func(context.Context, Q) (*client.Handle[R], error), patient func(context.Context, Q) (*R, error)) (*R, error) {
	if !open {
		return patient(ctx, request)
	}
	h, err := submit(ctx, request)
	if err != nil {
		return nil, err
	}
	return h.Wait(ctx)
}

// load is one job after the other. Each is bounded at both ends: here, and by its
// expiry at the fleet, so that jobs which are no longer awaited do not go on there.
func (b *benchmark) load(unit string, do func(ctx context.Context, i int, end time.Time) (int, error)) loadgen.Load {
	return loadgen.Load{Unit: unit, Busy: is[*client.BusyError], Do: func(ctx context.Context, i int) (int, error) {
		expires := time.Now().Add(b.timeout)
		ctx, cancel := context.WithDeadline(ctx, expires)
		defer cancel()
		return do(ctx, i, expires)
	}}
}

func (b *benchmark) keygenLoad(open bool) loadgen.Load {
	note(b.cmd, "KEYS keeps for ever what this generates")
	return b.load("keys", func(ctx context.Context, _ int, expires time.Time) (int, error) {
		request := client.KeygenRequest{Chain: b.chain, Count: b.batch, Expires: expires}
		got, err := ask(ctx, open, request, b.c.SubmitKeygen, b.c.Keygen)
		if got == nil {
			return 0, err
		}
		return len(got.Keys), err
	})
}

// signLoad is of sign jobs. A job makes all of its signatures, or none.
func (b *benchmark) signLoad(open bool, batch int) loadgen.Load {
	return b.load("signatures", func(ctx context.Context, i int, expires time.Time) (int, error) {
		request := client.SignRequest{Items: b.items(i, batch), Expires: expires}
		if _, err := ask(ctx, open, request, b.c.SubmitSign, b.c.Sign); err != nil {
			return 0, err
		}
		return batch, nil
	})
}

// items are what job i signs: messages that no other job has, under keys in a
// row from anywhere among those there are.
func (b *benchmark) items(i, batch int) []client.SignItem {
	items := make([]client.SignItem, batch)
	first := mathrand.IntN(len(b.signers)) // no secret
	for j := range items {
		key := b.signers[(first+j)%len(b.signers)]
		items[j] = client.SignItem{Key: key.ID, PublicKey: key.PublicKey, Message: b.message(i, j)}
	}
	return items
}

// message can't be mistaken for a transaction: for bitcoin it is the hash of a
// text, for solana it is that text.
func (b *benchmark) message(i, j int) []byte {
	text := fmt.Appendf(nil, "frostctl bench %s %d %d", b.salt, i, j)
	if suite, _ := wire.ChainSuite(b.chain); suite == frost.Ed25519 {
		return text
	}
	hash := sha256.Sum256(text)
	return hash[:]
}

// findKeys reads the keys to sign with, or has them generated.
func (b *benchmark) findKeys() error {
	b.salt = rand.Text()
	if b.keys != "" {
		return b.readKeys()
	}
	note(b.cmd, "generating %d keys to sign with; KEYS keeps them for ever", b.keyCount)
	ctx, cancel := context.WithTimeout(b.cmd.Context(), wire.MaxJobLife/2)
	defer cancel()
	got, err := b.c.Keygen(ctx, client.KeygenRequest{Chain: b.chain, Count: b.keyCount})
	if err != nil {
		return fmt.Errorf("generating keys to sign with: %w", err)
	}
	b.signers = got.Keys
	return nil
}

func (b *benchmark) readKeys() error {
	if err := readProofs(b.cmd, b.keys, b.c.Manifest(), func(_ client.Proof, keys []client.Key) error {
		for _, k := range keys {
			if k.Chain == b.chain {
				b.signers = append(b.signers, k)
			}
		}
		return nil
	}); err != nil {
		return err
	}
	if len(b.signers) == 0 {
		return fmt.Errorf("--keys %s: there are no %s keys in it: frostctl keygen --chain %s --out %s makes some",
			b.keys, b.chain, b.chain, b.keys)
	}
	return nil
}
