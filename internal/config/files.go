package config

import "github.com/frostfleet/frostfleet/internal/secret"

// connected is what the files of all programs that connect to NATS have.
type connected struct {
	Bus Bus `toml:"bus"`

	src *source
	own ownKey
}

// Path is the file's, as it was given.
func (c *connected) Path() string { return c.src.path }

// File is the configuration file itself.
func (c *connected) File() secret.File { return fileOf(c.src.path, (*Node)(nil)) }

// ownKey is the Ed25519 key of a gateway or a client. A node has none.
type ownKey struct{ setting, path string }

// CheckFiles reads the files that a Load function does.
func (c *connected) CheckFiles() error {
	s := c.src.again()
	c.files(s)
	return s.result()
}

func (c *connected) files(s *source) {
	if c.own.path != "" {
		key, err := LoadKey(c.own.path)
		clear(key)
		if err != nil {
			s.Fail(c.own.setting, "%v", err)
		}
	}
	c.Bus.Check(func(setting string, err error) { s.Fail("bus."+setting, "%v", err) })
}
