package examples_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// secured is a NATS server that wants TLS and an nkey, and has no fleet. It
// gives what a client needs, by the names of the nats command line's variables.
func secured(t *testing.T) (url string, env map[string]string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, SubjectKeyId: []byte{1},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, _ := user.Seed()
	public, err := user.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, TLS: true, TLSTimeout: 60, AuthTimeout: 60,
		JetStream: true, StoreDir: t.TempDir(), JetStreamMaxMemory: 8 << 30, JetStreamMaxStore: 1 << 40,
		MaxPayload: 4 << 20,
		TLSConfig:  &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		Nkeys:      []*server.NkeyUser{{Nkey: public}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not listen")
	}
	dir := t.TempDir()
	env = map[string]string{"NATS_NKEY": filepath.Join(dir, "user.nk"), "NATS_CA": filepath.Join(dir, "ca.pem")}
	for name, content := range map[string][]byte{
		env["NATS_NKEY"]: seed, env["NATS_CA"]: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return "tls://" + s.Addr().String(), env
}

// TestDuplicate: an acknowledgement of another message with the same Nats-Msg-Id is not
// taken for one of the job.
func TestDuplicate(t *testing.T) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not listen")
	}
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if _, err := nc.Subscribe("frost.dev.job.>", func(m *nats.Msg) {
		_ = m.Respond([]byte(`{"stream":"FROST_DEV_JOBS","seq":1,"duplicate": true}`))
	}); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for name, command := range examples(t) {
		t.Run(name, func(t *testing.T) {
			_, code, stderr := output(t, "", command[0], append(command[1:], stranger(t, s.ClientURL())...)...)
			if code == 0 || !strings.Contains(stderr, "not stored") || !strings.Contains(stderr, "duplicate") {
				t.Errorf("exit code %d, says %s", code, stderr)
			}
		})
	}
}

// examples are the commands of the examples.
func examples(t *testing.T) map[string][]string {
	return map[string][]string{
		"go":         {build(t, "docs/examples/go")},
		"python":     {python(t), filepath.Join(root, "docs/examples/python/jobs.py")},
		"java":       append([]string{"java"}, java(t)...),
		"typescript": typescript(t, "jobs.js"),
	}
}

// stranger are the arguments of an example that belongs to no fleet.
func stranger(t *testing.T, url string) []string {
	t.Helper()
	keyFile := filepath.Join(t.TempDir(), "client.key")
	if err := os.WriteFile(keyFile, []byte(strings.Repeat("01", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	point := "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a" // RFC 8032, 7.1, test 1
	manifest := filepath.Join(t.TempDir(), "manifest.json")
	if err := os.WriteFile(manifest, []byte(`{"fleet":"dev","network":"regtest","n":1,"t":1,"epoch":0,`+
		`"attest_signing":true,"nodes":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{url, manifest, "client0", keyFile, "gateway0", point, filepath.Join(t.TempDir(), "keys.jsonl")}
}

// TestCredentials: all examples connect to a server that wants TLS and an
// nkey. That they then find no stream shows that they are connected.
func TestCredentials(t *testing.T) {
	url, env := secured(t)
	args := stranger(t, url)
	for name, command := range examples(t) {
		t.Run(name, func(t *testing.T) {
			for variable, value := range env {
				t.Setenv(variable, value)
			}
			all := append(command[1:], args...)
			if _, _, stderr := output(t, "", command[0], all...); !strings.Contains(strings.ToLower(stderr), "no responders") {
				t.Errorf("says %s", stderr)
			}
			t.Setenv("NATS_CA", filepath.Join(t.TempDir(), "missing.pem"))
			_, code, stderr := output(t, "", command[0], all...)
			if says := strings.ToLower(strings.ReplaceAll(stderr, " ", "")); code == 0 || !strings.Contains(says, "nosuchfile") {
				t.Errorf("without the authority: exit code %d, says %s", code, stderr)
			}
		})
	}
}
