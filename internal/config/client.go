package config

// Client is the configuration of a client such as frostctl.
type Client struct {
	Client ClientSection `toml:"client"`
	Bus    Bus           `toml:"bus"`

	src *source
}

// ClientSection is the section [client].
type ClientSection struct {
	Fleet    string `toml:"fleet"`    // optional: the manifest has it, and must agree
	Name     string `toml:"name"`     // as in the access list
	KeyFile  string `toml:"key_file"` // path of its Ed25519 key
	Manifest string `toml:"manifest"` // manifest.json beside the file by default
	Access   string `toml:"access"`   // access.toml beside the file by default
}

// LoadClient reads a client's file, its key, and the files that its [bus]
// names.
func LoadClient(path string) (*Client, error) { return load(path, new(Client), true) }

// ParseClient reads a client's file alone.
func ParseClient(path string) (*Client, error) { return load(path, new(Client), false) }

// CheckFiles reads the files that LoadClient does.
func (c *Client) CheckFiles() error {
	s := c.src.again()
	c.files(s)
	return s.result()
}

func (c *Client) files(s *source) {
	s.file("client.key_file", c.Client.KeyFile, keyFile)
	s.busFiles(&c.Bus)
}

func (c *Client) check(s *source) {
	c.src = s
	if s.has("client.fleet") {
		s.token("client.fleet", c.Client.Fleet)
	}
	s.token("client.name", c.Client.Name)
	s.require("client.key_file", c.Client.KeyFile)
	s.documents(&c.Client.KeyFile, &c.Client.Manifest, &c.Client.Access)
	s.bus(&c.Bus)
	s.externalBus()
}
