package config

// Client is the configuration of a client such as frostctl.
type Client struct {
	Client ClientSection `toml:"client"`
	HTTP   ClientHTTP    `toml:"http"`
	connected
}

// ClientSection is the section [client].
type ClientSection struct {
	Fleet   string  `toml:"fleet"`   // optional: the manifest has it, and must agree
	Recheck float64 `toml:"recheck"` // share of signatures that a library checks as well; 0.01 by default
	Party
}

// LoadClient reads a client's file, its key, and the files that its [bus]
// names.
func LoadClient(path string) (*Client, error) {
	return load(path, &Client{connected: defaultBus}, true)
}

// ParseClient reads a client's file alone.
func ParseClient(path string) (*Client, error) {
	return load(path, &Client{connected: defaultBus}, false)
}

func (c *Client) check(s *source) {
	c.src = s
	if s.Has("client.fleet") {
		s.token("client.fleet", c.Client.Fleet)
	}
	if share := c.Client.Recheck; s.Has("client.recheck") && !(share > 0 && share <= 1) { // nor NaN
		s.Fail("client.recheck", "is %v: use a share above 0, up to 1", share)
	}
	c.own = c.Client.check(s, "client")
	s.bus(&c.Bus)
	s.externalBus()
	c.HTTP.check(s)
}
