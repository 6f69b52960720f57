// Package demo is the main job from end to end, with real processes: a 2-of-3
// fleet on an embedded bus generates addresses in bulk and signs, every
// signature is verified by a library that did not make it, a Bitcoin
// transaction is spent, and a node is killed.
package demo

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/natsserver"
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
	taproot   []client.Key
	solana    []client.Key
}

// Run runs the demo. The report is as far as it got.
func Run(ctx context.Context, o Options) (report *Report, err error) {
	start := time.Now()
	d := &demo{Options: o}
	if d.Step == nil {
		d.Step = func(string, ...any) {}
	}
	if d.Dir == "" {
		if d.Dir, err = os.MkdirTemp("", "frostfleet-demo-"); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(d.Dir)) }()
	}
	server, err := natsserver.Start(natsserver.Config{StoreDir: filepath.Join(d.Dir, "bus"), Port: -1, SyncAlways: true})
	if err != nil {
		return nil, err
	}
	defer server.Shutdown()
	defer func() { err = errors.Join(err, d.stop()) }()
	for _, step := range []func(context.Context, *natsserver.Server) error{
		d.start, d.generate, d.signBulk, d.signSingle, d.spend, d.killOne,
	} {
		if err := step(ctx, server); err != nil {
			return &d.report, err
		}
	}
	d.report.Seconds = time.Since(start).Seconds()
	return &d.report, nil
}

// start writes a fleet directory, makes the streams and starts every program.
func (d *demo) start(ctx context.Context, server *natsserver.Server) error {
	ports, err := freePorts(nodes + 1)
	if err != nil {
		return err
	}
	d.Step("starting %d workers and a gateway, %d of %d, on an embedded NATS JetStream", nodes, threshold, nodes)
	dir := filepath.Join(d.Dir, "fleet")
	if _, err := fleet.Init(ctx, dir, fleet.Options{
		Name: "demo", Network: "regtest", N: nodes, T: threshold, AttestSigning: true,
		BusURL: server.URL(), ServerPorts: ports, Client: "demo",
	}); err != nil {
		return err
	}
	admin, err := bus.Connect(ctx, bus.Options{Fleet: "demo", Nodes: nodes, Name: "demo", Embedded: server})
	if err != nil {
		return err
	}
	if err := errors.Join(admin.Apply(ctx), admin.Close(ctx)); err != nil {
		return err
	}
	for i := range nodes {
		name, file := fmt.Sprintf("worker %d", i), filepath.Join(dir, fleet.NodeFile(i))
		if err := d.launch(name, "frost-worker", file, ports[1+i]); err != nil {
			return err
		}
	}
	if err := d.launch("gateway", "frost-gateway", filepath.Join(dir, fleet.GatewayFile), ports[0]); err != nil {
		return err
	}
	for _, p := range d.processes {
		if err := p.await(ctx); err != nil {
			return err
		}
	}
	config, err := client.Load(filepath.Join(dir, fleet.ClientFile))
	if err != nil {
		return err
	}
	config.Logger = slog.New(slog.DiscardHandler)
	d.client, err = client.New(ctx, config)
	return err
}

func (d *demo) launch(name, program, config string, port int) error {
	path, err := binary(program)
	if err != nil {
		return err
	}
	p, err := startProcess(name, path, config, port)
	if err != nil {
		return err
	}
	d.processes = append(d.processes, p)
	return nil
}

func (d *demo) stop() error {
	if d.client != nil {
		d.client.Close()
	}
	var errs []error
	for i := len(d.processes) - 1; i >= 0; i-- {
		errs = append(errs, d.processes[i].stop(stopTime))
	}
	return errors.Join(errs...)
}

// generate makes addresses on both chains. The client has checked every
// certificate and address before it returns them.
func (d *demo) generate(ctx context.Context, _ *natsserver.Server) error {
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

// sign has items signed and verifies every signature once more, here, under
// the key that the address is made from.
func (d *demo) sign(ctx context.Context, suite string, list []client.SignItem) error {
	result, err := d.client.Sign(ctx, client.SignRequest{Items: list})
	if err != nil {
		return err
	}
	d.report.Signatures += len(result.Signatures)
	for i, s := range result.Signatures {
		key := list[i].PublicKey
		if suite == client.SuiteSecp256k1TR {
			if key, err = client.TaprootOutputKey(key, nil); err != nil {
				return err
			}
		}
		if err := client.VerifySignature(suite, key, list[i].Message, s.Signature); err != nil {
			return fmt.Errorf("signature %d: %w", i, err)
		}
		d.report.SignaturesVerified++
	}
	return nil
}

func (d *demo) signBulk(ctx context.Context, _ *natsserver.Server) error {
	d.Step("signing %d messages under each suite; btcec and crypto/ed25519 verify", signCount)
	begin := time.Now()
	for _, s := range []struct {
		suite string
		keys  []client.Key
		rate  *float64
	}{
		{client.SuiteSecp256k1TR, d.taproot, &d.report.TaprootSigsPerSecond},
		{client.SuiteEd25519, d.solana, &d.report.Ed25519SigsPerSecond},
	} {
		start := time.Now()
		if err := d.sign(ctx, s.suite, items(s.keys, signCount, "bulk")); err != nil {
			return err
		}
		*s.rate = perSecond(signCount, time.Since(start))
	}
	d.report.SignaturesPerSecond = perSecond(2*signCount, time.Since(begin))
	return nil
}

func (d *demo) signSingle(ctx context.Context, _ *natsserver.Server) error {
	d.Step("signing %d messages one by one", singleCount)
	var took []time.Duration
	for _, item := range items(d.taproot, singleCount, "single") {
		start := time.Now()
		if err := d.sign(ctx, client.SuiteSecp256k1TR, []client.SignItem{item}); err != nil {
			return err
		}
		took = append(took, time.Since(start))
	}
	d.report.SingleP50, d.report.SingleP99 = percentile(took, .5), percentile(took, .99)
	return nil
}

func (d *demo) spend(ctx context.Context, _ *natsserver.Server) error {
	d.Step("spending a P2TR output of %s", d.taproot[0].Address)
	if err := spend(ctx, d.client, d.taproot[0]); err != nil {
		return fmt.Errorf("spend: %w", err)
	}
	d.report.Signatures++
	d.report.SignaturesVerified++
	d.report.SpendAccepted = true
	return nil
}

func (d *demo) killOne(ctx context.Context, _ *natsserver.Server) error {
	d.Step("killing worker 0 and signing with the two left")
	if err := d.processes[0].kill(); err != nil {
		return err
	}
	d.processes = d.processes[1:]
	if err := d.sign(ctx, client.SuiteSecp256k1TR, items(d.taproot, downCount, "down")); err != nil {
		return err
	}
	if err := d.sign(ctx, client.SuiteEd25519, items(d.solana, downCount, "down")); err != nil {
		return err
	}
	d.report.SignedWithOneNodeDown = true
	return nil
}
