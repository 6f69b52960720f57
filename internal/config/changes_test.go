package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keyprovider/backends"
)

const tokenNode = `[network]
type = "regtest"
[server]
role = "node"
[node]
index = 0
storage_path = "/data"
max_signers = 3
min_signers = 2
[node.key_provider]
type = "pkcs11"
pkcs11_library = "/lib/token.so"
token_label = "a"
key_label = "b"
pin = "123456"
[bus]
url = "nats://127.0.0.1:4222"
`

// TestChanges: every setting is compared, under its key, whatever table and back end it is
// of; two that say the same in other words are the same, a PIN too.
func TestChanges(t *testing.T) {
	read := func(text string) *Node {
		t.Helper()
		n, err := NodeOf("/etc/node.toml", []byte(text), backends.All())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := read(tokenNode)
	for _, test := range []struct{ from, to, want string }{
		{"", "# a word\n", ""},
		{`url = "nats://127.0.0.1:4222"`, "replicas = 1", ""},
		{"index = 0", "index = 0\nmanifest = \"/data/manifest.json\"", ""},
		{"index = 0", "index = 1", "node.index"},
		{`role = "node"`, "role = \"node\"\nport = 4001", "server.port"},
		{"[bus]", "[bus]\ntls_ca = \"ca.crt\"", "bus.tls_ca"},
		{`pin = "123456"`, `pin = "654321"`, "node.key_provider.pin"},
		{`pin = "123456"`, `pin_file = "pin"`, "node.key_provider.pin node.key_provider.pin_file"},
		{`key_label = "b"`, "key_label = \"b\"\ntimeout = \"2s\"", "node.key_provider.timeout"},
		{"[bus]", "[log]\nlevel = \"debug\"\n[bus]", "log.level*"},
		{"[bus]", "[node.key_provider.prices]\nsign = 2.5\nkey_month = 1\n[bus]",
			"node.key_provider.prices.sign* node.key_provider.prices.key_month*"},
	} {
		after := read(strings.Replace(tokenNode, test.from, test.to, 1))
		var got []string
		for _, c := range NodeChanges(before, after) {
			mark := ""
			if c.Reloadable() {
				mark = "*"
			}
			if strings.Contains(fmt.Sprint(c.Before, c.After), "123456") {
				t.Errorf("%s shows the PIN", c.Key)
			}
			got = append(got, c.Key+mark)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%q for %q: %q, want %q", test.to, test.from, got, test.want)
		}
	}
	other := read(strings.NewReplacer("pkcs11_library = \"/lib/token.so\"\n", "key_file = \"k\"\n", "pkcs11", "software",
		"token_label = \"a\"\n", "", "key_label = \"b\"\n", "", "pin = \"123456\"\n", "").Replace(tokenNode))
	if got := NodeChanges(before, other); len(got) != 1 || got[0].Key != "node.key_provider.type" {
		t.Errorf("another back end: %v", got)
	}
	g, err := GatewayOf("/etc/gateway.toml",
		[]byte("[server]\nrole = \"gateway\"\n[gateway]\nname = \"g\"\nkey_file = \"k\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if g.Gateway.CompactEntries {
		t.Error("a file of an earlier release has entries written that that release can't read")
	}
	h := *g
	h.Gateway.AuditPath, h.Gateway.CompactEntries, h.Bus.URL = "/audit", true, "nats://other:4222"
	if got := GatewayChanges(g, &h); fmt.Sprint(keysOf(got)) != "[gateway.audit_path gateway.compact_entries bus.url]" {
		t.Errorf("a gateway: %v", keysOf(got))
	}
}

func keysOf(all []Change) (keys []string) {
	for _, c := range all {
		keys = append(keys, c.Key)
	}
	return keys
}
