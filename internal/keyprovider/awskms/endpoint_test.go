package awskms

import (
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/test/kmstest"
)

// TestEndpoint: without TLS only on this machine, wherever it was set; and its
// password is not told.
func TestEndpoint(t *testing.T) {
	const key = "arn:aws:kms:us-east-1:123456789012:key/" + uuid
	for endpoint, good := range map[string]bool{
		"https://vpce-0123.kms.us-east-1.vpce.amazonaws.com": true, "https://kms.example.com:8443": true,
		"http://127.0.0.1:5000": true, "http://localhost:5000": true, "http://[::1]:5000": true,
		"http://kms.example.com": false, "http://10.0.0.5:8080": false, "http://localhost.example.com": false,
		"ftp://x": false, "kms.example.com": false, "https://": false, "https://user:SECRET@kms.example.com": false,
	} {
		for _, from := range []string{"endpoint", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KMS"} {
			t.Run(from+" "+endpoint, func(t *testing.T) {
				kmstest.Setenv(t)
				o := Options{Section: Section{KeyID: key}}
				if from == "endpoint" {
					o.Endpoint = endpoint
				} else {
					t.Setenv(from, endpoint)
				}
				p := &Provider{opt: o, hangUp: func() {}, endSource: func() {}}
				err := p.connect(t.Context())
				if (err == nil) != good || err != nil && strings.Contains(err.Error(), "SECRET") {
					t.Errorf("%v", err)
				}
			})
		}
	}
}

func TestForeignEndpoint(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"https://vpce-0123.kms.us-east-1.vpce.amazonaws.com:443": false, "https://kms.cn-north-1.amazonaws.com.cn": false,
		"https://kms.example.com": true, "https://amazonaws.com.example.com": true, "http://127.0.0.1:5000": true,
	} {
		if foreign(&endpoint) != want {
			t.Error(endpoint)
		}
	}
	if foreign(nil) || host(nil, "us-east-1") != "kms.us-east-1.amazonaws.com" ||
		host(nil, "cn-north-1") != "kms.cn-north-1.amazonaws.com.cn" {
		t.Error("AWS's own")
	}
}
