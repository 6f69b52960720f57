package config

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// gatewayHTTP is a gateway's file with a section [http].
const gatewayHTTP = `[server]
role = "gateway"
port = 0
[gateway]
name = "gateway0"
key_file = "gateway.key"
[http]
port = 8443
hosts = ["gw.example.org"]
tls_cert = "http.crt"
tls_key = "http.key"
client_ca = "ca.crt"
[[http.client]]
name = "shop"
key_file = "shop.key"
[[http.token]]
name = "backend"
sha256 = "00000000000000000000000000000000000000000000000000000000000000aa"
client = "shop"
scopes = ["keygen", "sign"]
rate = 2.5
expires = 2027-01-02T03:04:05Z
[[http.certificate]]
name = "console"
sha256 = "00000000000000000000000000000000000000000000000000000000000000bb"
client = "*"
scopes = ["read", "approve"]
[[http.webhook]]
name = "hook"
client = "shop"
url = "https://shop.example.org/x?y=z"
secret_file = "hook.secret"
`

func parseHTTP(text string) (*Gateway, error) {
	return GatewayOf("/etc/frostfleet/gateway.toml", []byte(text))
}

func TestHTTPSection(t *testing.T) {
	t.Parallel()
	g, err := parseHTTP(gatewayHTTP)
	if err != nil {
		t.Fatal(err)
	}
	h := g.HTTP
	if !g.HTTPOn() || g.HTTPGiven() || h.Host != "127.0.0.1" || h.Port != 8443 || h.Drain.Duration != 10*time.Second ||
		!filepath.IsAbs(h.Directory) || filepath.Base(h.Directory) != "directory.db" || !filepath.IsAbs(h.TLSCert) ||
		!filepath.IsAbs(h.Clients[0].KeyFile) || !filepath.IsAbs(h.Webhooks[0].SecretFile) {
		t.Errorf("%+v", h)
	}
	want := HTTPToken{HTTPCaller{"backend", Digest{31: 0xaa}, "shop", []string{"keygen", "sign"}, 2.5},
		time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)}
	if !reflect.DeepEqual(h.Tokens, []HTTPToken{want}) {
		t.Errorf("%+v", h.Tokens)
	}
	if c := h.Certificates[0]; c.SHA256 != (Digest{31: 0xbb}) || c.Client != "*" {
		t.Errorf("%+v", c)
	}
	if !reflect.DeepEqual(h.Webhooks[0].Events, HTTPEvents) {
		t.Errorf("%+v", h.Webhooks)
	}
	for name, text := range map[string]string{
		"no section": strings.SplitN(gatewayHTTP, "[http]", 2)[0], "an empty one": strings.SplitN(gatewayHTTP, "[http]", 2)[0] + "[http]\n",
		"a list alone": strings.SplitN(gatewayHTTP, "[http]", 2)[0] + "[[http.client]]\nname = \"a\"\nkey_file = \"a.key\"\n",
	} {
		g, err := parseHTTP(text)
		if err != nil || g.HTTPOn() != (name != "no section") {
			t.Errorf("%s: on %t, %v", name, g.HTTPOn(), err)
		}
	}
}

// TestHTTPFaults: each fault is named with its key, and no value that may be secret is repeated.
func TestHTTPFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, new, want string }{
		"unknown key":        {"port = 8443", "prot = 8443", "http.prot: unknown key"},
		"unknown token key":  {"rate = 2.5", "speed = 2.5", "http.token[0].speed: unknown key"},
		"single brackets":    {"[[http.token]]", "[http.token]", "http.token: "},
		"port":               {"port = 8443", "port = 65536", "http.port: is 65536: use 1 to 65535"},
		"host":               {"port = 8443", "host = \"http://x\"", "http.host: is"},
		"hosts":              {"gw.example.org", "gw.example.org:80", "http.hosts: has"},
		"drain":              {"port = 8443", "drain = \"1h\"", "http.drain: is 1h0m0s"},
		"drain of a number":  {"port = 8443", "drain = 10", "http.drain: "},
		"half of TLS":        {"tls_key = \"http.key\"\n", "", "http.tls_cert: and http.tls_key go together"},
		"TLS and none":       {"port = 8443", "plaintext = true", "http.plaintext: and http.tls_cert exclude each other"},
		"client_ca alone":    {"tls_cert = \"http.crt\"\ntls_key = \"http.key\"\n", "", "http.client_ca: needs http.tls_cert"},
		"no TLS":             {"port = 8443\nhosts = [\"gw.example.org\"]\ntls_cert = \"http.crt\"\ntls_key = \"http.key\"\nclient_ca = \"ca.crt\"", "host = \"10.0.0.1\"", "http.host: is \"10.0.0.1\", and there is no TLS"},
		"no TLS by a name":   {"port = 8443\nhosts = [\"gw.example.org\"]\ntls_cert = \"http.crt\"\ntls_key = \"http.key\"\nclient_ca = \"ca.crt\"", "host = \"localhost.example.org\"", "and there is no TLS"},
		"client twice":       {"[[http.token]]", "[[http.client]]\nname = \"shop\"\nkey_file = \"b\"\n[[http.token]]", "http.client[1].name: \"shop\" is taken"},
		"client's name":      {"[[http.client]]\nname = \"shop\"", "[[http.client]]\nname = \"a.b\"", "http.client[0].name: is \"a.b\""},
		"no key file":        {"key_file = \"shop.key\"", "", "http.client[0].key_file: is missing"},
		"bad hexadecimal":    {"00000000000000000000000000000000000000000000000000000000000000aa", "zz", "http.token[0].sha256: not a SHA-256"},
		"short hexadecimal":  {"00000000000000000000000000000000000000000000000000000000000000aa", "aabb", "http.token[0].sha256: not a SHA-256"},
		"no hash":            {"sha256 = \"00000000000000000000000000000000000000000000000000000000000000aa\"", "", "http.token[0].sha256: is missing"},
		"one hash twice":     {"0000bb", "0000aa", "http.certificate[0].sha256: is that of an entry above"},
		"one name twice":     {"name = \"console\"", "name = \"backend\"", "http.certificate[0].name: \"backend\" is taken"},
		"scope":              {"\"keygen\", \"sign\"", "\"keygen\", \"write\"", "http.token[0].scopes: is \"write\""},
		"scope twice":        {"\"keygen\", \"sign\"", "\"sign\", \"sign\"", "http.token[0].scopes: has \"sign\" twice"},
		"no scopes":          {"scopes = [\"keygen\", \"sign\"]", "scopes = []", "http.token[0].scopes: is empty"},
		"all clients sign":   {"[\"read\", \"approve\"]", "[\"read\", \"sign\"]", "has \"sign\" for client \"*\""},
		"no client":          {"client = \"shop\"\nscopes", "scopes", "http.token[0].client: is missing"},
		"rate":               {"rate = 2.5", "rate = -1.0", "http.token[0].rate: is -1"},
		"rate of nothing":    {"rate = 2.5", "rate = nan", "http.token[0].rate: is NaN"},
		"expires":            {"2027-01-02T03:04:05Z", "\"soon\"", "http.token[0].expires: "},
		"certificate, no ca": {"client_ca = \"ca.crt\"\n", "", "http.certificate[0]: needs http.client_ca"},
		"webhook http":       {"https://shop", "http://shop", "http.webhook[0].url: has scheme http"},
		"webhook of a file":  {"https://shop.example.org", "file:///etc", "http.webhook[0].url: is not a URL"},
		"webhook with user":  {"https://shop", "https://me:hunter2@shop", "http.webhook[0].url: holds a user name"},
		"webhook events":     {"secret_file = \"hook.secret\"", "secret_file = \"s\"\nevents = [\"all\"]", "http.webhook[0].events: is \"all\""},
		"webhook secret":     {"secret_file = \"hook.secret\"", "", "http.webhook[0].secret_file: is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(gatewayHTTP, c.old, c.new, 1)
			if text == gatewayHTTP {
				t.Fatal("nothing was changed")
			}
			_, err := parseHTTP(text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a password is repeated: %v", err)
			}
		})
	}
	for name, c := range map[string]struct{ old, new string }{
		"plaintext behind a proxy": {"port = 8443\nhosts = [\"gw.example.org\"]\ntls_cert = \"http.crt\"\ntls_key = \"http.key\"\nclient_ca = \"ca.crt\"", "host = \"10.0.0.1\"\nplaintext = true"},
		"a webhook on loopback":    {"https://shop.example.org", "http://127.0.0.1:99"},
	} {
		text := strings.Replace(strings.Split(gatewayHTTP, "[[http.certificate]]")[0]+"[[http.webhook]]"+
			strings.Split(gatewayHTTP, "[[http.webhook]]")[1], c.old, c.new, 1)
		if _, err := parseHTTP(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHTTPAtOnce: which settings of the section need no restart.
func TestHTTPAtOnce(t *testing.T) {
	t.Parallel()
	before, err := parseHTTP(gatewayHTTP)
	if err != nil {
		t.Fatal(err)
	}
	for change, want := range map[[2]string]string{
		{"rate = 2.5", "rate = 3.0"}:                                 "http.token at once",
		{"scopes = [\"read\", \"approve\"]", "scopes = [\"read\"]"}:  "http.certificate at once",
		{"https://shop.example.org/x", "https://shop.example.org/y"}: "http.webhook at once",
		{"port = 8443", "port = 8444"}:                               "http.port",
		{"shop.key", "new.key"}:                                      "http.client",
		{"http.crt", "new.crt"}:                                      "http.tls_cert",
	} {
		g, err := parseHTTP(strings.Replace(gatewayHTTP, change[0], change[1], 1))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range GatewayChanges(before, g) {
			if c.Reloadable() {
				c.Key += " at once"
			}
			got = append(got, c.Key)
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%v: %v, want %s", change, got, want)
		}
	}
}
