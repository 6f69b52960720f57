package bus

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// authority signs certificates for a test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, end time.Time) *authority {
	t.Helper()
	a := &authority{t: t}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}
	a.key = must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	a.cert = a.sign(template, end, template, a.key)
	return a
}

func (a *authority) sign(c *x509.Certificate, end time.Time, parent *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	a.t.Helper()
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(1), time.Now().Add(-time.Hour), end
	der := must[[]byte](a.t)(x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, a.key))
	return must[*x509.Certificate](a.t)(x509.ParseCertificate(der))
}

// leaf writes a certificate for 127.0.0.1, server and client, and its key.
func (a *authority) leaf(dir, name string, end time.Time) (cert, key string) {
	a.t.Helper()
	pair := must[*ecdsa.PrivateKey](a.t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	c := a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}, end, a.cert, pair)
	cert, key = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	writeFile(a.t, cert, certPEM(c))
	der := must[[]byte](a.t)(x509.MarshalPKCS8PrivateKey(pair))
	writeFile(a.t, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return cert, key
}

func certPEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// writeFile replaces a file as a whole, as one must that somebody reads.
func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	err := os.WriteFile(path+".new", content, 0o600)
	if err := errors.Join(err, os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
}

// creds is a .creds file around claims; its seed is no seed.
func creds(claims string) []byte {
	return []byte("-----BEGIN NATS USER JWT-----\nhead." + base64.RawURLEncoding.EncodeToString([]byte(claims)) +
		".signature\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\nSU\n------END USER NKEY SEED------\n")
}

func TestExpiry(t *testing.T) {
	day := time.Now().Add(24 * time.Hour).Truncate(time.Second).UTC()
	week, year := day.AddDate(0, 0, 6), day.AddDate(1, 0, 0)
	early, late := newAuthority(t, day), newAuthority(t, year)
	cert, _ := late.leaf(t.TempDir(), "leaf", week)
	leaf := must[[]byte](t)(os.ReadFile(cert))
	both := append(certPEM(early.cert), certPEM(late.cert)...)
	tests := []struct {
		name    string
		read    func([]byte) (time.Time, error)
		content []byte
		want    time.Time
		err     string
	}{
		{"a certificate", certExpiry, leaf, week, ""},
		{"a certificate with its chain", certExpiry, append(leaf, certPEM(early.cert)...), day, ""},
		{"an authority", caExpiry, certPEM(early.cert), day, ""},
		{"two authorities", caExpiry, both, year, ""},
		{"no certificate", certExpiry, []byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"), time.Time{}, "no certificate"},
		{"a broken certificate", caExpiry, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), time.Time{}, "x509"},
		{"a JWT", credsExpiry, creds(fmt.Sprintf(`{"exp":%d}`, day.Unix())), day, ""},
		{"a JWT without end", credsExpiry, creds(`{"name":"worker"}`), time.Time{}, ""},
		{"a seed", credsExpiry, []byte("SUAMZ\n"), time.Time{}, ""},
		{"a broken JWT", credsExpiry, creds(`{"exp":`), time.Time{}, "does not decode"},
		{"half a JWT", credsExpiry, []byte("-----BEGIN NATS USER JWT-----\nhead.body"), time.Time{}, "not a JWT"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.read(test.content)
			if !got.Equal(test.want) {
				t.Errorf("expires %v, want %v", got, test.want)
			}
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v, want %q", err, test.err)
			}
		})
	}
}

// Nobody but the operator writes this file; it shall not end the process all the same.
func FuzzCredsExpiry(f *testing.F) {
	f.Add(creds(`{"exp":1}`))
	f.Add([]byte("-----BEGIN NATS USER JWT-----\na.b.c"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if end, err := credsExpiry(content); err != nil && !end.IsZero() {
			t.Errorf("%v with %v", end, err)
		}
	})
}

func TestWatchCredentials(t *testing.T) {
	dir := t.TempDir()
	in := func(days int) time.Time { return time.Now().AddDate(0, 0, days).Truncate(time.Second) }
	want := map[string]time.Time{CredentialCA: in(400), CredentialServer: in(30), CredentialCert: in(20), CredentialCreds: in(10)}
	ca := newAuthority(t, want[CredentialCA])
	serverCert, serverKey := ca.leaf(dir, "server", want[CredentialServer])
	clientCert, clientKey := ca.leaf(dir, "client", want[CredentialCert])
	caFile, credsFile := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "bus.creds")
	writeFile(t, caFile, certPEM(ca.cert))

	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	opts := &server.Options{MaxPayload: MaxPayload, JetStream: true, StoreDir: t.TempDir(), TLSTimeout: 10, TLS: true, TLSVerify: true,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{must[tls.Certificate](t)(tls.LoadX509KeyPair(serverCert, serverKey))},
			ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13}}
	var log logSink
	b := connectTest(t, foreignServer(t, opts), func(o *Options) {
		o.TLSCA, o.TLSCert, o.TLSKey, o.Logger = caFile, clientCert, clientKey, log.logger()
	})
	writeFile(t, credsFile, creds(fmt.Sprintf(`{"exp":%d}`, want[CredentialCreds].Unix())))
	b.opt.Credentials = credsFile // a server that takes a JWT needs an operator; what is tested is that the file is read
	watch(t, b, testEvery)
	expect := func(want map[string]time.Time) {
		t.Helper()
		sampleOf(t, b, func(s Sample) error {
			got := make(map[string]time.Time)
			for _, c := range s.Credentials {
				got[c.Name] = c.Expires
			}
			if !maps.EqualFunc(got, want, time.Time.Equal) {
				return fmt.Errorf("%v, want %v", got, want)
			}
			return nil
		})
	}
	expect(want)
	if len(want) != len(CredentialNames) {
		t.Errorf("tested %v of %v", want, CredentialNames)
	}

	// Renewed: the next connection will use it.
	want[CredentialCert] = in(90)
	ca.leaf(dir, "client", want[CredentialCert])
	expect(want)
	// A file that is gone is said once.
	delete(want, CredentialCA)
	if err := os.Remove(caFile); err != nil {
		t.Fatal(err)
	}
	expect(want)
	time.Sleep(5 * testEvery)
	if n := strings.Count(log.String(), "missing="+CredentialCA); n != 1 || strings.Count(log.String(), "missing=") != 1 {
		t.Errorf("said %d times:\n%s", n, log.String())
	}
}
