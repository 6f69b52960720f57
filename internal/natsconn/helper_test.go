package natsconn

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// patience is for what takes milliseconds on an idle machine.
const patience = 2 * time.Minute

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// connect is a connection that lasts as long as the test.
func connect(t *testing.T, opt Options) *Conn {
	t.Helper()
	if opt.AckTimeout == 0 {
		opt.AckTimeout = patience // what ends earlier did not end by time-out
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := must[*Conn](t)(Connect(ctx, opt))
	t.Cleanup(c.Close)
	return c
}

// eventually polls until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// run starts somebody's server and gives its URL.
func run(t *testing.T, opts *server.Options) string {
	t.Helper()
	opts.Host, opts.Port, opts.NoSigs, opts.NoLog = "127.0.0.1", -1, true, true
	s := must[*server.Server](t)(server.NewServer(opts))
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("server did not start")
	}
	return s.ClientURL()
}

// tlsServer is a server with a certificate of an authority.
func tlsServer(t *testing.T, ca *authority, end time.Time, config *tls.Config) string {
	t.Helper()
	cert, key := ca.leaf(t.TempDir(), "server", end)
	config.Certificates = []tls.Certificate{must[tls.Certificate](t)(tls.LoadX509KeyPair(cert, key))}
	config.ClientCAs, config.MinVersion = x509.NewCertPool(), tls.VersionTLS13
	config.ClientCAs.AddCert(ca.cert)
	verify := config.ClientAuth != tls.NoClientCert
	return run(t, &server.Options{TLSTimeout: 10, TLS: true, TLSVerify: verify, TLSConfig: config})
}

// file writes the authority's own certificate.
func (a *authority) file(dir string) string {
	a.t.Helper()
	path := filepath.Join(dir, "ca.crt")
	writeFile(a.t, path, certPEM(a.cert))
	return path
}

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
