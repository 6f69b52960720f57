package bus

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
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// expiry is what a file said about its end.
type expiry struct {
	written time.Time
	size    int64
	expires time.Time // zero: never
	err     error
}

// noteServer has each TLS handshake note when what the server shows expires.
// (Conn.TLSConnectionState would tell too, but races with reconnecting.)
func (b *Bus) noteServer(o *nats.Options) error {
	if o.TLSConfig == nil {
		if !strings.Contains(b.opt.URL, "tls://") {
			return nil
		}
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	o.TLSConfig.VerifyConnection = func(state tls.ConnectionState) error {
		end := serverExpiry(state)
		b.serverEnd.Store(&end)
		return nil
	}
	return nil
}

// credentials says when what this connection needs expires.
func (w *watcher) credentials() []Credential {
	opt := &w.b.opt
	var out []Credential
	add := func(name string, expires time.Time) {
		if !expires.IsZero() {
			out = append(out, Credential{name, expires})
		}
	}
	file := func(name, path string, read func([]byte) (time.Time, error)) {
		if path == "" {
			return
		}
		expires, err := w.fileExpiry(path, read)
		w.note(name, err)
		add(name, expires)
	}
	file(CredentialCert, opt.TLSCert, certExpiry)
	file(CredentialCA, opt.TLSCA, caExpiry)
	if end := w.b.serverEnd.Load(); end != nil {
		add(CredentialServer, *end)
	}
	file(CredentialCreds, opt.Credentials, credsExpiry)
	return out
}

// fileExpiry reads a file only if it was written since: the next connection
// takes what is in it then, and it may hold a seed.
func (w *watcher) fileExpiry(path string, read func([]byte) (time.Time, error)) (time.Time, error) {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}, err
	}
	known, ok := w.files[path]
	if ok && known.written.Equal(info.ModTime()) && known.size == info.Size() {
		return known.expires, known.err
	}
	content, err := secret.File{What: "file", Path: path, Max: maxCredentials, Public: true}.Bytes()
	if err != nil {
		return time.Time{}, err
	}
	defer content.Wipe()
	known = expiry{written: info.ModTime(), size: info.Size()}
	if known.expires, known.err = read(content.Expose()); known.err != nil {
		known.err = fmt.Errorf("%s: %w", path, known.err)
	}
	w.files[path] = known
	return known.expires, known.err
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
	for _, c := range certs {
		if c.NotAfter.After(end) {
			end = c.NotAfter
		}
	}
	return end, err
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
	for _, c := range certs {
		if end.IsZero() || c.NotAfter.Before(end) {
			end = c.NotAfter
		}
	}
	return end
}

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
			return nil, err
		}
		certs = append(certs, c)
	}
	if len(certs) == 0 {
		return nil, errors.New("no certificate in this file")
	}
	return certs, nil
}

// credsExpiry is the end of the JWT in a .creds file; none for a plain seed and
// for a JWT without end. Nothing is verified: that is the server's.
func credsExpiry(content []byte) (time.Time, error) {
	_, rest, found := bytes.Cut(content, []byte("-----BEGIN NATS USER JWT-----"))
	if !found {
		return time.Time{}, nil
	}
	token, _, _ := bytes.Cut(rest, []byte("-----"))
	parts := bytes.Split(bytes.TrimSpace(token), []byte("."))
	if len(parts) != 3 {
		return time.Time{}, errors.New("not a JWT between its marks")
	}
	claims, err := base64.RawURLEncoding.DecodeString(string(parts[1]))
	var body struct {
		Expires int64 `json:"exp"` // seconds; 0: never
	}
	if err == nil {
		err = json.Unmarshal(claims, &body)
	}
	if err != nil {
		return time.Time{}, errors.New("the JWT does not decode")
	}
	if body.Expires <= 0 {
		return time.Time{}, nil
	}
	return time.Unix(body.Expires, 0), nil
}
