// Package fleet writes what a fleet needs besides its programs: manifest,
// access list, and configurations and keys.
//
// Init writes a whole fleet with software keys for every node: for development
// and for a first look. In production every node makes its own keys on its own
// hardware and only its card leaves the machine: Join makes a manifest of the
// cards, and Init writes the rest around it.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/frostfleet/frostfleet/internal/keyprovider/software"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/internal/worker"
)

// Options say what fleet to write.
type Options struct {
	Name          string // of the fleet
	Network       string // mainnet, testnet, signet, regtest
	N, T          int
	AttestSigning bool
	BusURL        string // of an external NATS; empty: the gateway embeds one
	BusPort       int    // of the embedded one
	ServerPorts   []int  // health and metrics: the gateway's, then the nodes'; missing: none
	Client        string // the first client's name
	// Administrators is how many may freeze; 0: one.
	Administrators int
	AllowInsecure  bool   // software keys on mainnet
	Policy         []byte // policy.toml of every node; empty: they have none

	// Cluster, if not nil, is of NATS servers to write too. It replaces BusURL.
	Cluster *Cluster

	// Manifest of nodes that have keys and configurations of their own. It
	// replaces name, network, N, T and AttestSigning, and no node is written.
	Manifest *wire.Manifest
}

// Paths inside a fleet directory.
const (
	ManifestFile = "manifest.json"
	NextFile     = "next.json" // that follows it
	AccessFile   = "access.toml"
	ClientFile   = "client.toml"
	GatewayFile  = "gateway/gateway.toml"
	TargetsFile  = "prometheus-targets.json" // for Prometheus: where the programs' metrics are

	clientKey   = "client.key"
	policyFile  = "policy.toml" // beside a node's configuration
	gatewayName = "gateway0"
)

// NodeFile is the configuration of node i.
func NodeFile(i int) string { return fmt.Sprintf("node%d/node.toml", i) }

// Init writes the directory. It touches nothing that exists, and leaves
// nothing behind if it fails.
func Init(ctx context.Context, dir string, o Options) (m *wire.Manifest, err error) {
	if m := o.Manifest; m != nil {
		o.Name, o.Network, o.N, o.T = m.Fleet, m.Network, m.N, m.T
	}
	o.Administrators = max(o.Administrators, 1)
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Cluster != nil {
		o.BusURL = o.Cluster.URL()
	}
	entries, err := os.ReadDir(dir)
	switch {
	case len(entries) > 0:
		return nil, fmt.Errorf("%s is not empty: name a new directory, keys are never overwritten", dir)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	defer func() {
		if err != nil {
			m, err = nil, errors.Join(err, discard(dir, o))
		}
	}()
	if m = o.Manifest; m == nil {
		if m, err = makeNodes(ctx, dir, o); err != nil {
			return nil, err
		}
	}
	if o.Cluster != nil {
		if err := writeCluster(dir, o); err != nil {
			return nil, err
		}
	}
	return m, writePublic(dir, o, m)
}

func makeNodes(ctx context.Context, dir string, o Options) (*wire.Manifest, error) {
	m := &wire.Manifest{
		Version: 1, Fleet: o.Name, Network: o.Network, N: o.N, T: o.T, Epoch: 1, AttestSigning: o.AttestSigning,
	}
	for i := range o.N {
		card, err := makeNode(ctx, dir, o, i)
		if err != nil {
			return nil, err
		}
		m.Nodes = append(m.Nodes, card)
	}
	if err := m.Seal(); err != nil {
		return nil, err
	}
	return m, nil
}

// check refuses what no manifest or access list would take, before there are
// files.
func (o Options) check() error {
	if o.N < 1 || o.N > wire.MaxNodes {
		return fmt.Errorf("%d nodes: use 1 to %d", o.N, wire.MaxNodes)
	}
	if o.Cluster != nil {
		if err := o.Cluster.Check(); err != nil {
			return err
		}
	}
	if o.Administrators > wire.MaxAdministrators {
		return fmt.Errorf("%d administrators: use 1 to %d", o.Administrators, wire.MaxAdministrators)
	}
	return o.client().check()
}

func (o Options) client() Party { return Party{o.Client, wire.KindNames()} }

// discard removes what a failed Init wrote into a directory that was empty:
// no key in it was ever used.
func discard(dir string, o Options) error {
	var errs []error
	for i := range o.Administrators {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, administratorName(i))))
	}
	for i := range o.N {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, filepath.Dir(NodeFile(i)))))
	}
	for _, name := range []string{
		filepath.Dir(GatewayFile), clientKey, ManifestFile, AccessFile, ClientFile, TargetsFile,
		natsDir, clientSeed, AuthorityFile, ReadmeFile,
	} {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, name)))
	}
	return errors.Join(errs...)
}

func makeNode(ctx context.Context, dir string, o Options, i int) (wire.NodeCard, error) {
	return o.makeNode(ctx, filepath.Join(dir, NodeFile(i)), i, 1, nodeConfig(o, i))
}

// Joiner is a node of the next manifest on new hardware.
type Joiner struct {
	Folder             string // in the fleet's directory
	Index, Epoch, Port int
}

// Join writes the software key and the configuration of a node that joins the fleet in a
// directory, and returns its card. The next manifest is to be NextFile there.
func (o Options) Join(ctx context.Context, dir string, j Joiner) (Card, error) {
	config := filepath.Join(dir, j.Folder, "node.toml")
	card, err := o.makeNode(ctx, config, j.Index, j.Epoch, joinerConfig(o, j))
	return Card{wire.Card{
		Version: wire.CardVersion, Fleet: o.Name, Network: o.Network, N: o.N, T: o.T, Epoch: j.Epoch, NodeCard: card,
	}, config}, err
}

// makeNode makes the software key of a node that enrolls for an epoch, and writes its
// configuration.
func (o Options) makeNode(
	ctx context.Context, config string, i, epoch int, content []byte,
) (card wire.NodeCard, err error) {
	if err := os.MkdirAll(filepath.Dir(config), 0o700); err != nil {
		return card, err
	}
	keyFile := filepath.Join(filepath.Dir(config), "key.json")
	if err := software.Generate(keyFile); err != nil {
		return card, err
	}
	provider, err := software.Open(software.Options{Path: keyFile, Network: o.Network, AllowInsecure: o.AllowInsecure})
	if err != nil {
		return card, err
	}
	defer func() { err = errors.Join(err, provider.Close()) }()
	card, err = worker.Card(ctx, provider, o.Name, epoch, i)
	if err != nil {
		return card, err
	}
	if len(o.Policy) > 0 {
		if err := writeNew(filepath.Join(filepath.Dir(config), policyFile), o.Policy); err != nil {
			return card, err
		}
	}
	return card, writeNew(config, content)
}

func writePublic(dir string, o Options, m *wire.Manifest) error {
	_, gateway, err := Party{Name: gatewayName}.NewKey(filepath.Join(dir, "gateway", "gateway.key"))
	if err != nil {
		return err
	}
	_, client, err := o.client().NewKey(filepath.Join(dir, clientKey))
	if err != nil {
		return err
	}
	administrators, err := writeAdministrators(dir, o)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name    string
		content []byte
	}{
		{AccessFile, fmt.Appendf(nil, "# Whom fleet %s obeys. Nodes, gateways and clients read this file again when it "+
			"changes.\nversion = 1\n\n%s\n%s\n%s", o.Name, gateway, client, administrators)},
		{GatewayFile, gatewayConfig(o)},
		{ClientFile, clientConfig(o)},
		{TargetsFile, o.targets()},
	} {
		if err := writeNew(filepath.Join(dir, f.name), f.content); err != nil {
			return err
		}
	}
	return WriteManifest(filepath.Join(dir, ManifestFile), m)
}

// writeNew writes a file that only its owner reads, durable when it returns.
// One that exists is an error; a folder that does not is made.
func writeNew(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}
