package launch

import (
	"context"
	"encoding/hex"
	"os"
	"sync"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/worker"
)

// loadPolicy reads the policy that a node's file names; nil if it names none.
func loadPolicy(n *config.Node) (*policy.Policy, error) {
	if n.Node.Policy == "" {
		return nil, nil
	}
	return config.LoadPolicy(n.Node.Policy, n.Network.Type)
}

// followPolicy has a worker use every new policy of its file, until the program stops. A
// file that can't be read changes nothing, and makes the program unready.
func (p *program) followPolicy(ctx context.Context, n *config.Node, now <-chan os.Signal, w *worker.Worker, check *gate) {
	check.open(func() error { return nil })
	if n.Node.Policy == "" {
		return
	}
	log := p.Log.With("file", n.Node.Policy)
	use := func(next *policy.Policy, err error) {
		if err == nil && next.Hash() != w.PolicyHash() {
			log.Warn("policy changed", "hash", hashText(next.Hash()))
			err = w.SetPolicy(next)
		}
		if err != nil {
			log.Error("policy not read; the one from before stays in force", "err", err)
			check.wait("the policy from before is in force: " + err.Error())
			return
		}
		check.open(func() error { return nil })
	}
	log.Info("policy in force", "hash", hashText(w.PolicyHash()))
	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	following.Go(func() { config.FollowPolicy(ctx, n.Node.Policy, n.Network.Type, now, use) })
	p.ends = append(p.ends, func() { cancel(); following.Wait() })
}

// reloads gives each signal to two that follow a file.
func (p *program) reloads(ctx context.Context) (a, b <-chan os.Signal) {
	one, two := make(chan os.Signal, 1), make(chan os.Signal, 1)
	ctx, cancel := context.WithCancel(ctx)
	var passing sync.WaitGroup
	passing.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case s := <-p.Reload:
				for _, to := range []chan os.Signal{one, two} {
					select {
					case to <- s:
					default: // one is waiting there
					}
				}
			}
		}
	})
	p.ends = append(p.ends, func() { cancel(); passing.Wait() })
	return one, two
}

func hashText(hash [32]byte) string { return hex.EncodeToString(hash[:]) }
