package natsconn

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// onError logs what arrives outside of any call, and ends the requests which
// the server denied.
func (c *Conn) onError(_ *nats.Conn, sub *nats.Subscription, err error) {
	args := []any{"error", err}
	if sub != nil {
		args = append(args, "subject", sub.Subject)
	}
	if !errors.Is(err, nats.ErrPermissionViolation) {
		c.opt.Log.Warn("NATS connection", args...)
		return
	}
	as := "" // whose permissions these are
	if c.opt.Credentials != "" {
		as = ", with credentials " + c.opt.Credentials
	}
	parts := strings.SplitN(err.Error(), `"`, 3) // ... "subject"
	switch inbox := c.inboxPrefix() + "."; {
	case len(parts) < 3:
	case strings.HasPrefix(parts[1], inbox):
		c.fail("", fmt.Errorf("%w: %v%s: no answer can arrive at %s, which follows from the name of this program: "+
			"set [bus] name to the one that its permissions are for", ErrDenied, err, as, inbox))
	default:
		c.fail(parts[1], fmt.Errorf("%w: %v%s: the server's administrator can allow it (nats/server.conf)",
			ErrDenied, err, as))
	}
	c.opt.Log.Error("NATS permission denied", args...)
}

// inboxPrefix begins the subjects at which answers arrive.
func (c *Conn) inboxPrefix() string {
	if c.opt.InboxPrefix == "" {
		return "_INBOX"
	}
	return c.opt.InboxPrefix
}

// refusals are the server's answers to a connection that it will not take.
var refusals = []error{
	nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked,
	nats.ErrAccountAuthExpired, nats.ErrNkeysNotSupported,
}

// refused says which file the server did not accept and what to do about it.
func (c *Conn) refused(err error) error {
	path := c.opt.Credentials
	if path == "" {
		return fmt.Errorf("%s refuses a connection without credentials: %w: "+
			"set credentials to the file that its administrator made for this program", c.Server(), err)
	}
	why := "check that they are for this server and this program, or ask its administrator for new ones"
	if end, _ := expiryOf(path, credsExpiry); !end.IsZero() && time.Now().After(end) {
		why = fmt.Sprintf("they expired at %s; ask its administrator for new ones", end.UTC().Format(time.RFC3339))
	}
	return fmt.Errorf("%s refuses these credentials: %s: %w: %s", c.Server(), path, err, why)
}

// explain adds what to do about a failed attempt where the words of nats.go and
// crypto/tls don't.
func (c *Conn) explain(err error) error {
	o, hint := &c.opt, ""
	switch {
	case isA[x509.UnknownAuthorityError](err) && o.TLSCA == "":
		hint = "set tls_ca to the PEM file of the authority that signed the server's certificate"
	case isA[x509.UnknownAuthorityError](err):
		hint = "tls_ca " + o.TLSCA + " is not the authority that signed the server's certificate: get that one's file"
	case isA[x509.HostnameError](err):
		hint = "use a name in url that the server's certificate is for"
	case isA[x509.CertificateInvalidError](err):
		hint = "the server's administrator must renew its certificate; is this machine's clock right?"
	case isTLSRefusal(err):
		hint = "the server wants a client certificate that its own authority signed: set tls_cert and tls_key"
		if o.TLSCert != "" {
			hint = "the server does not accept tls_cert " + o.TLSCert + ": ask its administrator for one that it does"
		}
	case errors.Is(err, nats.ErrNoServers):
		hint = "check the address, and that the server runs"
	case errors.Is(err, nats.ErrSecureConnRequired):
		hint = "the server requires TLS: set tls_ca, or use a tls:// URL"
	case errors.Is(err, nats.ErrSecureConnWanted):
		hint = "the server has no TLS: remove tls_ca, tls_cert and tls://, or let its administrator configure TLS"
	default:
		return err
	}
	return fmt.Errorf("%w: %s", err, hint)
}

// isTLSRefusal reports whether the server ended a handshake. With TLS 1.3 it does
// so after this side is done, which nats.go sees as a lost connection.
func isTLSRefusal(err error) bool {
	return isA[tls.AlertError](err) || strings.Contains(err.Error(), "remote error: tls:") ||
		strings.Contains(err.Error(), "after TLS handshake")
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
