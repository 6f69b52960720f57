package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keyprovider/pkcs11"
)

// TestKeysInAnotherCase: a key in another case is refused in its line, with the
// name that is right, whatever its kind; and what else is wrong is found too.
func TestKeysInAnotherCase(t *testing.T) {
	const at = "key_provider"
	tests := map[string]struct {
		text string
		want []string
	}{
		"port":     {edit("port = 4000", "Port = 4000"), []string{"6: server.Port: lower case: server.port"}},
		"host":     {edit("host =", "HOST ="), []string{"5: server.HOST: lower case: server.host"}},
		"required": {edit("index = 0", "Index = 0"), []string{"8: node.Index: lower case: node.index"}},
		"table":    {awsKMS + "[Bus]\nurl = \"nats://a\"\n", []string{"15: Bus: lower case: bus"}},
		"subtable": {edit("[node.key_provider]", "[node.Key_Provider]"),
			[]string{"12: node.Key_Provider: lower case: node.key_provider"}},
		"quoted":  {edit("index = 0", `"Index" = 0`), []string{"8: node.Index: lower case: node.index"}},
		"escaped": {edit("index = 0", `"\u0049ndex" = 0`), []string{"8: node.Index: lower case: node.index"}},
		"dotted": {awsKMS + "Prices.Sign = 0.1\n",
			[]string{"15: node.key_provider.Prices.Sign: lower case: node.key_provider.prices.sign"}},
		"inline": {awsKMS + "prices = { Sign = 0.1 }\n",
			[]string{"15: node.key_provider.prices.Sign: lower case: node.key_provider.prices.sign"}},
		"unchecked": {awsKMS + "Timeout = \"10h\"\n",
			[]string{"15: node.key_provider.Timeout: lower case", "15: node.key_provider.timeout: use 1ms"}},
		"bus": {awsKMS + "[bus]\nReplicas = 2\nEmbedded = true\n",
			[]string{"16: bus.Replicas: lower case", "16: bus.replicas: use 1, 3 or 5", "17: bus.Embedded: lower case",
				"17: bus.embedded: gateways only"}},
		"unknown": {edit("index = 0", "index = 0\nFoo = 1"), []string{"9: node.Foo: unknown key"}},
		"twice": {edit("index = 0", "Index = 1\nindex = 0"),
			[]string{"8: node.Index: lower case", "9: node.index: line 8 has it too"}},
		"Kelvin": {edit("[node.key_provider]", "[node.\"\u212aey_provider\"]"),
			[]string{"12: : lower case", "13: : lower case", "14: : lower case", "0: node.key_provider.type: missing"}},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			path := write(t, c.text)
			_, err := parseNode(path)
			if name == "Kelvin" { // whatever else it costs: it is not taken
				if err == nil || !strings.Contains(err.Error(), "lower case: node."+at) {
					t.Error(err)
				}
				return
			}
			compareInOrder(t, path, err, c.want)
		})
	}
}

// compareInOrder compares as compare does, with the errors of a line in any
// order.
func compareInOrder(t *testing.T, path string, err error, want []string) {
	t.Helper()
	if err == nil {
		t.Fatal("accepted")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(want) {
		t.Fatalf("got %d errors, want %d:\n%v", len(lines), len(want), err)
	}
	for _, one := range want {
		part := strings.SplitN(one, ": ", 3)
		found := false
		for _, line := range lines {
			found = found || strings.HasPrefix(line, path+":"+part[0]+": "+part[1]) && strings.Contains(line, part[2])
		}
		if !found {
			t.Errorf("no %q in\n%v", one, err)
		}
	}
}

// TestPINInAnotherCase: the rules for a PIN hold for it, and no error shows it.
func TestPINInAnotherCase(t *testing.T) {
	for _, tail := range []string{`Pin = "87654321"`, `PIN = "87654321"`, `"pin" = "8765 4321 "`, `Pin = "${87654321}"`,
		`Pin_File = "87654321 "` + "\nPin = '87654321'", `URI = "pkcs11:?pin-value=87654321"`} {
		_, err := parseNode(write(t, onToken(tail+"\n")))
		if err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "87654321") {
			t.Errorf("%s: %v", tail, err)
		}
	}
}

// TestTwice: a table or a key that is there twice is named with both lines, and
// the rest is judged.
func TestTwice(t *testing.T) {
	tests := map[string]struct {
		text string
		want []string
	}{
		"table": {awsKMS + "[server]\nport = 1\n[bus]\nreplicas = 2\n",
			[]string{"15: server: line 3 has it too", "18: bus.replicas: use 1, 3 or 5"}},
		"table, spaced": {awsKMS + "[ node . key_provider ]\n", []string{"15: node.key_provider: line 12 has it too"}},
		"table, quoted": {awsKMS + "[\"server\"]\n", []string{"15: server: line 3 has it too"}},
		"table, dotted": {awsKMS + "prices.sign = 1.0\n[node.key_provider.prices]\nderive = 1.0\n",
			[]string{"16: node.key_provider.prices: already exists"}},
		"key": {edit("index = 0", "index = 0\nindex = 7"), []string{"9: node.index: line 8 has it too"}},
		"key, wrong too": {edit("index = 0", "index = 0\nindex = 7", "port = 4000", "port = 70000"),
			[]string{"6: server.port: use 0 to", "9: node.index: line 8 has it too"}},
		"key, inline": {awsKMS + "prices = { sign = 1.0, sign = 2.0 }\n",
			[]string{"15: node.key_provider.prices.sign: line 15 has it too"}},
		"table and key": {edit("[network]\n", "network = 1\n[network]\n"), []string{"2: network: line 1 has it too"}},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			path := write(t, c.text)
			_, err := parseNode(path)
			if name == "table and key" {
				if err == nil || !strings.Contains(err.Error(), ":2: network: ") {
					t.Error(err)
				}
				return
			}
			compareInOrder(t, path, err, c.want)
		})
	}
}

// TestEachValueByItself: of the values in one inline table each is judged, an
// array in several lines is at fault in its own line, and dots in quotes are no
// dots.
func TestEachValueByItself(t *testing.T) {
	access := func(path string) error { _, err := LoadAccess(path); return err }
	node := func(path string) error { _, err := parseNode(path); return err }
	name := "name = \"a\", public_key = \"" + strings.Repeat("ab", 32) + "\""
	for text, c := range map[string]struct {
		load func(string) error
		want []string
	}{
		"server = { role = 1, port = \"x\", Hots = 1 }\n" + edit("[server]", "[other]"): {node, []string{
			"1: server.role: wrong type", "1: server.port: wrong type", "1: server.Hots: unknown key", "4: other: unknown key"}},
		awsKMS + "regions = [\n\"a\",\n1]\n": {node,
			[]string{"17: node.key_provider.regions: wrong type"}},
		"\"server.port\" = 70000\n" + awsKMS: {node, []string{"1: \"server.port\": unknown key"}},
		"client = [{ " + name + ", Kinds = [\"sign\"], x = 1 }]\n": {access,
			[]string{"1: client[0].Kinds: lower case", "1: client[0].x: unknown"}},
		"[client]\n" + strings.ReplaceAll(name, ", ", "\n") + "\n": {access, []string{"1: client: list of tables"}},
		"client = [1, {}]\n": {access, []string{"1: client: wrong type"}},
	} {
		path := write(t, text)
		compareInOrder(t, path, c.load(path), c.want)
	}
}

// TestEncodings: files of every role that an editor saved in another encoding
// are refused with file, line and the command that fixes them.
func TestEncodings(t *testing.T) {
	load := map[string]func(string) error{
		"node":    func(path string) error { _, err := loadNode(path); return err },
		"gateway": func(path string) error { _, err := LoadGateway(path); return err },
		"client":  func(path string) error { _, err := LoadClient(path); return err },
		"access":  func(path string) error { _, err := LoadAccess(path); return err },
	}
	for role, load := range load {
		for text, want := range map[string]string{
			"\ufeff" + awsKMS:               ":1: begins with a byte-order mark (BOM): sed -i",
			"\xff\xfe[\x00n\x00":            ":1: is UTF-16",
			"\xfe\xff\x00[\x00n":            ":1: is UTF-16",
			"[\x00n\x00e\x00t\x00":          ":1: holds a NUL byte",
			"# \xe4\n[network]\ntype = 1\n": ":1: ",
		} {
			path := write(t, text)
			if err := load(path); err == nil || !strings.Contains(err.Error(), path+want) {
				t.Errorf("%s, %.12q: %v, want %q", role, text, err, want)
			}
		}
	}
}

// TestHosts: what no program can listen at is refused at load, with what to
// write.
func TestHosts(t *testing.T) {
	for host, want := range map[string]string{
		"0.0.0.0": "", "::": "", "::1": "", "fe80::1%eth0": "", "localhost": "", "node-0.example.org": "", "a_b": "",
		"4you.example":    "",
		"[::1]":           `without brackets, "::1"`,
		"[::]":            `without brackets, "::"`,
		"127.0.0.1:99":    `write "127.0.0.1" here, and the port as server.port = 99`,
		"[::1]:4000":      `write "::1" here, and the port as server.port = 4000`,
		"localhost:4000":  "server.port = 4000",
		":4000":           "server.port = 4000",
		"":                "use an address",
		" 127.0.0.1":      "use an address",
		"127.0.0.1 ":      "use an address",
		"127.0.0.1/8":     "use an address",
		"http://a":        "use an address",
		"a:b":             "use an address",
		"127.0.0.256":     "use an address",
		"127.0.0":         "use an address",
		"*":               "use an address",
		"::g":             "use an address",
		"a..":             "use an address",
		"user@host":       "use an address",
		"\u202e127.0.0.1": "use an address",
	} {
		path := write(t, edit("0.0.0.0", host))
		_, err := parseNode(path)
		if want == "" && err != nil || want != "" &&
			(err == nil || !strings.Contains(err.Error(), path+":5: server.host: is ") || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", host, err, want)
		}
	}
	for _, url := range []string{"nats://a:0", "nats://a:65536", "nats://a:4222,nats://b:99999", "nats://[::1",
		"nats://"} {
		if _, err := parseNode(write(t, awsKMS+"[bus]\nurl = \""+url+"\"\n")); err == nil ||
			!strings.Contains(err.Error(), ":16: bus.url: ") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// TestTokenNames: the label of a token as C_GetTokenInfo pads it is the same
// label; a uri that can't be read is the only thing that is wrong.
func TestTokenNames(t *testing.T) {
	text, _, _ := strings.Cut(awsKMS, `type = "aws-kms"`)
	text += "type = \"pkcs11\"\n"
	for _, label := range []string{"node 0", "node 0" + strings.Repeat(" ", 26), `node 0\u0000\u0000`} {
		n, err := parseNode(write(t, text+"pkcs11_library = \"/l\"\nkey_label = \"k\"\ntoken_label = \""+label+"\"\n"))
		if err != nil || n.Node.KeyProvider.Section.(*pkcs11.Section).TokenLabel != "node 0" {
			t.Errorf("%q: %v", label, err)
		}
	}
	for label, want := range map[string]string{"   ": "token_label: is missing",
		strings.Repeat("x", 33): "longer than the 32 bytes"} {
		if _, err := parseNode(write(t,
			text+"pkcs11_library = \"/l\"\nkey_label = \"k\"\ntoken_label = \""+label+"\"\n")); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", label, err)
		}
	}
	for _, uri := range []string{"pkcs11:token", "pkcs12:token=t",
		"pkcs11:token=t;object=o?module-path=/x.so;pin-value=87654321",
		"pkcs11:token=a b", "pkcs11:object=a%00", "pkcs11:token=t;color=red", "pkcs11:?pin-value=%201234",
		"pkcs11:?pin-value=12+34"} {
		path := write(t, text+"uri = \""+uri+"\"\n")
		_, err := parseNode(path)
		compare(t, path, err, []string{"14: node.key_provider.uri: "})
		if err != nil && strings.Contains(err.Error(), "87654321") {
			t.Error(err)
		}
	}
	for _, uri := range []string{"PKCS11:token=t;object=o?module-path=/x.so",
		"Pkcs11:token=t%20%00%00;object=o?module-path=/x.so"} {
		if _, err := parseNode(write(t, text+"uri = \""+uri+"\"\n")); err != nil {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

// TestPINForms: what surrounds a PIN by accident is refused, wherever the PIN
// stands, before a token counts it.
func TestPINForms(t *testing.T) {
	for _, pin := range []string{" 87654321", "87654321 ", "\ufeff87654321", "\\\"87654321\\\"", "'87654321'",
		"87654321 # of node 0", "87654321\\u0000", "87654321\\n", "\\t87654321", "87654321\u200b"} {
		_, err := parseNode(write(t, onToken("pin = \""+pin+"\"\n")))
		if err == nil || !strings.Contains(err.Error(),
			"17: node.key_provider.pin: is no PIN of 1 to 255 bytes on one line: it ") || strings.Contains(err.Error(), "8765") {
			t.Errorf("%q: %v", pin, err)
		}
	}
	for _, pin := range []string{"87654321\n", " 87654321", "87654321\r", "\"87654321\"", "87654321 # x",
		"\ufeff87654321", ""} {
		t.Setenv("FROST_TEST_PIN", pin)
		_, err := parseNode(write(t, onToken(`pin = "${FROST_TEST_PIN}"`+"\n")))
		if err == nil || !strings.Contains(err.Error(),
			"pin: names the environment variable FROST_TEST_PIN, which is no PIN") || strings.Contains(err.Error(), "8765") {
			t.Errorf("%q: %v", pin, err)
		}
	}
}

// BenchmarkAccess reads an access list of many clients: its time grows with the
// file, and not with the square of it.
func BenchmarkAccess(b *testing.B) {
	for _, clients := range []int{500, 5000} {
		b.Run(strconv.Itoa(clients), func(b *testing.B) {
			var text strings.Builder
			for i := range clients {
				fmt.Fprintf(&text, "[[client]]\nname = \"c%d\"\npublic_key = \"%064x\"\nkinds = [\"sign\"]\n", i, i+1)
			}
			path := filepath.Join(b.TempDir(), "access.toml")
			if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				_, _ = LoadAccess(path) // the keys are made up
			}
		})
	}
}
