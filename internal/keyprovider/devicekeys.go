package keyprovider

import "strings"

// DeviceKey is one of the keys that a section names, for the person who is to destroy it.
type DeviceKey struct {
	Use     string `json:"use"`     // identity, derivation, or both where one file has them
	Name    string `json:"name"`    // as people find it
	Destroy string `json:"destroy"` // command of the back end; a shell runs it
}

// Uses of keys.
const (
	UseIdentity   = "identity"
	UseDerivation = "derivation"
	UseBoth       = "identity and derivation"
)

// ShellWord quotes a word for a shell.
func ShellWord(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
