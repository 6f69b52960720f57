package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/directory"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.cert, a.key, a.pem, _ = issue(t, nil, true)
	return a
}

func issue(t *testing.T, by *authority, ca bool) (*x509.Certificate, *ecdsa.PrivateKey, []byte, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: ca, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	parent, signer := c, key
	if ca {
		c.KeyUsage |= x509.KeyUsageCertSign
	}
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
}

func listen(t *testing.T, s *Server, secure *TLS) *Listener {
	t.Helper()
	l, err := Listen("127.0.0.1", 0, s, secure, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = l.Shutdown(ctx) // a test may have done that
	})
	return l
}

// TestCertificates: a client certificate counts if its authority signed it and the configuration
// has its hash, and no other; it is asked for, and not needed.
func TestCertificates(t *testing.T) {
	t.Parallel()
	servers, clients, others := newAuthority(t), newAuthority(t), newAuthority(t)
	_, _, serverCert, serverKey := issue(t, servers, false)
	known, _, knownCert, knownKey := issue(t, clients, false)
	_, _, strangerCert, strangerKey := issue(t, clients, false) // of the same authority, and not listed
	forged, _, forgedCert, forgedKey := issue(t, others, false) // listed, and of another authority
	secure, err := NewTLS(serverCert, serverKey, clients.pem)
	if err != nil {
		t.Fatal(err)
	}
	s := testServer(t, func(c *Config) {
		c.Plaintext = false
		c.Callers.Set(append([]Caller{
			{Name: "cert", Client: "shop", Scopes: []Scope{Read}, Cert: sha256.Sum256(known.Raw)},
			{Name: "forged", Client: "shop", Scopes: []Scope{Read}, Cert: sha256.Sum256(forged.Raw)},
		}, callersOf(&Server{cfg: *c})...))
	})
	l := listen(t, s, secure)
	roots := x509.NewCertPool()
	roots.AddCert(servers.cert)
	get := func(token string, pair ...[]byte) (int, string, error) {
		config := &tls.Config{RootCAs: roots}
		if len(pair) == 2 {
			c, err := tls.X509KeyPair(pair[0], pair[1])
			if err != nil {
				t.Fatal(err)
			}
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c, nil }
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, DisableKeepAlives: true}}
		r, err := http.NewRequestWithContext(t.Context(), "GET", l.URL()+"/v1/keys", nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		answer, err := client.Do(r)
		if err != nil {
			return 0, "", err
		}
		defer answer.Body.Close()
		return answer.StatusCode, answer.Proto, nil
	}
	for name, c := range map[string]struct {
		token string
		pair  [][]byte
		want  int // 0: no connection
	}{
		"listed":                       {"", [][]byte{knownCert, knownKey}, 200},
		"not listed":                   {"", [][]byte{strangerCert, strangerKey}, 401},
		"of another authority":         {"", [][]byte{forgedCert, forgedKey}, 0},
		"none":                         {"", nil, 401},
		"none, and a token":            {reader, nil, 200},
		"listed, and a bad token":      {"ff_nobody", [][]byte{knownCert, knownKey}, 401},
		"the hash of it as a token":    {fmt.Sprintf("%x", sha256.Sum256(known.Raw)), nil, 401},
		"not listed, and a good token": {reader, [][]byte{strangerCert, strangerKey}, 200},
	} {
		status, proto, err := get(c.token, c.pair...)
		if status != c.want || (err != nil) != (c.want == 0) || c.want != 0 && proto != "HTTP/2.0" {
			t.Errorf("%s: %d %s %v, want %d", name, status, proto, err, c.want)
		}
	}
	if err := secure.Set([]byte("x"), []byte("y"), nil); err == nil {
		t.Error("what is no certificate was taken")
	}
	if err := secure.Set(serverCert, serverKey, []byte("x")); err == nil {
		t.Error("an authority that is none was taken")
	}
	if err := secure.Set(serverCert, serverKey, others.pem); err != nil { // as a reload does
		t.Fatal(err)
	}
	if status, _, err := get("", forgedCert, forgedKey); status != 200 {
		t.Errorf("the authority that is new: %d %v", status, err)
	}
	if _, _, err := get("", knownCert, knownKey); err == nil {
		t.Error("the authority that is gone still counts")
	}
	old, err := tls.Dial("tcp", l.listener.Addr().String(), &tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS11}) //nolint:gosec // that it fails
	if err == nil {
		old.Close()
		t.Error("TLS 1.1 is spoken")
	}
}

// TestWaiting: a request that waits gets its answer when the job ends, when its time is over, and
// when the server stops; a job that nobody knows is not waited for.
func TestWaiting(t *testing.T) {
	t.Parallel()
	dir := &shelf{}
	s := testServer(t, func(c *Config) { c.Directory = dir })
	l := listen(t, s, nil)
	get := func(id, wait string) chan string {
		got := make(chan string, 1)
		go func() {
			r, _ := http.NewRequestWithContext(t.Context(), "GET", l.URL()+"/v1/jobs/"+id+"?wait="+wait, nil)
			r.Header.Set("Authorization", "Bearer "+full)
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				got <- err.Error()
				return
			}
			defer answer.Body.Close()
			text, _ := io.ReadAll(answer.Body)
			got <- fmt.Sprint(answer.StatusCode, " ", string(text))
		}()
		return got
	}
	job := directory.Job{ID: "j1", Client: "shop", Kind: "sign", State: directory.Accepted, Created: now}
	dir.set(job)
	if text := <-get("j1", "1ms"); !strings.Contains(text, `200 {"id":"j1"`) || !strings.Contains(text, `"accepted"`) {
		t.Errorf("as it is after its time: %s", text)
	}
	waits := get("j1", "60s")
	job.State, job.Ended = directory.Failed, now
	dir.set(job)
	if text := <-waits; !strings.Contains(text, `"failed"`) {
		t.Errorf("once it has ended: %s", text)
	}
	job.ID, job.State = "j2", directory.Pending
	dir.set(job)
	waits = get("j2", "60s")
	for len(s.flying) == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := l.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if text := <-waits; !strings.Contains(text, `"pending"`) {
		t.Errorf("when the server stops: %s", text)
	}
}

// TestSlowBody: a body that does not arrive has the time that it has, and no longer; the request
// that waits afterwards has its own.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	s := testServer(t)
	l := listen(t, s, nil)
	raw, err := net.Dial("tcp", l.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	fmt.Fprintf(raw, "POST /v1/keys HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"+
		"Content-Length: 100\r\n\r\n{", full)
	_ = raw.SetReadDeadline(time.Now().Add(2 * bodyTime))
	answer, err := http.ReadResponse(bufio.NewReader(raw), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusRequestTimeout || !bytes.Contains(text, []byte(`"code":"timeout"`)) {
		t.Errorf("%d %s", answer.StatusCode, text)
	}
}

// TestRawRequests: what is no HTTP, or too much of it, is cut off and harms nobody.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	l := listen(t, testServer(t), nil)
	for name, c := range map[string]struct{ text, want string }{
		"large header":     {"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + strings.Repeat("x", 40<<10) + "\r\n\r\n", "431"},
		"no version":       {"GET /livez\r\n\r\n", "400"},
		"two lengths":      {"POST /v1/keys HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", "400"},
		"length and chunk": {"POST /v1/keys HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: gzip\r\n\r\n", "501"},
		"no host":          {"GET /livez HTTP/1.1\r\n\r\n", "400"},
		"OPTIONS *":        {"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "404"},
		"CONNECT":          {"CONNECT evil.example:80 HTTP/1.1\r\nHost: evil.example:80\r\n\r\n", "421"},
		"another server":   {"GET http://evil.example/v1/keys HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "421"},
		"garbage":          {"\x16\x03\x01\x00\x05hello\r\n\r\n", "400"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, err := net.Dial("tcp", l.listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			_, _ = io.WriteString(raw, c.text) // it may be cut off before all is out
			_ = raw.SetReadDeadline(time.Now().Add(30 * time.Second))
			line, _ := bufio.NewReader(raw).ReadString('\n')
			if !strings.Contains(line, " "+c.want+" ") {
				t.Errorf("%q, want %s", line, c.want)
			}
		})
	}
}
