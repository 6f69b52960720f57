package launch

import (
	"context"
	"encoding/hex"
	"log/slog"
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

// policyFollower keeps a running worker's policy as its file is. A file that can't be
// read, or is gone, changes nothing, and makes the program unready.
type policyFollower struct {
	current [32]byte // hash of the policy in force
	use     func(*policy.Policy) error
	check   *gate
	log     *slog.Logger
}

// followPolicy has a worker use every new policy of its file, until the program stops. A
// node that started without one has none until it starts again.
func (p *program) followPolicy(ctx context.Context, n *config.Node, now <-chan os.Signal, w *worker.Worker, check *gate) {
	f := &policyFollower{
		current: w.PolicyHash(), check: check, log: p.Log.With("file", n.Node.Policy),
		use: func(next *policy.Policy) error {
			p.metrics.Rules(next.Rules())
			return w.SetPolicy(next)
		},
	}
	f.check.open(func() error { return nil })
	if n.Node.Policy == "" {
		return
	}
	f.log.Info("policy in force", "hash", hashText(f.current))
	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	following.Go(func() { config.FollowPolicy(ctx, n.Node.Policy, n.Network.Type, now, f.changed) })
	p.ends = append(p.ends, func() { cancel(); following.Wait() })
}

func (f *policyFollower) changed(next *policy.Policy, err error) {
	if err == nil && next.Hash() != f.current {
		if err = f.use(next); err == nil {
			f.current = next.Hash()
			f.log.Warn("policy changed", "hash", hashText(f.current))
		}
	}
	if err != nil {
		f.log.Error("policy not read; the one from before stays in force", "err", err)
		f.check.wait("the policy from before is in force: " + err.Error())
		return
	}
	f.check.open(func() error { return nil })
}

func hashText(hash [32]byte) string { return hex.EncodeToString(hash[:]) }

// reloads passes each signal to two that follow a file.
func (p *program) reloads(ctx context.Context) (a, b <-chan os.Signal) {
	to := []chan os.Signal{make(chan os.Signal, 1), make(chan os.Signal, 1)}
	ctx, cancel := context.WithCancel(ctx)
	var passing sync.WaitGroup
	passing.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case s := <-p.Reload:
				for _, one := range to {
					select {
					case one <- s:
					default: // one waits there already
					}
				}
			}
		}
	})
	p.ends = append(p.ends, func() { cancel(); passing.Wait() })
	return to[0], to[1]
}
