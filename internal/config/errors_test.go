package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keyprovider/backends"
)

// edit replaces lines of the guide's file.
func edit(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(awsKMS) }

// TestNodeErrors wants each error with its line and key. A line starts the
// message, "-" means none.
func TestNodeErrors(t *testing.T) {
	const provider = "[node.key_provider]\ntype = \"aws-kms\"\n"
	tests := map[string]struct {
		text string
		want []string // line: key: part of the message
	}{
		"empty": {"", []string{"-: network.type: missing", "-: server.role: missing", "-: node.max_signers: missing",
			"-: node.min_signers: missing", "-: node.index: missing", "-: node.storage_path: missing",
			"-: node.key_provider.type: missing"}},
		"syntax":        {edit("index = 0", "index = "), []string{"8: : "}},
		"unknown key":   {edit("index = 0", "indx = 0"), []string{"7: node.index: missing", "8: node.indx: unknown key"}},
		"table twofold": {awsKMS + "[[bus]]\n", []string{"15: bus: single brackets"}},
		"no table":      {awsKMS + "[bus.url]\n", []string{"15: bus.url: not a table"}},
		"unknown table": {awsKMS + "[nodes]\na = 1\n", []string{"15: nodes: unknown key"}},
		"wrong type": {edit("4000", `"4000"`, "= 3", "= true"), []string{"6: server.port: wrong type",
			"10: node.max_signers: wrong type"}},
		"all kinds at once": {edit("mainnet", "main", "index = 0", "index = 3\nx = 1", "min_signers = 2",
			`min_signers = "2"`),
			[]string{"2: network.type: use mainnet", "8: node.index: indices are 0 to 2", "9: node.x: unknown",
				"12: node.min_signers: wrong type"}},
		"threshold": {edit("min_signers = 2", "min_signers = 4"),
			[]string{"11: node.min_signers: more than node.max_signers = 3"}},
		"zero threshold": {edit("min_signers = 2", "min_signers = 0"), []string{"11: node.min_signers: use 1 to 128"}},
		"129 nodes":      {edit("= 3", "= 129"), []string{"10: node.max_signers: use 1 to 128"}},
		"negative index": {edit("index = 0", "index = -1"), []string{"8: node.index: use 0 to 127"}},
		"role":           {edit(`"node"`, `"gateway"`), []string{`4: server.role: this program runs "node"`}},
		"port":           {edit("4000", "70000"), []string{"6: server.port: use 0 to 65535"}},
		"host":           {edit("0.0.0.0", "a b"), []string{"5: server.host: listen"}},
		"provider": {edit("aws-kms", "vault"),
			[]string{"13: node.key_provider.type: use software, aws-kms, pkcs11"}},
		"key of another": {awsKMS + "slot = 1\n", []string{`15: node.key_provider.slot: not for type "aws-kms"`}},
		"no key_id":      {edit("key_id", "profile"), []string{"12: node.key_provider.key_id: missing"}},
		"one key twice": {edit("key_id = ", "derivation_key_id = \"k\"\nkey_id = \"k\" # "),
			[]string{"14: node.key_provider.derivation_key_id: two keys"}},
		"duration": {awsKMS + "timeout = \"soon\"\n", []string{"15: node.key_provider.timeout: not a duration"}},
		"timeout":  {awsKMS + "timeout = \"0s\"\n", []string{"15: node.key_provider.timeout: use 1ms"}},
		"regions":  {awsKMS + "regions = [\"a\", \"a\"]\n", []string{"15: node.key_provider.regions: repeated"}},
		"derivation": {awsKMS + "derivation = \"hmac\"\n",
			[]string{"15: node.key_provider.derivation: use kms, file"}},
		"derivation twice": {awsKMS + "derivation_key_id = \"d\"\nderivation = \"file\"\n",
			[]string{"16: node.key_provider.derivation: take one of the two out"}},
		"derivation alone": {awsKMS + "derivation = \"kms\"\n",
			[]string{"15: node.key_provider.derivation: derivation_key_id is missing"}},
		"hedge, one region": {awsKMS + "hedge_after = \"1s\"\n",
			[]string{"15: node.key_provider.hedge_after: two or more in regions"}},
		"hedge": {awsKMS + "regions = [\"a\", \"b\"]\nhedge_after = \"2m\"\n",
			[]string{"16: node.key_provider.hedge_after: use 1ms to 1m"}},
		"endpoint in clear": {awsKMS + "endpoint = \"http://kms.example.com\"\n",
			[]string{"15: node.key_provider.endpoint: not https"}},
		"endpoint of FTP": {awsKMS + "endpoint = \"ftp://x\"\n",
			[]string{"15: node.key_provider.endpoint: not an https URL"}},
		"no endpoint": {awsKMS + "endpoint = \"https://u:p@x\"\n",
			[]string{"15: node.key_provider.endpoint: without user name"}},
		"sessions of KMS": {awsKMS + "sessions = 4\n", []string{`15: node.key_provider.sessions: not for type "aws-kms"`}},
		"inline, wrong": {edit(provider, "key_provider = { type = \"aws-kms\", key_id = 1 }\n[bus]\n", "key_id", "url"),
			[]string{"12: node.key_provider.key_id: wrong type", "14: bus.url: not a URL"}},
		"inline, unknown": {edit(provider,
			"key_provider = { type = \"software\", allow_insecure = true, pin = \"1\", key_file = \"k\" }\n[bus]\n", "key_id",
			"url"), []string{`12: node.key_provider.pin: not for type "software"`, "14: bus.url: not a URL"}},
		"dotted, unknown": {edit(provider,
			"key_provider.type = \"software\"\nkey_provider.allow_insecure = true\nkey_provider.slot = 1\n", "key_id",
			"key_provider.key_file"), []string{`14: node.key_provider.slot: not for type "software"`}},
		"prices": {awsKMS + "[node.key_provider.prices]\nsign = inf\nkey_month = -0.5\n",
			[]string{"16: node.key_provider.prices.sign: use 0", "17: node.key_provider.prices.key_month: use 0"}},
		"software prices": {edit(provider,
			"[node.key_provider]\ntype = \"software\"\nallow_insecure = true\nprices.sign = 1\n", "key_id", "key_file"),
			[]string{"15: node.key_provider.prices.sign: unknown key"}},
		"software mainnet": {edit(provider, "[node.key_provider]\ntype = \"software\"\n", "key_id", "key_file"),
			[]string{"13: node.key_provider.type: plain file"}},
		"pkcs11": {edit(provider, "[node.key_provider]\ntype = \"pkcs11\"\n", "key_id", "key_label"),
			[]string{"12: node.key_provider.pkcs11_library: missing", "12: node.key_provider.token_label: missing"}},
		"bus for a gateway": {awsKMS + "[bus]\nembedded = true\n", []string{"16: bus.embedded: gateways only"}},
		"bus scheme":        {awsKMS + "[bus]\nurl = \"http://a\"\n", []string{"16: bus.url: scheme"}},
		"bus not a URL":     {awsKMS + "[bus]\nurl = \"a\"\n", []string{"16: bus.url: not a URL"}},
		"bus replicas":      {awsKMS + "[bus]\nreplicas = 2\n", []string{"16: bus.replicas: use 1, 3 or 5"}},
		"inline": {edit(provider, "key_provider = { type = \"vault\" }\n[bus]\n", "key_id", "url"),
			[]string{"12: node.key_provider.type: use software", "14: bus.url: not a URL"}},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			path := write(t, c.text)
			_, err := parseNode(path)
			compare(t, path, err, c.want)
		})
	}
}

func compare(t *testing.T, path string, err error, want []string) {
	t.Helper()
	var all Errors
	if !errors.As(err, &all) {
		t.Fatalf("got %v, not Errors", err)
	}
	if len(all) != len(want) {
		t.Fatalf("got %d errors, want %d:\n%v", len(all), len(want), err)
	}
	for i, e := range all {
		part := strings.SplitN(want[i], ": ", 3)
		if part[0] == "-" {
			part[0] = "0"
		}
		if fmt.Sprint(e.Line) != part[0] || e.Key != part[1] && part[1] != "" || !strings.Contains(e.Message, part[2]) {
			t.Errorf("error %d is %q (line %d), want %q", i, e, e.Line, want[i])
		}
		if !strings.HasPrefix(e.Error(), path+":") {
			t.Errorf("error %q does not name the file", e)
		}
	}
}

func TestOtherErrors(t *testing.T) {
	key := "b6bfc3e940c92676e93a7eeb6726de7540a53eb135c21fbba130b9291958e097"
	client := "[client]\nname = \"a\"\nkey_file = \"k\"\n"
	gateway := "[server]\nrole = \"gateway\"\n[gateway]\nname = \"g\"\nkey_file = \"k\"\n[bus]\n"
	access := func(path string) error { _, err := LoadAccess(path); return err }
	clients := func(path string) error { _, err := ParseClient(path); return err }
	gateways := func(path string) error { _, err := ParseGateway(path); return err }
	tests := map[string]struct {
		load func(string) error
		text string
		want []string
	}{
		"access": {access, `[[gateway]]
name = "a.b"
public_key = "` + key + `"
[[client]]
name = "x"
public_key = "00"
kinds = ["mine"]
[[client]]
name = "x"
public_key = "` + key + `"
[[client]]
`, []string{"2: gateway[0].name: letters", "6: : 64 hexadecimal",
			"7: client[0].kinds: use keygen", "8: client[1].kinds: missing",
			"9: client[1].name: taken", "10: client[1].public_key: gateway a.b too",
			"11: client[2].name: missing", "11: client[2].public_key: missing", "11: client[2].kinds: missing"}},
		"access, weak keys": {access, `[[gateway]]
name = "g"
public_key = "` + strings.Repeat("00", 32) + `"
[[client]]
name = "c"
public_key = "01` + strings.Repeat("00", 31) + `"
kinds = ["sign"]
`, []string{"3: gateway[0].public_key: of gateway g: not a usable",
			"6: client[0].public_key: of client c: not a usable"}},
		"client": {clients, "[client]\nname = \"\"\nfleet = \"a b\"\n",
			[]string{"1: client.key_file: missing", "2: client.name: empty", "3: client.fleet: letters"}},
		"client, none again": {clients, client + "recheck = 0\n[bus]\n", []string{"4: client.recheck: up to 1"}},
		"client, too many":   {clients, client + "recheck = 1.5\n[bus]\n", []string{"4: client.recheck: up to 1"}},
		"client, no number":  {clients, client + "recheck = nan\n[bus]\n", []string{"4: client.recheck: up to 1"}},
		"client, embedded":   {clients, client + "[bus]\nport = 1\n", []string{"5: bus.port: gateways only"}},
		"gateway, both": {gateways, gateway + "embedded = true\nurl = \"nats://a\"\n",
			[]string{"6: bus.store_path: missing", "8: bus.url: exclude"}},
		"gateway, store": {gateways, gateway + "store_path = \"a\"\n", []string{"7: bus.store_path: embedded = true"}},
		"gateway, port": {gateways, gateway + "embedded = true\nstore_path = \"a\"\nport = 0\n",
			[]string{"9: bus.port: -1 for any"}},
		"gateway, network": {gateways, gateway + "[network]\ntype = \"x\"\n", []string{"8: network.type: use mainnet"}},
		"gateway, copies": {gateways, gateway + "embedded = true\nstore_path = \"a\"\nreplicas = 3\n",
			[]string{"9: bus.replicas: alone"}},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			path := write(t, c.text)
			compare(t, path, c.load(path), c.want)
		})
	}
}

// TestErrorsKeepSecrets: whatever is wrong with or near the pin or a password
// in a URL, no error repeats it.
func TestErrorsKeepSecrets(t *testing.T) {
	text, _, _ := strings.Cut(awsKMS, `type = "aws-kms"`)
	for _, tail := range []string{
		"pin = 77665544", "pin = 77665544x", `pin = "77665544`, `pin = ["77665544"]`, `pin = "\q77665544"`,
		`pin = { a = "77665544" }`, `pin = 77665544.5`, `pin = "77665544"` + "\npin_file = 3", `pim = "77665544"`,
		`uri = "pkcs11:?pin-value=77665544%zz"`, `uri = "pkcs11:?pin-value=77665544&pin-value=77665544"`,
		`uri = "pkcs12:?pin-value=77665544"`,
		`uri = "pkcs11:pin-value=77665544"`, `uri = "pkcs11:?pin-value=77665544"` +
			"\npin = '1'", `pin = "${77665544"`, `pin = "${77665544}"`,
		`uri = "pkcs11:?pin-source=|77665544"`, `pin = "77665544\n77665544"`,
		`pin = 99999999999977665544`, `pin = 1e77665544`, `pin = 2024-01-01T77665544`, "pin 77665544",
		"[bus]\nurl = \"nats://u:77665544@h\"", "[bus]\nurl = \"nats://u:77665544@h:x\"",
		"[bus]\nurl = \"nats://77665544@%zz\"",
	} {
		_, err := loadNode(write(t, text+"type = \"pkcs11\"\n"+tail+"\n"))
		if err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "77665544") {
			t.Errorf("%s: %v", tail, err)
		}
	}
}

// TestSyntaxErrors: a fault in the syntax has its line and no key, as the library
// only knows the key before it, and shows no letter: it may be one of a PIN.
func TestSyntaxErrors(t *testing.T) {
	for tail, want := range map[string]string{
		"pin = Q123":         "16: : unexpected character at start of value",
		"pin = 123Q":         "16: : strings must be quoted",
		"pin = \"a\\Qb\"":    "16: : invalid escape character",
		"pin Q":              "16: : expected '=' after key",
		"pin = \"Q":          "16: : cannot have new lines",
		"\nregions = [Q123]": "17: : unexpected character at start of value",
		"= 1":                "16: : invalid character at start of key",
	} {
		path := write(t, awsKMS+"\n"+tail+"\n")
		_, err := parseNode(path)
		compare(t, path, err, []string{want})
		if all := (Errors{}); errors.As(err, &all) && (all[0].Key != "" || strings.ContainsAny(all[0].Message, "Q+")) {
			t.Errorf("%s: %v", tail, err)
		}
	}
}

func TestUnreadableFiles(t *testing.T) {
	big := write(t, strings.Repeat("#\n", maxFile))
	for _, path := range []string{"/nonexistent/x.toml", t.TempDir(), big} {
		if _, err := loadNode(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// FuzzLoad: no file makes a loader panic, and none gives both a value and an
// error.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{awsKMS, "a = [[{b.c = 1}], 2]\n[[a]]\n[a.b]", "[[client]]\nname='a'\n[client.x]",
		"\"\".a = 1\n'' = 2",
		"[node]\nkey_provider = {type = \"software\", pin = \"a\"}", "\ufeff[server]\r\nport = 1e9\r\n",
		"a = \"\\U0010FFFF\"", "version = 1\n[[revoked]]\nnode = 1\n[[revoked]]\nidentity = \"04\"\n[[revoked]]\n" +
			"session_key = \"" + keyA + "\"\n[[revoked]]\ngateway = 'g'\nreason = 1"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, into := range []document{&Node{backends: backends.All()}, new(Gateway), new(Client), new(Access)} {
			s := newSource("f", "/", data)
			if !judge(s, into) && s.result() == nil {
				t.Fatal("neither decoded nor refused")
			}
		}
	})
}
