package config

// Gateway is the configuration of a gateway.
type Gateway struct {
	Network Network        `toml:"network"` // optional: the manifest has it
	Server  Server         `toml:"server"`
	Gateway GatewaySection `toml:"gateway"`
	Bus     Bus            `toml:"bus"`

	src *source
}

// GatewaySection is the section [gateway].
type GatewaySection struct {
	Name     string `toml:"name"`     // as in the access list
	KeyFile  string `toml:"key_file"` // path of its Ed25519 key
	Manifest string `toml:"manifest"` // manifest.json beside the file by default
	Access   string `toml:"access"`   // access.toml beside the file by default
}

// LoadGateway reads a gateway's file, its key, and the files that its [bus]
// names.
func LoadGateway(path string) (*Gateway, error) { return load(path, new(Gateway), true) }

// ParseGateway reads a gateway's file alone.
func ParseGateway(path string) (*Gateway, error) { return load(path, new(Gateway), false) }

// CheckFiles reads the files that LoadGateway does.
func (g *Gateway) CheckFiles() error {
	s := g.src.again()
	g.files(s)
	return s.result()
}

func (g *Gateway) files(s *source) {
	s.file("gateway.key_file", g.Gateway.KeyFile, keyFile)
	s.busFiles(&g.Bus)
}

func (g *Gateway) check(s *source) {
	g.src = s
	if s.has("network.type") {
		s.oneOf("network.type", g.Network.Type, networks)
	}
	s.server(&g.Server, "gateway")
	s.token("gateway.name", g.Gateway.Name)
	s.require("gateway.key_file", g.Gateway.KeyFile)
	s.documents(&g.Gateway.KeyFile, &g.Gateway.Manifest, &g.Gateway.Access)
	s.bus(&g.Bus)
	s.embeddedBus(&g.Bus)
}

// documents gives manifest and access list their defaults.
func (s *source) documents(keyFile, manifest, access *string) {
	if *manifest == "" {
		*manifest = "manifest.json"
	}
	if *access == "" {
		*access = "access.toml"
	}
	for _, path := range []*string{keyFile, manifest, access} {
		s.absolute(path)
	}
}
