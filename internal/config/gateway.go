package config

// Gateway is the configuration of a gateway.
type Gateway struct {
	Network Network        `toml:"network"` // optional: the manifest has it
	Server  Server         `toml:"server"`
	Gateway GatewaySection `toml:"gateway"`
	Bus     Bus            `toml:"bus"`
}

// GatewaySection is the section [gateway].
type GatewaySection struct {
	Name     string `toml:"name"`     // as in the access list
	KeyFile  string `toml:"key_file"` // path of its Ed25519 key
	Manifest string `toml:"manifest"` // manifest.json beside the file by default
	Access   string `toml:"access"`   // access.toml beside the file by default
}

// LoadGateway reads a gateway's file.
func LoadGateway(path string) (*Gateway, error) {
	g := new(Gateway)
	if err := load(path, g, g.check); err != nil {
		return nil, err
	}
	return g, nil
}

func (g *Gateway) check(s *source) {
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

// Client is the configuration of a client such as frostctl.
type Client struct {
	Client ClientSection `toml:"client"`
	Bus    Bus           `toml:"bus"`
}

// ClientSection is the section [client].
type ClientSection struct {
	Fleet    string `toml:"fleet"`    // optional: the manifest has it, and must agree
	Name     string `toml:"name"`     // as in the access list
	KeyFile  string `toml:"key_file"` // path of its Ed25519 key
	Manifest string `toml:"manifest"` // manifest.json beside the file by default
	Access   string `toml:"access"`   // access.toml beside the file by default
}

// LoadClient reads a client's file.
func LoadClient(path string) (*Client, error) {
	c := new(Client)
	if err := load(path, c, c.check); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Client) check(s *source) {
	if s.has("client.fleet") {
		s.token("client.fleet", c.Client.Fleet)
	}
	s.token("client.name", c.Client.Name)
	s.require("client.key_file", c.Client.KeyFile)
	s.documents(&c.Client.KeyFile, &c.Client.Manifest, &c.Client.Access)
	s.bus(&c.Bus)
	s.externalBus()
}
