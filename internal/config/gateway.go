package config

import (
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Gateway is the configuration of a gateway.
type Gateway struct {
	Network Network        `toml:"network"` // optional: the manifest has it
	Server  Server         `toml:"server"`
	Log     Log            `toml:"log"`
	Gateway GatewaySection `toml:"gateway"`
	HTTP    HTTP           `toml:"http"` // its HTTP API; none without the section
	connected

	httpOn, httpGiven bool // there is the section; GiveHTTP set it
}

// GatewaySection is the section [gateway].
type GatewaySection struct {
	Party
	AuditPath string `toml:"audit_path"` // folder of the audit log; none by default
	// CompactEntries has new keys written to the register in the form that the release before
	// this one can't read.
	CompactEntries bool `toml:"compact_entries"`
}

// Party is one that the access list names: the section of a gateway or a client.
type Party struct {
	Name     string `toml:"name"`     // as in the access list
	KeyFile  string `toml:"key_file"` // path of its Ed25519 key
	Manifest string `toml:"manifest"` // manifest.json beside the file by default
	Access   string `toml:"access"`   // access.toml beside the file by default
}

// LoadGateway reads a gateway's file, its key, and the files that its [bus]
// names.
func LoadGateway(path string) (*Gateway, error) { return load(path, newGateway(), true) }

// ParseGateway reads a gateway's file alone.
func ParseGateway(path string) (*Gateway, error) { return load(path, newGateway(), false) }

// GatewayOf is ParseGateway where the file's text is there already.
func GatewayOf(path string, text []byte) (*Gateway, error) {
	return parse(path, text, newGateway(), false)
}

func newGateway() *Gateway {
	return &Gateway{Server: defaultServer, Log: defaultLog, HTTP: defaultHTTP, connected: defaultBus}
}

// LoadManifest reads the manifest that the file names, and wants the file to agree.
func (g *Gateway) LoadManifest() (*wire.Manifest, error) {
	m, err := LoadManifest(g.Gateway.Manifest)
	if err != nil {
		return nil, err
	}
	s := g.src.again()
	if g.Network.Type != "" {
		s.network(g.Network.Type, m)
	}
	return m, s.result()
}

// document makes a path absolute, and gives it its default.
func (s *source) document(path *string, standard string) {
	if *path == "" {
		*path = standard
	}
	s.Absolute(path)
}

// network compares a file's with its manifest's.
func (s *source) network(network string, m *wire.Manifest) {
	if network != m.Network {
		s.Fail("network.type", "is %q, and the manifest has network %.64q", network, m.Network)
	}
}

func (g *Gateway) check(s *source) {
	g.src = s
	if s.Has("network.type") {
		s.OneOf("network.type", g.Network.Type, networks...)
	}
	s.server(&g.Server, "gateway")
	g.Log.check(s)
	g.own = g.Gateway.check(s, "gateway")
	if s.Has("gateway.audit_path") {
		s.Require("gateway.audit_path", g.Gateway.AuditPath)
		s.Absolute(&g.Gateway.AuditPath)
	}
	s.bus(&g.Bus)
	s.embeddedBus(&g.Bus)
	if g.httpOn = s.hasTable("http"); g.httpOn {
		g.HTTP.check(s)
	}
}

func (g *Gateway) files(s *source) {
	g.connected.files(s)
	g.HTTP.files(s)
}

// CheckFiles reads the files that a Load function does.
func (g *Gateway) CheckFiles() error {
	s := g.src.again()
	g.files(s)
	return s.result()
}

// check checks the section of that name, and gives manifest and access list their
// defaults.
func (p *Party) check(s *source, section string) ownKey {
	s.token(section+".name", p.Name)
	s.Require(section+".key_file", p.KeyFile)
	s.Absolute(&p.KeyFile)
	s.document(&p.Manifest, "manifest.json")
	s.document(&p.Access, "access.toml")
	return ownKey{section + ".key_file", p.KeyFile}
}
