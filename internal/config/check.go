package config

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/frostfleet/frostfleet/internal/natsconn"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Require wants a key to be there and not empty.
func (s *source) Require(key, value string) {
	switch {
	case value != "":
	case s.Has(key):
		s.Fail(key, "is empty")
	default:
		s.Fail(key, "is missing")
	}
}

// OneOf wants one of the choices.
func (s *source) OneOf(key, value string, choices ...string) {
	s.Require(key, value)
	if !slices.Contains(choices, value) {
		s.Fail(key, "is %.64q: use %s", value, strings.Join(choices, ", "))
	}
}

// token wants a name that can be part of a subject.
func (s *source) token(key, value string) {
	s.Require(key, value)
	if !wire.IsToken(value) {
		s.Fail(key, "is %.80q: use 1 to 64 letters, digits, _ or -", value)
	}
}

// Between wants an integer that is set, within bounds.
func (s *source) Between(key string, value, low, high int) {
	if !s.Has(key) {
		s.Fail(key, "is missing")
	}
	s.within(key, value, low, high)
}

func (s *source) within(key string, value, low, high int) {
	if value < low || value > high {
		s.Fail(key, "is %d: use %d to %d", value, low, high)
	}
}

func (s *source) server(server *Server, role string) {
	if s.Require("server.role", server.Role); server.Role != role {
		s.Fail("server.role", "is %.64q: this program runs %q", server.Role, role)
	}
	s.host("server.host", server.Host)
	s.within("server.port", server.Port, 0, 65535)
}

var (
	hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?$`)
	dotted   = regexp.MustCompile(`^[0-9.]+$`) // an address, if anything
)

// host wants an address or a name alone.
func (s *source) host(key, host string) {
	_, err := netip.ParseAddr(host)
	if err == nil || hostName.MatchString(host) && !dotted.MatchString(host) {
		return
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if name, port, splitErr := net.SplitHostPort(host); splitErr == nil && dotted.MatchString(port) {
		s.Fail(key, "is %.64q: write %q here, and the port as server.port = %s", host, name, port)
	} else if _, err := netip.ParseAddr(bare); err == nil {
		s.Fail(key, "is %.64q: write it without brackets, %q", host, bare)
	} else {
		s.Fail(key, "is %.64q: use an address or a host name to listen at, such as 127.0.0.1 or ::1", host)
	}
}

func (s *source) bus(b *Bus) {
	for one := range strings.SplitSeq(b.URL, ",") {
		s.busURL(strings.TrimSpace(one))
	}
	if b.Replicas != 1 && b.Replicas != 3 && b.Replicas != 5 {
		s.Fail("bus.replicas", "is %d: use 1, 3 or 5", b.Replicas)
	}
	for _, path := range []*string{&b.Credentials, &b.TLSCA, &b.TLSCert, &b.TLSKey, &b.StorePath} {
		s.Absolute(path)
	}
}

// busURL doesn't repeat a URL, as there may be a password in it.
func (s *source) busURL(text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "":
		s.Fail("bus.url", "is not a URL such as %s", natsconn.DefaultURL)
	case !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme):
		s.Fail("bus.url", "has scheme %.16q: use nats, tls, ws or wss", u.Scheme)
	case u.Port() == "0" || len(u.Port()) > 5 || len(u.Port()) == 5 && u.Port() > "65535":
		s.Fail("bus.url", "has port %.16s: use 1 to 65535", u.Port())
	case u.User != nil:
		s.Fail("bus.url", "holds a user name: put it into a file and name that in bus.credentials")
	}
}

// externalBus refuses what only a gateway can have.
func (s *source) externalBus() {
	s.refuse("is for gateways only", "bus.embedded", "bus.store_path", "bus.port")
}

func (s *source) refuse(why string, keys ...string) {
	for _, key := range keys {
		if s.Has(key) {
			s.Fail(key, "%s", why)
		}
	}
}

// embeddedBus checks the server in a gateway's process.
func (s *source) embeddedBus(b *Bus) {
	if !b.Embedded {
		s.refuse("needs bus.embedded = true", "bus.store_path", "bus.port")
		return
	}
	s.refuse("and bus.embedded exclude each other", "bus.url")
	if b.Replicas != 1 {
		s.Fail("bus.replicas", "is %d: an embedded server is alone", b.Replicas)
	}
	s.Require("bus.store_path", b.StorePath)
	if !s.Has("bus.port") {
		b.Port = defaultBusPort
	} else if b.Port == 0 {
		s.Fail("bus.port", "is 0: use 1 to 65535, or -1 for any that is free")
	} else {
		s.Between("bus.port", b.Port, -1, 65535)
	}
}
