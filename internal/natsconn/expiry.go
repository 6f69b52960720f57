package natsconn

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// Credential is something that the connection needs and that expires. Expires
// is zero if Err says why that is not known.
type Credential struct {
	Name    string // one of CredentialNames
	Expires time.Time
	Err     error
}

// What may expire.
const (
	CredentialCert   = "tls_cert" // Options.TLSCert
	CredentialCA     = "tls_ca"   // Options.TLSCA: the last of its certificates
	CredentialServer = "server"   // what the server showed; known with a TLSCA, a TLSCert or a tls:// URL
	CredentialCreds  = "creds"    // Options.Credentials, if it is a JWT
)

// CredentialNames are all of them.
var CredentialNames = []string{CredentialCert, CredentialCA, CredentialServer, CredentialCreds}

// Expiry reads when the credentials of a connection expire. It belongs to one
// goroutine.
type Expiry struct {
	conn  *Conn
	files map[string]fileExpiry // by path
}

// fileExpiry is what a file said about its end. Without an error, zero is never.
type fileExpiry struct {
	written time.Time
	size    int64
	Credential
}

// Expiry of this connection.
func (c *Conn) Expiry() *Expiry { return &Expiry{conn: c, files: make(map[string]fileExpiry)} }

// Read lists what expires, and what could not be read.
func (e *Expiry) Read() (out []Credential) {
	opt := &e.conn.opt
	out = e.file(out, CredentialCert, opt.TLSCert, certExpiry)
	out = e.file(out, CredentialCA, opt.TLSCA, caExpiry)
	if end := e.conn.serverEnd.Load(); end != nil && !end.IsZero() {
		out = append(out, Credential{CredentialServer, *end, nil})
	}
	return e.file(out, CredentialCreds, opt.Credentials, credsExpiry)
}

// file reads a file only if it was written since: it may hold a seed.
func (e *Expiry) file(
	out []Credential, name, path string, read func([]byte) (time.Time, error),
) []Credential {
	if path == "" {
		return out
	}
	info, err := os.Stat(path)
	if err != nil {
		return append(out, Credential{Name: name, Err: err})
	}
	known := e.files[path]
	if !known.written.Equal(info.ModTime()) || known.size != info.Size() {
		expires, err := expiryOf(path, read)
		known = fileExpiry{info.ModTime(), info.Size(), Credential{name, expires, err}}
		e.files[path] = known
	}
	if known.Err == nil && known.Expires.IsZero() {
		return out
	}
	return append(out, known.Credential)
}

// expiryOf reads when what a file holds expires. The file's mode was checked when
// the connection was made.
func expiryOf(path string, read func([]byte) (time.Time, error)) (time.Time, error) {
	content, err := secret.File{What: "file", Path: path, Max: maxFile, Public: true}.Bytes()
	if err != nil {
		return time.Time{}, err
	}
	defer content.Wipe()
	expires, err := read(content.Expose())
	if err != nil {
		return time.Time{}, fmt.Errorf("file %s %w", path, err)
	}
	return expires, nil
}

// noteServer has each TLS handshake note when what the server shows expires.
// (Conn.TLSConnectionState would have it too, but races with reconnecting.)
func (c *Conn) noteServer(o *nats.Options) error {
	if o.TLSConfig == nil {
		if !strings.Contains(c.opt.URL, "tls://") {
			return nil
		}
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	o.TLSConfig.VerifyConnection = func(state tls.ConnectionState) error {
		end := serverExpiry(state)
		c.serverEnd.Store(&end)
		return nil
	}
	return nil
}

// certExpiry is the first end among a certificate and those that lead from it
// to its authority.
func certExpiry(content []byte) (time.Time, error) {
	certs, err := certificates(content)
	return earliest(certs), err
}

// caExpiry is the last end: a file with two authorities is one that changes
// them, and the server's certificate says whether the old one is still needed.
func caExpiry(content []byte) (end time.Time, err error) {
	certs, err := certificates(content)
	if err != nil {
		return end, err
	}
	return slices.MaxFunc(certs, byEnd).NotAfter, nil
}

// serverExpiry is the first end in the chain that holds longest.
func serverExpiry(state tls.ConnectionState) (end time.Time) {
	for _, chain := range state.VerifiedChains {
		if e := earliest(chain); e.After(end) {
			end = e
		}
	}
	return end
}

func earliest(certs []*x509.Certificate) (end time.Time) {
	if len(certs) == 0 {
		return end
	}
	return slices.MinFunc(certs, byEnd).NotAfter
}

func byEnd(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) }

func certificates(content []byte) (certs []*x509.Certificate, err error) {
	for {
		var block *pem.Block
		if block, content = pem.Decode(content); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("holds a certificate that cannot be read: %w", err)
		}
		certs = append(certs, c)
	}
	if len(certs) == 0 {
		return nil, errors.New("holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
	}
	return certs, nil
}

// credsExpiry is the end of the JWT in a .creds file; none for a plain seed and
// for a JWT without end. Nothing is verified: that is the server's job.
func credsExpiry(content []byte) (time.Time, error) {
	_, rest, found := bytes.Cut(content, []byte("-----BEGIN NATS USER JWT-----"))
	if !found {
		return time.Time{}, nil
	}
	token, _, _ := bytes.Cut(rest, []byte("-----"))
	parts := bytes.Split(bytes.TrimSpace(token), []byte("."))
	if len(parts) != 3 {
		return time.Time{}, errors.New("holds no JWT between its marks")
	}
	claims, err := base64.RawURLEncoding.DecodeString(string(parts[1]))
	var body struct {
		Expires int64 `json:"exp"` // seconds; 0: never
	}
	if err == nil {
		err = json.Unmarshal(claims, &body)
	}
	if err != nil {
		return time.Time{}, errors.New("holds a JWT that does not decode")
	}
	if body.Expires <= 0 {
		return time.Time{}, nil
	}
	return time.Unix(body.Expires, 0), nil
}
