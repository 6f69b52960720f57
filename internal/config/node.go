package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Node is the configuration of a worker.
type Node struct {
	Network Network     `toml:"network"`
	Server  Server      `toml:"server"`
	Log     Log         `toml:"log"`
	Node    NodeSection `toml:"node"`
	Exit    Exit        `toml:"exit"`
	connected

	backends []keyprovider.Backend
}

// NodeSection is the section [node].
type NodeSection struct {
	Index       int         `toml:"index"`        // of this node, from 0
	StoragePath string      `toml:"storage_path"` // folder of the keystore
	MaxSigners  int         `toml:"max_signers"`  // n of the manifest
	MinSigners  int         `toml:"min_signers"`  // t of the manifest
	Manifest    string      `toml:"manifest"`     // <storage_path>/manifest.json by default
	Access      string      `toml:"access"`       // <storage_path>/access.toml by default
	Policy      string      `toml:"policy"`       // what this node signs; none by default: whatever clients ask for
	KeyProvider KeyProvider `toml:"key_provider"`
}

// LoadNode reads a node's file, whose key provider is one of the back ends, and
// the files that its [bus] names.
func LoadNode(path string, backends []keyprovider.Backend) (*Node, error) {
	return load(path, newNode(backends), true)
}

// ParseNode reads a node's file alone, for commands that do not connect.
func ParseNode(path string, backends []keyprovider.Backend) (*Node, error) {
	return load(path, newNode(backends), false)
}

// NodeOf is ParseNode where the file's text is there already.
func NodeOf(path string, text []byte, backends []keyprovider.Backend) (*Node, error) {
	return parse(path, text, newNode(backends), false)
}

func newNode(backends []keyprovider.Backend) *Node {
	return &Node{Server: defaultServer, Log: defaultLog, connected: defaultBus, backends: backends}
}

// Provider is what the node's back end knows of it. It is enrolled once it has a
// manifest, valid or not.
func (n *Node) Provider() keyprovider.Node {
	_, err := os.Stat(n.Node.Manifest)
	return keyprovider.Node{
		Index: n.Node.Index, Network: n.Network.Type, Storage: n.Node.StoragePath, File: n.src.path,
		Enrolled: !errors.Is(err, fs.ErrNotExist),
	}
}

func (n *Node) check(s *source) {
	n.src = s
	node := &n.Node
	s.OneOf("network.type", n.Network.Type, networks...)
	s.server(&n.Server, "node")
	n.Log.check(s)
	s.Between("node.max_signers", node.MaxSigners, 1, frost.MaxNodes)
	s.Between("node.min_signers", node.MinSigners, 1, frost.MaxNodes)
	s.Between("node.index", node.Index, 0, frost.MaxNodes-1)
	if node.MaxSigners >= 1 && node.MinSigners > node.MaxSigners {
		s.Fail("node.min_signers", "is %d, more than node.max_signers = %d", node.MinSigners, node.MaxSigners)
	}
	if node.MaxSigners >= 1 && node.Index >= node.MaxSigners {
		s.Fail("node.index", "is %d: with node.max_signers = %d, indices are 0 to %d",
			node.Index, node.MaxSigners, node.MaxSigners-1)
	}
	s.Require("node.storage_path", node.StoragePath)
	s.Absolute(&node.StoragePath)
	s.document(&node.Manifest, filepath.Join(node.StoragePath, "manifest.json"))
	s.document(&node.Access, filepath.Join(node.StoragePath, "access.toml"))
	if s.Has("node.policy") {
		s.Require("node.policy", node.Policy)
	}
	s.Absolute(&node.Policy)
	node.KeyProvider.check(s, n.Provider(), n.backends)
	n.Exit.check(s)
	s.bus(&n.Bus)
	s.externalBus()
}

// CheckFiles reads the files that LoadNode does.
func (n *Node) CheckFiles() error {
	s := n.src.again()
	n.files(s)
	return s.result()
}

func (n *Node) files(s *source) {
	n.connected.files(s)
	if n.Node.Policy == "" {
		return
	}
	_, err := LoadPolicy(n.Node.Policy, n.Network.Type)
	var wrong Errors
	switch {
	case errors.As(err, &wrong): // of another file than s
		s.errors = append(s.errors, wrong...)
	case err != nil:
		s.Fail("node.policy", "%v", err)
	}
}

// LoadManifest reads the manifest that the file names, and compares the two. Every
// disagreement is named with its line and both values. A node that disagrees must
// not start.
func (n *Node) LoadManifest() (*wire.Manifest, error) {
	m, err := LoadManifest(n.Node.Manifest)
	if err != nil {
		return nil, err
	}
	return m, n.checkManifest(m)
}

func (n *Node) checkManifest(m *wire.Manifest) error {
	s := n.src.again()
	s.network(n.Network.Type, m)
	if n.Node.MaxSigners != m.N {
		s.Fail("node.max_signers", "is %d, and the manifest has n = %d", n.Node.MaxSigners, m.N)
	}
	if n.Node.MinSigners != m.T {
		s.Fail("node.min_signers", "is %d, and the manifest has t = %d", n.Node.MinSigners, m.T)
	}
	if n.Node.Index >= len(m.Nodes) {
		s.Fail("node.index", "is %d, and the manifest lists %d nodes, from 0", n.Node.Index, len(m.Nodes))
	}
	return s.result()
}
