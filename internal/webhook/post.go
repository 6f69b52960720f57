package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// maxAnswer is how much of a receiver's answer is read, in bytes.
const maxAnswer = 16 << 10

// poster sends messages.
type poster struct {
	client *http.Client
	agent  string
}

// newPoster returns one that trusts roots; nil: the system's.
func newPoster(roots *x509.CertPool, version string, patience time.Duration) *poster {
	return &poster{agent: "frost-gateway/" + version, client: &http.Client{
		Timeout: patience,
		// A redirection could lead into a network that the configuration does not name.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: patience}).DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			TLSHandshakeTimeout:    patience,
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    maxAtOnce,
			MaxConnsPerHost:        maxAtOnce,
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: maxAnswer,
		},
	}}
}

// post makes one attempt. It returns nil once the receiver has answered with 2xx.
func (p *poster) post(ctx context.Context, to string, secrets [][]byte, id string, at time.Time, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return errors.New("the url can't be used") // which is not repeated: it may have a secret in it
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", p.agent)
	sign(req.Header, secrets, id, at, body)
	answer, err := p.client.Do(req)
	if err != nil {
		return p.withoutURL(err)
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer) // so that the connection can be used again
	switch code := answer.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code >= 300 && code < 400:
		return fmt.Errorf("the receiver answers %d: redirections are not followed", code)
	default:
		return fmt.Errorf("the receiver answers %d", code)
	}
}

// withoutURL is an error of net/http without the URL, which may have a secret in it.
func (p *poster) withoutURL(err error) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		if outer.Timeout() {
			return fmt.Errorf("no answer within %s", p.client.Timeout)
		}
		return outer.Err
	}
	return err
}
