package config

// Administrator is the configuration of frostctl for an administrator, who freezes and
// unfreezes.
type Administrator struct {
	Administrator AdministratorSection `toml:"administrator"`
	connected
}

// AdministratorSection is the section [administrator]. The name is that under which the
// access list has the key.
type AdministratorSection struct {
	KeyFile  string `toml:"key_file"` // path of its Ed25519 key
	Manifest string `toml:"manifest"` // manifest.json beside the file by default
	Access   string `toml:"access"`   // access.toml beside the file by default
}

// ParseAdministrator reads an administrator's file alone: the key may lie elsewhere.
func ParseAdministrator(path string) (*Administrator, error) {
	return load(path, &Administrator{connected: defaultBus}, false)
}

func (a *Administrator) check(s *source) {
	a.src = s
	section := &a.Administrator
	s.Require("administrator.key_file", section.KeyFile)
	s.Absolute(&section.KeyFile)
	s.document(&section.Manifest, "manifest.json")
	s.document(&section.Access, "access.toml")
	a.own = ownKey{"administrator.key_file", section.KeyFile}
	s.bus(&a.Bus)
	s.externalBus()
}
