package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// ClientHTTP is the section [http] of a client: where gateways answer over HTTP, and who asks.
type ClientHTTP struct {
	URL       string `toml:"url"`        // one or more, separated by commas; empty: none
	TokenFile string `toml:"token_file"` // path of the bearer token
	CA        string `toml:"ca"`         // PEM file of the authority; the system's if empty
}

func (h *ClientHTTP) check(s *source) {
	if !s.Has("http") && *h == (ClientHTTP{}) {
		return
	}
	s.Require("http.url", h.URL)
	if h.URL != "" {
		if _, err := GatewayURLs(h.URL); err != nil {
			s.Fail("http.url", "%v", err)
		}
	}
	s.Require("http.token_file", h.TokenFile)
	s.Absolute(&h.TokenFile)
	s.Absolute(&h.CA)
}

// GatewayURLs takes a list of gateways' URLs apart, which commas separate. A bearer token goes
// there, so that plain HTTP is for this machine alone. Errors do not repeat a URL, as there may
// be a password in it.
func GatewayURLs(list string) (urls []string, err error) {
	for one := range strings.SplitSeq(list, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		switch {
		case err != nil || u.Host == "" || u.Hostname() == "":
			return nil, errors.New("is not a URL such as https://gateway.example.org:8080")
		case u.Scheme != "https" && u.Scheme != "http":
			return nil, fmt.Errorf("has scheme %.16q: use https", u.Scheme)
		case u.User != nil:
			return nil, errors.New("holds a user name: gateways know callers by a token, in a file of its own")
		case u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
			return nil, errors.New("has more than a host and a port")
		case u.Port() == "0" || len(u.Port()) > 5 || len(u.Port()) == 5 && u.Port() > "65535":
			return nil, fmt.Errorf("has port %.16s: use 1 to 65535", u.Port())
		case u.Scheme == "http" && !isLoopback(u.Hostname()):
			return nil, errors.New("is plain HTTP to another machine, where anybody on the way reads the token: use https")
		}
		urls = append(urls, u.Scheme+"://"+u.Host)
	}
	return urls, nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// maxToken and maxCA bound the files of [http].
const (
	maxToken = 512
	maxCA    = 1 << 20
)

// ReadToken reads a bearer token, which nobody but its owner may read.
func ReadToken(path string) (string, error) {
	line, err := secret.File{What: "token file", Path: path, Max: maxToken}.Line()
	if err != nil {
		return "", err
	}
	defer line.Wipe()
	token := string(line.Expose())
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("token file %s has characters that no token has: write the token alone into it", path)
	}
	return token, nil
}

// ReadCA reads the certificates of the authority of gateways; nil, the system's, without a path.
func ReadCA(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	text, err := secret.File{What: "CA file", Path: path, Max: maxCA, Public: true}.Text()
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text.Expose()) {
		return nil, fmt.Errorf("CA file %s has no certificate in PEM", path)
	}
	return pool, nil
}
