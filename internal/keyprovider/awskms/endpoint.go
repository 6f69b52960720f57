package awskms

import (
	"context"
	"net"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/kms"
)

const whereEndpoint = "endpoint, AWS_ENDPOINT_URL_KMS, AWS_ENDPOINT_URL or the profile's endpoint_url, whichever is set"

// badEndpoint wants TLS, wherever the endpoint was set: who reads an answer to
// kms:GenerateMac has the node's shares. On this machine nobody listens in
// between. It says what is wrong; empty if nothing is.
func badEndpoint(endpoint string) string {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Host == "" || u.User != nil:
		return "is not a URL without user name"
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return ""
	case u.Scheme == "http":
		return "is not https, and not on this machine: whoever can read along has the node's shares"
	}
	return "is not an https URL"
}

func loopback(name string) bool {
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

// foreign tells an endpoint that is not under AWS's names.
func foreign(endpoint *string) bool {
	if endpoint == nil {
		return false
	}
	name, _, _ := strings.Cut(host(endpoint, ""), ":")
	return !strings.HasSuffix(name, ".amazonaws.com") && !strings.HasSuffix(name, ".amazonaws.com.cn")
}

// host is where calls go, for people: the configuration and the environment
// may both name an endpoint.
func host(endpoint *string, region string) string {
	to, err := kms.NewDefaultEndpointResolverV2().ResolveEndpoint(context.Background(),
		kms.EndpointParameters{Region: &region, Endpoint: endpoint}.WithDefaults())
	if err != nil {
		return "KMS"
	}
	return to.URI.Host
}
