package backends

import (
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/awskms"
	"github.com/frostfleet/frostfleet/internal/keyprovider/pkcs11"
	"github.com/frostfleet/frostfleet/internal/keyprovider/software"
)

// Each back end names a node's keys, with a command that destroys that one and no other.
func TestDeviceKeys(t *testing.T) {
	t.Parallel()
	node := keyprovider.Node{Storage: "/data"}
	slot := uint(3)
	for name, test := range map[string]struct {
		section keyprovider.Section
		want    []string // use: what the command has
	}{
		"software": {&software.Section{KeyFile: "/it's"}, []string{`identity and derivation: shred -u '/it'\''s'`}},
		"a token by its label": {
			&pkcs11.Section{Library: "/l.so", TokenLabel: "t", KeyLabel: "i", DerivationKeyLabel: "d", Derivation: pkcs11.HMAC},
			[]string{"identity: --token-label 't' --type privkey --label 'i'", "derivation: --token-label 't' --type secrkey --label 'd'"},
		},
		"a token by its slot": {
			&pkcs11.Section{Library: "/l.so", Slot: &slot, KeyLabel: "i", DerivationKeyLabel: "d", Derivation: pkcs11.ECDH},
			[]string{"identity: --slot 3 --type privkey --label 'i'", "derivation: --slot 3 --type privkey --label 'd'"},
		},
		"a token that says nothing of the kind": {
			&pkcs11.Section{Library: "/l.so", Slot: &slot, KeyLabel: "i", DerivationKeyLabel: "d"},
			[]string{"identity: --label 'i'", "derivation: --type secrkey --label 'd'"},
		},
		"KMS": {
			&awskms.Section{KeyID: "alias/i", DerivationKeyID: "alias/d"},
			[]string{"identity: --key-id 'alias/i'", "derivation: --key-id 'alias/d'"},
		},
		"KMS and a file": {
			&awskms.Section{KeyID: "alias/i", Derivation: "file"},
			[]string{"identity: schedule-key-deletion", "derivation: shred -u '/data/derivation.key'"},
		},
	} {
		keys := test.section.DeviceKeys(node)
		if len(keys) != len(test.want) {
			t.Errorf("%s: %+v", name, keys)
			continue
		}
		for i, key := range keys {
			use, has, _ := strings.Cut(test.want[i], ": ")
			if key.Use != use || !strings.Contains(key.Destroy, has) || key.Name == "" {
				t.Errorf("%s: %+v, want %s", name, key, test.want[i])
			}
		}
	}
}
