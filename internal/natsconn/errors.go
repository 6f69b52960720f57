package natsconn

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Errors that callers decide on.
var (
	// ErrUnknown: the server's answer did not arrive; the message may or may not be stored.
	ErrUnknown = errors.New("outcome unknown: the message may or may not be stored")
	// ErrDenied: this connection has no permission. Trying again is useless until that changes.
	ErrDenied = errors.New("permission denied by the NATS server")
	// ErrDisconnected: there is no connection now, and nothing was sent. Reconnecting is automatic.
	ErrDisconnected = errors.New("not connected to NATS")
	// ErrNoStream: nothing stores this subject.
	ErrNoStream = errors.New("nothing stores this subject: the fleet's streams are missing " +
		"(administrator: frostctl bus apply), or this NATS account may not publish here")
	// ErrTooLarge: the message is above the stream's or the server's limit.
	ErrTooLarge = errors.New("message too large")
	// ErrClosed: the connection was closed.
	ErrClosed = errors.New("connection to NATS is closed")
)

// BusyError says that a stream, a quota or the server's storage is full for now.
type BusyError struct{ Reason string } // the server's words

func (e *BusyError) Error() string { return "busy: " + e.Reason }

// Codes of the JetStream API that jetstream does not name.
const (
	codeInsufficient    jetstream.ErrorCode = 10023
	codeAccountExceeded jetstream.ErrorCode = 10002
	codeMemoryExceeded  jetstream.ErrorCode = 10028
	codeStoreExceeded   jetstream.ErrorCode = 10047
	codeStoreFailed     jetstream.ErrorCode = 10077 // text says why
)

// textPerSubject and its like are the server's texts for 10077, which has no
// codes of its own for them.
const textPerSubject = "maximum messages per subject exceeded"

var textsFull = []string{textPerSubject, "maximum messages exceeded", "maximum bytes exceeded"}

// NoStorage says that the server, or this account, has no room for a stream.
func NoStorage(api *jetstream.APIError) bool {
	switch api.ErrorCode {
	case codeInsufficient, codeAccountExceeded, codeMemoryExceeded, codeStoreExceeded:
		return true
	}
	return false
}

// SubjectFull says that a subject already holds as many messages as it may.
func SubjectFull(api *jetstream.APIError) bool { return storeFailed(api, textPerSubject) }

func storeFailed(api *jetstream.APIError, text string) bool {
	return api.ErrorCode == codeStoreFailed && strings.Contains(strings.ToLower(api.Description), text)
}

// Classify turns the outcome of a request into the errors above. What the
// server did not certainly refuse is ErrUnknown.
func Classify(err error) error {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return classifyAPI(api)
	}
	switch {
	case errors.Is(err, ErrUnknown), errors.Is(err, ErrDenied), errors.Is(err, ErrClosed), errors.Is(err, ErrDisconnected):
		return err
	case errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrNoResponders):
		return ErrNoStream
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: %v: set max_payload = 4MB in the server's configuration", ErrTooLarge, err)
	case errors.Is(err, nats.ErrReconnectBufExceeded):
		return ErrDisconnected
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining):
		return ErrClosed
	case errors.Is(err, nats.ErrBadSubject), errors.Is(err, nats.ErrHeadersNotSupported):
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnknown, err)
}

func classifyAPI(api *jetstream.APIError) error {
	switch {
	case api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant: // a conflict with a write in flight
		return fmt.Errorf("%w: %w", ErrUnknown, api)
	case api.ErrorCode == jetstream.JSErrCodeStreamMessageExceedsMaximum:
		return fmt.Errorf("%w: %w", ErrTooLarge, api)
	case NoStorage(api), slices.ContainsFunc(textsFull, func(t string) bool { return storeFailed(api, t) }):
		return &BusyError{Reason: api.Description}
	}
	return api
}

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
	if parts := strings.SplitN(err.Error(), `"`, 3); len(parts) == 3 { // ... "subject"
		c.calls.fail(parts[1], fmt.Errorf("%w: %v%s: whoever runs the server can allow it (nats/server.conf)",
			ErrDenied, err, c.as()))
	}
	c.opt.Log.Error("NATS permission denied", args...)
}

// as says whose permissions these are.
func (c *Conn) as() string {
	if c.opt.Credentials == "" {
		return ""
	}
	return ", with credentials " + c.opt.Credentials
}

// refusals are the server's answers to a connection that it will not take.
var refusals = []error{
	nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked,
	nats.ErrAccountAuthExpired, nats.ErrNkeysNotSupported,
}

func isRefusal(err error) bool {
	return slices.ContainsFunc(refusals, func(r error) bool { return errors.Is(err, r) })
}

// refused says which file the server did not accept and what to do about it.
func (c *Conn) refused(err error) error {
	path := c.opt.Credentials
	if path == "" {
		return fmt.Errorf("%s refuses a connection without credentials: %w: "+
			"set credentials to the file that its administrator made for this program", c.Server(), err)
	}
	why := "check that they are for this server and this program, or ask its administrator for new ones"
	content, readErr := readFile(path)
	defer clear(content)
	if end, expiryErr := credsExpiry(content); readErr == nil && expiryErr == nil && !end.IsZero() && time.Now().After(end) {
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
		hint = "is the server running, and is url right?"
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
