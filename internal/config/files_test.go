package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
)

// material is a folder with what a [bus] may name, good and bad, by file name.
type material struct{ dir, cert, key, user string }

func newMaterial(t *testing.T) *material {
	t.Helper()
	m := &material{dir: t.TempDir()}
	pair := func() (certDER, keyDER []byte) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
		certDER, err = x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		keyDER, err = x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return certDER, keyDER
	}
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	certDER, keyDER := pair()
	_, otherDER := pair()
	m.cert, m.key = encode("CERTIFICATE", certDER), encode("PRIVATE KEY", keyDER)
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	account, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	accountSeed, err := account.Seed()
	if err != nil {
		t.Fatal(err)
	}
	public, err := user.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	m.user = string(seed)
	decorated := "-----BEGIN USER NKEY SEED-----\n" + m.user + "\n------END USER NKEY SEED------\n"
	jwt := "-----BEGIN NATS USER JWT-----\neyJ0eXAiOiJKV1QifQ.eyJqdGkiOiJYIn0.c2ln\n------END NATS USER JWT------\n"
	for name, content := range map[string]string{
		"ca.pem": m.cert, "crlf.pem": strings.ReplaceAll(m.cert, "\n",
			"\r\n"), "two.pem": "subject=/CN=x\xe4\n" + m.cert + m.cert,
		"bom.pem": "\ufeff" + m.cert, "utf16.pem": "\xff\xfe-\x00-\x00", "ca.der": string(certDER), "key.der": string(keyDER),
		"empty.pem": "", "text.pem": "no certificate", "garbage.pem": encode("CERTIFICATE", []byte("garbage")),
		"key.pem": m.key, "other.pem": encode("PRIVATE KEY", otherDER), "both.pem": m.cert + m.key,
		"encrypted.pem": encode("ENCRYPTED PRIVATE KEY", keyDER), "damaged.pem": encode("PRIVATE KEY", keyDER[:40]),
		"user.nk": m.user, "user-lf.nk": m.user + "\n", "user-crlf.nk": m.user +
			"\r\n", "decorated.nk": decorated, "user.creds": jwt + decorated,
		"bom.nk": "\ufeff" +
			m.user, "public.nk": public, "account.nk": string(accountSeed), "empty.nk": "", "cut.nk": m.user[:40],
		"half.creds": jwt, "empty.creds": "-----BEGIN NATS USER JWT-----\n" + decorated,
		"good.key": strings.Repeat("ab", 32) + "\n", "short.key": "abab", "quoted.key": `"` + strings.Repeat("ab", 31) + `"`,
	} {
		if err := os.WriteFile(filepath.Join(m.dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, open := range []string{"open.pem", "open.nk", "open.key"} {
		content := map[string]string{"open.pem": m.key, "open.nk": m.user, "open.key": strings.Repeat("ab", 32)}[open]
		path := filepath.Join(m.dir, open)
		if err := errors.Join(os.WriteFile(path, []byte(content), 0o600), os.Chmod(path, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(m.dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

// roles are the files of all programs that connect. The lines to test stand at
// the end of each, under [bus].
var roles = map[string]struct {
	text string
	load func(string) error
}{
	"node": {awsKMS, func(path string) error { _, err := loadNode(path); return err }},
	"gateway": {"[server]\nrole = \"gateway\"\n[gateway]\nname = \"g\"\nkey_file = \"good.key\"\n",
		func(path string) error { _, err := LoadGateway(path); return err }},
	"client": {"[client]\nname = \"c\"\nkey_file = \"good.key\"\n",
		func(path string) error { _, err := LoadClient(path); return err }},
}

// TestBusFiles: credentials and TLS files that no connection could use are
// refused at load, in the line and under the key that names them, in every
// role. A pipe does not hold up anything.
func TestBusFiles(t *testing.T) {
	m := newMaterial(t)
	tests := []struct{ lines, key, want string }{ // lines: key=file, with blanks between
		{"tls_ca=ca.pem", "", ""}, {"tls_ca=crlf.pem", "", ""}, {"tls_ca=two.pem", "", ""}, {"tls_ca=both.pem", "", ""},
		{"tls_cert=ca.pem tls_key=key.pem", "", ""}, {"tls_cert=both.pem tls_key=both.pem", "", ""},
		{"credentials=user.nk", "", ""}, {"credentials=user-lf.nk", "", ""}, {"credentials=user-crlf.nk", "", ""},
		{"credentials=decorated.nk", "", ""}, {"credentials=user.creds", "", ""},
		{"tls_ca=none.pem", "tls_ca", "no such file"},
		{"tls_ca=.", "tls_ca", "is a directory"},
		{"tls_ca=fifo", "tls_ca", "not a regular file"},
		{"tls_ca=bom.pem", "tls_ca", "byte-order mark"},
		{"tls_ca=utf16.pem", "tls_ca", "UTF-16"},
		{"tls_ca=ca.der", "tls_ca", "is DER, not PEM: openssl x509 -inform der"},
		{"tls_ca=empty.pem", "tls_ca", "no certificate"},
		{"tls_ca=text.pem", "tls_ca", "no certificate"},
		{"tls_ca=key.pem", "tls_ca", "no certificate"},
		{"tls_ca=garbage.pem", "tls_ca", "cannot be read"},
		{"tls_cert=none.pem tls_key=key.pem", "tls_cert", "no such file"},
		{"tls_cert=ca.pem", "tls_cert", "belong together"},
		{"tls_cert=key.pem tls_key=key.pem", "tls_cert", "no certificate"},
		{"tls_cert=ca.pem tls_key=ca.pem", "tls_key", "no private key"},
		{"tls_cert=ca.pem tls_key=other.pem", "tls_key", "not the key of the certificate"},
		{"tls_cert=ca.pem tls_key=open.pem", "tls_key", "has mode 0644, which gives others access: chmod 600"},
		{"tls_cert=ca.pem tls_key=key.der", "tls_key", "is DER, not PEM: openssl pkey -inform der"},
		{"tls_cert=ca.pem tls_key=encrypted.pem", "tls_key", "is encrypted"},
		{"tls_cert=ca.pem tls_key=damaged.pem", "tls_key", "cannot be read"},
		{"tls_cert=ca.pem tls_key=fifo", "tls_key", "not a regular file"},
		{"credentials=none.nk", "credentials", "no such file"},
		{"credentials=fifo", "credentials", "not a regular file"},
		{"credentials=open.nk", "credentials", "chmod 600"},
		{"credentials=bom.nk", "credentials", "byte-order mark"},
		{"credentials=public.nk", "credentials", "neither a .creds file nor an nkey seed"},
		{"credentials=account.nk", "credentials", "a user's begins with SU"},
		{"credentials=empty.nk", "credentials", "neither"},
		{"credentials=cut.nk", "credentials", "neither"},
		{"credentials=half.creds", "credentials", "neither"},
		{"credentials=empty.creds", "credentials", "without a JWT"},
	}
	for role, r := range roles {
		path := filepath.Join(m.dir, role+".toml")
		for _, c := range tests {
			text, line, at := r.text+"[bus]\n", strings.Count(r.text, "\n")+2, 0
			for i, one := range strings.Fields(c.lines) {
				key, file, _ := strings.Cut(one, "=")
				text += fmt.Sprintf("%s = %q\n", key, file)
				if key == c.key {
					at = line + i
				}
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			err := r.load(path)
			if c.key == "" {
				if err != nil {
					t.Errorf("%s, %s: %v", role, c.lines, err)
				}
				continue
			}
			if err == nil {
				t.Errorf("%s, %s: accepted", role, c.lines)
				continue
			}
			compare(t, path, err, []string{fmt.Sprintf("%d: bus.%s: %s", at, c.key, c.want)})
			if err != nil && strings.Contains(err.Error(), m.user[4:20]) {
				t.Errorf("the error shows a seed: %v", err)
			}
		}
	}
}

// TestFilesAndValuesAtOnce: a broken file that the configuration names does not
// hide a broken value, nor the other way about.
func TestFilesAndValuesAtOnce(t *testing.T) {
	m := newMaterial(t)
	path := filepath.Join(m.dir, "gateway.toml")
	text := "[server]\nrole = \"gateway\"\nport = 70000\n[gateway]\nname = \"g\"\nkey_file = \"open.key\"\n" +
		"[bus]\ntls_ca = \"none.pem\"\ncredentials = \"public.nk\"\nreplicas = 2\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := LoadGateway(path)
	compare(t, path, err, []string{"3: server.port: use 0 to", "6: gateway.key_file: chmod 600",
		"8: bus.tls_ca: no such file",
		"9: bus.credentials: neither", "10: bus.replicas: use 1, 3 or 5"})
	_, err = ParseGateway(path)
	compare(t, path, err, []string{"3: server.port: use 0 to", "10: bus.replicas: use 1, 3 or 5"})
}

// TestKeyFiles: of a gateway and a client.
func TestKeyFiles(t *testing.T) {
	m := newMaterial(t)
	for name, want := range map[string]string{"good.key": "", "open.key": "chmod 600",
		"short.key": "64 hexadecimal digits", "quoted.key": "quotes",
		"none.key": "no such file", "fifo": "not a regular file", "bom.nk": "byte-order mark", ".": "directory",
		"key.pem": "larger than"} {
		key, err := LoadKey(filepath.Join(m.dir, name))
		if want == "" && (err != nil || hex.EncodeToString(key.Seed()) != strings.Repeat("ab", 32)) {
			t.Errorf("%s: %v", name, err)
		}
		if want != "" && (err == nil || key != nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "abab")) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}
