package awskms

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go/logging"
)

const (
	// connectTime bounds each step of a new connection: reaching the address,
	// then TLS. A region that is cut off is left after it.
	connectTime = 3 * time.Second
	// idleConns is more than the coalescer ever has under way.
	idleConns = 32
	// maxAnswer bounds what is read of an answer, in bytes. KMS's have some
	// 1,500.
	maxAnswer = 64 << 10
	// sourceTime bounds one request to whatever gives the credentials: STS, SSO,
	// a container's agent. The SDK lets all calls wait for one such request, and
	// without a bound it may wait for ever.
	sourceTime = 10 * time.Second
	// imdsTime bounds the question in which region this EC2 instance is.
	imdsTime = 2 * time.Second
)

// loadSDK reads environment, shared files and roles as every AWS tool does.
func loadSDK(ctx context.Context, o Options) (aws.Config, error) {
	if err := checkSettings(); err != nil {
		return aws.Config{}, err
	}
	client := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = connectTime }).
		WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout = connectTime
			t.MaxIdleConnsPerHost = idleConns
			// Should an endpoint speak HTTP/2, a connection that died in
			// silence is noticed; else every retry would use it again.
			t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: connectTime}
		}).
		WithTimeout(o.source) // KMS has the transport, not the client: see connect
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithHTTPClient(client),
		config.WithLogger(logging.Nop{}), // no dumps of requests, whatever the environment says
		config.WithProcessCredentialOptions(func(p *processcreds.Options) { p.Timeout = o.source }),
		config.WithEndpointCredentialOptions(func(e *endpointcreds.Options) { e.HTTPClient = client }),
		config.WithDefaultRegion(keyRegion(o)), // STS needs one, and the key's will do
		config.WithSharedConfigProfile(o.Profile),
	)
	if err != nil {
		return cfg, fmt.Errorf("AWS configuration: %s", brief(err.Error()))
	}
	return cfg, nil
}

// keyRegion is the region that the options name; empty if they do not.
func keyRegion(o Options) string {
	if len(o.Regions) > 0 {
		return o.Regions[0]
	}
	name, _ := parseKeyName(o.KeyID) // placeKey tells what is wrong with it
	return name.region
}

// chainRegion asks the chain for a region, and at its end the EC2 instance.
func chainRegion(ctx context.Context, cfg aws.Config) string {
	if cfg.Region != "" {
		return cfg.Region
	}
	ctx, cancel := context.WithTimeout(ctx, imdsTime)
	defer cancel()
	out, err := imds.NewFromConfig(cfg).GetRegion(ctx, nil)
	if err != nil {
		return "" // no instance
	}
	return out.Region
}

// regionClient makes one client: one call is one HTTP request, as whoever
// retries is above.
func regionClient(cfg aws.Config, o Options, region string, transport http.RoundTripper) *kms.Client {
	return kms.NewFromConfig(cfg, func(k *kms.Options) {
		k.Region = region
		k.Retryer, k.RetryMaxAttempts = aws.NopRetryer{}, 0
		k.Credentials = credentials{cfg.Credentials}
		k.HTTPClient = client{transport}
		k.ClientLogMode = 0
		if o.Endpoint != "" {
			k.BaseEndpoint = &o.Endpoint
		}
	})
}

// client sends one request, follows no redirect and reads no endless answer.
type client struct{ http.RoundTripper }

func (c client) Do(r *http.Request) (*http.Response, error) {
	resp, err := c.RoundTrip(r)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswer)
	}
	return resp, err
}

// credentials marks the failures of the chain, which the SDK does not.
type credentials struct{ aws.CredentialsProvider }

func (c credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if c.CredentialsProvider == nil {
		return aws.Credentials{}, &credentialsError{errors.New("the chain is empty")}
	}
	out, err := c.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return out, &credentialsError{err}
	}
	return out, nil
}

type credentialsError struct{ err error }

// Error leaves out what a credential process printed: it may be a secret.
func (e *credentialsError) Error() string {
	var process *processcreds.ProviderError
	if errors.As(e.err, &process) {
		if strings.Contains(process.Error(), "timed out") {
			return "credential_process did not end in time, and was killed: run it by hand"
		}
		return "credential_process failed or printed something else: run it by hand"
	}
	return brief(e.err.Error())
}

func (e *credentialsError) Unwrap() error { return e.err }
