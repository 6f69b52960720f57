// Package demo is the main job from end to end, with real processes: a 2-of-3
// fleet on an embedded bus generates addresses in bulk and signs, every
// signature is verified by a library that did not make it, a Bitcoin
// transaction is spent, addresses are derived from one key and signed for, nodes read
// transactions and one of them is denied by their policy, a node is killed, and another one
// takes its place.
package demo

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/loadgen"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What the demo does.
const (
	taprootCount = 1000
	solanaCount  = 200
	signCount    = 100 // under each suite
	singleCount  = 100
	downCount    = 10 // under each suite, with a node killed
	nodes        = 3
	threshold    = 2
	network      = "regtest"
	stopTime     = 20 * time.Second // that a program may take to drain
)

// Options of a run.
type Options struct {
	Dir  string                           // of the fleet; empty: a temporary one, removed at the end
	Step func(format string, args ...any) // called with each step as it begins
}

// demo is one run.
type demo struct {
	Options
	report    Report
	processes []*process
	client    *client.Client
	treasury  *client.Client // whose transactions the nodes' policy judges
	fleet     fleet.Options
	busURL    string
	taproot   []client.Key
	solana    []client.Key
}

// Run runs the demo. The report is as far as it got.
func Run(ctx context.Context, o Options) (report *Report, err error) {
	start := time.Now()
	d := &demo{Options: o}
	if d.Dir == "" {
		if d.Dir, err = os.MkdirTemp("", "frostfleet-demo-"); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(d.Dir)) }()
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	for _, step := range []func(context.Context) error{
		d.start, d.generate, d.signBulk, d.signSingle, d.spend, d.children, d.transactions, d.killOne, d.replace,
	} {
		if err := step(ctx); err != nil {
			return &d.report, err
		}
	}
	d.report.Seconds = time.Since(start).Seconds()
	return &d.report, nil
}

// start writes a fleet directory and starts every program: the gateway, which
// embeds the bus, first.
func (d *demo) start(ctx context.Context) error {
	ports, err := freePorts(1 + nodes + 1)
	if err != nil {
		return err
	}
	d.Step("starting %d workers and a gateway, %d of %d, on an embedded NATS JetStream", nodes, threshold, nodes)
	dir := filepath.Join(d.Dir, "fleet")
	d.busURL = fmt.Sprintf("nats://127.0.0.1:%d", ports[1+nodes])
	d.fleet = fleet.Options{
		Name: "demo", Network: network, N: nodes, T: threshold, AttestSigning: true, Policy: []byte(rules),
		ServerPorts: ports[:1+nodes], BusPort: ports[1+nodes], Client: "demo",
	}
	if _, err := fleet.Init(ctx, dir, d.fleet); err != nil {
		return err
	}
	treasury, err := addTreasury(dir)
	if err != nil {
		return err
	}
	for i, port := range ports[:1+nodes] {
		name, program, file := "gateway", "frost-gateway", fleet.GatewayFile
		if i > 0 {
			name, program, file = fmt.Sprintf("worker %d", i-1), "frost-worker", fleet.NodeFile(i-1)
		}
		p, err := startProcess(name, program, filepath.Join(dir, file), port, stopTime)
		if err != nil {
			return err
		}
		d.processes = append(d.processes, p)
		if err := p.await(ctx); err != nil {
			return err
		}
	}
	config, err := client.Load(filepath.Join(dir, fleet.ClientFile))
	if err != nil {
		return err
	}
	config.Recheck = 1
	if d.client, err = client.New(ctx, config); err != nil {
		return err
	}
	config.Name, config.Key = treasuryName, treasury
	d.treasury, err = client.New(ctx, config)
	return err
}

// stop ends the programs, the gateway with its bus last.
func (d *demo) stop() error {
	for _, c := range []*client.Client{d.client, d.treasury} {
		if c != nil {
			c.Close()
		}
	}
	var errs []error
	for _, p := range slices.Backward(d.processes) {
		errs = append(errs, p.stop())
	}
	return errors.Join(errs...)
}

// generate makes addresses on both chains. The client has checked every
// certificate and address before it returns them.
func (d *demo) generate(ctx context.Context) error {
	d.Step("generating %d Taproot and %d Solana addresses", taprootCount, solanaCount)
	begin := time.Now()
	for _, c := range []struct {
		chain string
		count int
		keys  *[]client.Key
		rate  *float64
	}{
		{wire.Bitcoin, taprootCount, &d.taproot, &d.report.TaprootPerSecond},
		{wire.Solana, solanaCount, &d.solana, &d.report.SolanaPerSecond},
	} {
		start := time.Now()
		result, err := d.client.Keygen(ctx, client.KeygenRequest{Chain: c.chain, Count: c.count})
		if err != nil {
			return err
		}
		*c.keys, *c.rate = result.Keys, perSecond(len(result.Keys), time.Since(start))
		d.report.Addresses += len(result.Keys)
	}
	d.report.AddressesPerSecond = perSecond(d.report.Addresses, time.Since(begin))
	d.Step("  %s", d.taproot[0].Address)
	d.Step("  %s", d.solana[0].Address)
	return nil
}

// items are messages to sign, each under another key.
func items(keys []client.Key, count int, what string) []client.SignItem {
	list := make([]client.SignItem, count)
	for i := range list {
		message := sha256.Sum256(fmt.Appendf(nil, "%s %d", what, i))
		list[i] = client.SignItem{Key: keys[i%len(keys)].ID, PublicKey: keys[i%len(keys)].PublicKey, Message: message[:]}
	}
	return list
}

// sign has items signed. The client returns signatures that verify under the key that the
// address is made from, and nothing else; btcec or crypto/ed25519 has verified all of them,
// too.
func (d *demo) sign(ctx context.Context, list []client.SignItem) error {
	result, err := d.client.Sign(ctx, client.SignRequest{Items: list})
	if err != nil {
		return err
	}
	d.report.Signatures += len(list)
	d.report.SignaturesVerified += result.Rechecked
	return nil
}

func (d *demo) signBulk(ctx context.Context) error {
	d.Step("signing %d messages under each suite; btcec and crypto/ed25519 verify", signCount)
	begin := time.Now()
	for _, s := range []struct {
		keys []client.Key
		rate *float64
	}{
		{d.taproot, &d.report.TaprootSigsPerSecond},
		{d.solana, &d.report.Ed25519SigsPerSecond},
	} {
		start := time.Now()
		if err := d.sign(ctx, items(s.keys, signCount, "bulk")); err != nil {
			return err
		}
		*s.rate = perSecond(signCount, time.Since(start))
	}
	d.report.SignaturesPerSecond = perSecond(2*signCount, time.Since(begin))
	return nil
}

func (d *demo) signSingle(ctx context.Context) error {
	d.Step("signing %d messages one by one", singleCount)
	list := items(d.taproot, singleCount, "single")
	load, err := loadgen.Run(ctx, loadgen.Load{Count: singleCount, Do: func(ctx context.Context, i int) (int, error) {
		return 1, d.sign(ctx, list[i:i+1])
	}})
	if err = errors.Join(err, load.FirstError); err != nil {
		return err
	}
	d.report.SingleP50, d.report.SingleP99 = load.Latency.P50, load.Latency.P99
	return nil
}

func (d *demo) spend(ctx context.Context) error {
	key := d.taproot[0]
	d.Step("spending a P2TR output of %s", key.Address)
	if err := spend(ctx, d.client, key.Address, client.SignItem{Key: key.ID, PublicKey: key.PublicKey}); err != nil {
		return fmt.Errorf("spend: %w", err)
	}
	d.report.Signatures++
	d.report.SignaturesVerified++
	d.report.SpendAccepted = true
	return nil
}

// killWorker kills the first worker that is left: the gateway is before it.
func (d *demo) killWorker() error {
	if err := d.processes[1].kill(); err != nil {
		return err
	}
	d.processes = slices.Delete(d.processes, 1, 2)
	return nil
}

func (d *demo) killOne(ctx context.Context) error {
	d.Step("killing worker 0 and signing with the two left")
	if err := d.killWorker(); err != nil {
		return err
	}
	for _, keys := range [][]client.Key{d.taproot, d.solana} {
		if err := d.sign(ctx, items(keys, downCount, "down")); err != nil {
			return err
		}
	}
	d.report.SignedWithOneNodeDown = true
	return nil
}
