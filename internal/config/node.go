package config

import (
	"path/filepath"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// Node is the configuration of a worker.
type Node struct {
	Network Network     `toml:"network"`
	Server  Server      `toml:"server"`
	Node    NodeSection `toml:"node"`
	Bus     Bus         `toml:"bus"`

	backends []keyprovider.Backend
	src      *source
}

// NodeSection is the section [node].
type NodeSection struct {
	Index       int         `toml:"index"`        // of this node, from 0
	StoragePath string      `toml:"storage_path"` // folder of the keystore
	MaxSigners  int         `toml:"max_signers"`  // n of the manifest
	MinSigners  int         `toml:"min_signers"`  // t of the manifest
	Manifest    string      `toml:"manifest"`     // <storage_path>/manifest.json by default
	Access      string      `toml:"access"`       // <storage_path>/access.toml by default
	KeyProvider KeyProvider `toml:"key_provider"`
}

// LoadNode reads a node's file, whose key provider is one of the back ends, and
// the files that its [bus] names.
func LoadNode(path string, backends []keyprovider.Backend) (*Node, error) {
	return load(path, &Node{backends: backends}, true)
}

// ParseNode reads a node's file alone, for commands that do not connect.
func ParseNode(path string, backends []keyprovider.Backend) (*Node, error) {
	return load(path, &Node{backends: backends}, false)
}

// Provider is what the node's back end knows of it. Whether it has enrolled is
// not in the file.
func (n *Node) Provider() keyprovider.Node {
	return keyprovider.Node{
		Index: n.Node.Index, Network: n.Network.Type, Storage: n.Node.StoragePath, File: n.src.path,
	}
}

// CheckFiles reads the files that [bus] names, as LoadNode does.
func (n *Node) CheckFiles() error {
	s := n.src.again()
	n.files(s)
	return s.result()
}

func (n *Node) files(s *source) { s.busFiles(&n.Bus) }

// Path is the file's, as it was given.
func (n *Node) Path() string { return n.src.path }

func (n *Node) check(s *source) {
	n.src = s
	node := &n.Node
	s.oneOf("network.type", n.Network.Type, networks)
	s.server(&n.Server, "node")
	s.between("node.max_signers", node.MaxSigners, 1, frost.MaxNodes)
	s.between("node.min_signers", node.MinSigners, 1, frost.MaxNodes)
	s.between("node.index", node.Index, 0, frost.MaxNodes-1)
	if node.MaxSigners >= 1 && node.MinSigners > node.MaxSigners {
		s.fail("node.min_signers", "is %d, more than node.max_signers = %d", node.MinSigners, node.MaxSigners)
	}
	if node.MaxSigners >= 1 && node.Index >= node.MaxSigners {
		s.fail("node.index", "is %d: with node.max_signers = %d, indices are 0 to %d",
			node.Index, node.MaxSigners, node.MaxSigners-1)
	}
	s.require("node.storage_path", node.StoragePath)
	s.absolute(&node.StoragePath)
	if node.Manifest == "" {
		node.Manifest = filepath.Join(node.StoragePath, "manifest.json")
	}
	if node.Access == "" {
		node.Access = filepath.Join(node.StoragePath, "access.toml")
	}
	s.absolute(&node.Manifest)
	s.absolute(&node.Access)
	node.KeyProvider.check(s, n.Provider(), n.backends)
	s.bus(&n.Bus)
	s.externalBus()
}

// CheckManifest compares the file with the manifest that it names: n, t and
// network as the manifest says, nodes the number of nodes that it lists. Every
// disagreement is named with its line and both values. A node that disagrees
// must not start.
func (n *Node) CheckManifest(manifestN, manifestT int, network string, nodes int) error {
	var found Errors
	add := func(key, format string, args ...any) {
		s := n.src.again()
		s.fail(key, format, args...)
		found = append(found, s.errors...)
	}
	if n.Network.Type != network {
		add("network.type", "is %q, and the manifest has network %.64q", n.Network.Type, network)
	}
	if n.Node.MaxSigners != manifestN {
		add("node.max_signers", "is %d, and the manifest has n = %d", n.Node.MaxSigners, manifestN)
	}
	if n.Node.MinSigners != manifestT {
		add("node.min_signers", "is %d, and the manifest has t = %d", n.Node.MinSigners, manifestT)
	}
	if n.Node.Index >= nodes {
		add("node.index", "is %d, and the manifest lists %d nodes, from 0", n.Node.Index, nodes)
	}
	if manifestN != nodes {
		add("node.manifest", "the manifest has n = %d and lists %d nodes", manifestN, nodes)
	}
	if len(found) == 0 {
		return nil
	}
	return found.sorted()
}
