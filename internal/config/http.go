package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// HTTP is the section [http] of a gateway: its HTTP API. Without the section there is none.
type HTTP struct {
	Host      string               `toml:"host"`      // address to listen at; 127.0.0.1 by default
	Port      int                  `toml:"port"`      // 8080 by default
	Hosts     []string             `toml:"hosts"`     // names under which it answers, besides those of loopback
	Directory string               `toml:"directory"` // file of the projection; directory.db by default
	TLSCert   string               `toml:"tls_cert"`  // PEM
	TLSKey    string               `toml:"tls_key"`   // PEM
	ClientCA  string               `toml:"client_ca"` // PEM; whose certificates clients may show
	Plaintext bool                 `toml:"plaintext"` // without TLS on other addresses than loopback
	Drain     keyprovider.Duration `toml:"drain"`     // for requests under way when the program stops; 10s by default

	Clients      []HTTPClient      `toml:"client"`
	Tokens       []HTTPToken       `toml:"token"`
	Certificates []HTTPCertificate `toml:"certificate"`
	Webhooks     []HTTPWebhook     `toml:"webhook"`
}

// HTTPClient is one [[http.client]]: a client whose key this gateway holds.
type HTTPClient struct {
	Name    string `toml:"name"`     // as in the access list
	KeyFile string `toml:"key_file"` // path of its Ed25519 key
}

// HTTPCaller is what [[http.token]] and [[http.certificate]] have in common.
type HTTPCaller struct {
	Name   string   `toml:"name"`   // for logs
	SHA256 Digest   `toml:"sha256"` // of the token, or of the certificate's DER
	Client string   `toml:"client"` // whose keys and jobs; "*": all clients', to read and approve
	Scopes []string `toml:"scopes"` // HTTPScopes
	Rate   float64  `toml:"rate"`   // requests a second; 0: no limit
}

// HTTPToken is one [[http.token]]: a bearer token.
type HTTPToken struct {
	HTTPCaller
	Expires time.Time `toml:"expires"` // zero: never
}

// HTTPCertificate is one [[http.certificate]]: a client certificate.
type HTTPCertificate struct{ HTTPCaller }

// HTTPWebhook is one [[http.webhook]]: where the ends of jobs are told.
type HTTPWebhook struct {
	Name       string   `toml:"name"`
	Client     string   `toml:"client"` // whose jobs; "*": all clients'
	URL        string   `toml:"url"`
	SecretFile string   `toml:"secret_file"`
	Events     []string `toml:"events"` // HTTPEvents; all by default
}

// HTTPScopes are what a caller may do.
var HTTPScopes = []string{"keygen", "sign", "read", "approve"}

// HTTPEvents are what a webhook may be told.
var HTTPEvents = []string{"finished", "denied", "pending"}

// everyClient stands for all clients.
const everyClient = "*"

// Digest is a SHA-256 in hexadecimal.
type Digest [32]byte

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Digest) UnmarshalText(text []byte) error {
	sum, err := hex.DecodeString(string(text))
	if err != nil || len(sum) != len(d) {
		return errors.New("not a SHA-256 of 64 hexadecimal characters")
	}
	*d = Digest(sum)
	return nil
}

var defaultHTTP = HTTP{Host: "127.0.0.1", Port: 8080, Directory: "directory.db", Drain: keyprovider.Duration{Duration: 10 * time.Second}}

// Bounds of the section.
const (
	maxDrain    = 5 * time.Minute
	maxHTTPRate = 1e6
)

// HTTPOn reports whether the file asks for the HTTP API.
func (g *Gateway) HTTPOn() bool { return g.httpOn }

// NewHTTP is a section with its defaults.
func NewHTTP() HTTP { return defaultHTTP }

// GiveHTTP sets the section in the place of the file's, for frostctl dev.
func (g *Gateway) GiveHTTP(h HTTP) { g.HTTP, g.httpOn, g.httpGiven = h, true, true }

// HTTPGiven reports whether the section is not the file's.
func (g *Gateway) HTTPGiven() bool { return g.httpGiven }

func (h *HTTP) check(s *source) {
	s.host("http.host", h.Host)
	s.within("http.port", h.Port, 1, 65535)
	for _, path := range []*string{&h.Directory, &h.TLSCert, &h.TLSKey, &h.ClientCA} {
		s.Absolute(path)
	}
	s.Require("http.directory", h.Directory)
	for _, name := range h.Hosts {
		if !hostName.MatchString(name) {
			s.Fail("http.hosts", "has %.64q: use host names without a port", name)
		}
	}
	if d := h.Drain.Duration; d < 0 || d > maxDrain {
		s.Fail("http.drain", "is %v: use 0s to %v", d, maxDrain)
	}
	h.checkTLS(s)
	for i := range h.Clients {
		c, table := &h.Clients[i], fmt.Sprintf("http.client[%d]", i)
		s.token(table+".name", c.Name)
		s.Require(table+".key_file", c.KeyFile)
		s.Absolute(&c.KeyFile)
		if slices.ContainsFunc(h.Clients[:i], func(o HTTPClient) bool { return o.Name == c.Name }) {
			s.Fail(table+".name", "%q is taken by an entry above", c.Name)
		}
	}
	names, sums := map[string]bool{}, map[Digest]bool{}
	for i, t := range h.Tokens {
		s.httpCaller(fmt.Sprintf("http.token[%d]", i), t.HTTPCaller, names, sums)
	}
	for i, c := range h.Certificates {
		table := fmt.Sprintf("http.certificate[%d]", i)
		if h.ClientCA == "" {
			s.Fail(table, "needs http.client_ca: the authority that signed the certificate")
		}
		s.httpCaller(table, c.HTTPCaller, names, sums)
	}
	h.checkWebhooks(s)
}

func (h *HTTP) checkTLS(s *source) {
	switch {
	case (h.TLSCert == "") != (h.TLSKey == ""):
		s.Fail("http.tls_cert", "and http.tls_key go together: set both or neither")
	case h.TLSCert != "" && h.Plaintext:
		s.Fail("http.plaintext", "and http.tls_cert exclude each other")
	case h.TLSCert == "" && h.ClientCA != "":
		s.Fail("http.client_ca", "needs http.tls_cert and http.tls_key")
	case h.TLSCert == "" && !h.Plaintext && !h.Loopback():
		s.Fail("http.host", "is %.64q, and there is no TLS: tokens would cross the network in the clear. Set http.tls_cert and "+
			"http.tls_key, or http.plaintext = true behind a proxy that has TLS", h.Host)
	}
}

// Loopback reports whether the server listens on this machine alone.
func (h *HTTP) Loopback() bool {
	if strings.EqualFold(h.Host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(h.Host)
	return err == nil && a.Unmap().IsLoopback()
}

func (s *source) httpCaller(table string, c HTTPCaller, names map[string]bool, sums map[Digest]bool) {
	s.token(table+".name", c.Name)
	if c.Name != "" && names[c.Name] {
		s.Fail(table+".name", "%q is taken by an entry above", c.Name)
	}
	names[c.Name] = true
	switch {
	case c.SHA256 == Digest{}:
		s.Fail(table+".sha256", "is missing: frostctl http token prints it")
	case sums[c.SHA256]:
		s.Fail(table+".sha256", "is that of an entry above")
	}
	sums[c.SHA256] = true
	if c.Client != everyClient {
		s.token(table+".client", c.Client)
	}
	if len(c.Scopes) == 0 {
		s.Fail(table+".scopes", "is empty or missing: name what it may do: %s", strings.Join(HTTPScopes, ", "))
	}
	for i, scope := range c.Scopes {
		s.OneOf(table+".scopes", scope, HTTPScopes...)
		if slices.Contains(c.Scopes[:i], scope) {
			s.Fail(table+".scopes", "has %q twice", scope)
		}
		if c.Client == everyClient && (scope == "keygen" || scope == "sign") {
			s.Fail(table+".scopes", "has %q for client \"*\": who asks for keys or signatures is one client", scope)
		}
	}
	if c.Rate < 0 || c.Rate > maxHTTPRate || math.IsNaN(c.Rate) {
		s.Fail(table+".rate", "is %g: use 0 to %g requests a second", c.Rate, maxHTTPRate)
	}
}

func (h *HTTP) checkWebhooks(s *source) {
	for i := range h.Webhooks {
		w, table := &h.Webhooks[i], fmt.Sprintf("http.webhook[%d]", i)
		s.token(table+".name", w.Name)
		if slices.ContainsFunc(h.Webhooks[:i], func(o HTTPWebhook) bool { return o.Name == w.Name }) {
			s.Fail(table+".name", "%q is taken by an entry above", w.Name)
		}
		if w.Client != everyClient {
			s.token(table+".client", w.Client)
		}
		if problem := webhookURL(w.URL); problem != "" {
			s.Fail(table+".url", "%s", problem)
		}
		s.Require(table+".secret_file", w.SecretFile)
		s.Absolute(&w.SecretFile)
		for j, event := range w.Events {
			s.OneOf(table+".events", event, HTTPEvents...)
			if slices.Contains(w.Events[:j], event) {
				s.Fail(table+".events", "has %q twice", event)
			}
		}
		if len(w.Events) == 0 {
			w.Events = HTTPEvents
		}
	}
}

// webhookURL doesn't repeat the URL, as there may be a secret in it.
func webhookURL(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return "is not a URL such as https://shop.example.org/frostfleet"
	case u.User != nil:
		return "holds a user name: the signature shows who sends"
	case u.Fragment != "":
		return "has a fragment, which nobody would get"
	case u.Scheme == "http" && !(&HTTP{Host: u.Hostname()}).Loopback():
		return "has scheme http: use https, or a receiver on loopback"
	}
	return ""
}

// files reads the keys that the section names.
func (h *HTTP) files(s *source) {
	for i, c := range h.Clients {
		key, err := LoadKey(c.KeyFile)
		clear(key)
		if err != nil {
			s.Fail(fmt.Sprintf("http.client[%d].key_file", i), "%v", err)
		}
	}
}
