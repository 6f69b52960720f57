// Package kmstest gives tests two stand-ins for AWS KMS, both reached over
// HTTP by whoever has their URL, another process too.
//
// Moto is moto's server (PyPI), an independent imitation of AWS. It goes this
// far (5.2.5): aliases, multi-Region replicas, the state of a key and a policy
// that denies are all seen by DescribeKey, but Sign, GetPublicKey and
// GenerateMac ask neither state nor policy. It also hashes a digest once more,
// which the launcher here fixes.
//
// FaultKMS is our own, for what moto can't: Sign with a key that is disabled
// or denied, latency, throttling, hangs, failures of the service, damaged
// answers. It keeps real keys in memory and counts calls.
package kmstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// Account of every key, and the region of those that name none.
const (
	Account = "123456789012"
	Region  = "us-east-1"
)

// Key says what to create.
type Key struct {
	Spec, Usage string
	Region      string // Region when empty
	MultiRegion bool
}

// The two keys of a node.
var (
	Identity   = Key{Spec: "ECC_NIST_P256", Usage: "SIGN_VERIFY"}
	Derivation = Key{Spec: "HMAC_256", Usage: "GENERATE_VERIFY_MAC"}
)

// In gives the same kind of key in another region.
func (k Key) In(region string) Key {
	k.Region = region
	return k
}

// Multi gives a multi-Region key of the same kind.
func (k Key) Multi() Key {
	k.MultiRegion = true
	return k
}

func (k Key) region() string {
	if k.Region == "" {
		return Region
	}
	return k.Region
}

// Server is what both stand-ins can do. Keys are named by ARN.
type Server interface {
	Endpoint() string
	CreateKey(Key) (arn string)
	CreateAlias(region, alias, arn string) // moves an alias that is there
	Replicate(arn, region string) (replica string)
	Disable(arn string)
	Enable(arn string)
	ScheduleDeletion(arn string)
	Deny(arn string, actions ...string) // kms:Sign; none: nothing is denied any more
}

// Env is the environment of a process that is to use a stand-in: credentials
// of no worth, no region, and nothing of the machine's own AWS configuration.
func Env() []string {
	return []string{
		"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
		"AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		"AWS_SESSION_TOKEN=",
		"AWS_REGION=", "AWS_DEFAULT_REGION=", "AWS_PROFILE=", "AWS_ENDPOINT_URL=", "AWS_ENDPOINT_URL_KMS=",
		"AWS_CA_BUNDLE=", "AWS_WEB_IDENTITY_TOKEN_FILE=", "AWS_ROLE_ARN=",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=", "AWS_CONTAINER_CREDENTIALS_FULL_URI=",
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
	}
}

// Setenv puts Env into this process until the test ends.
func Setenv(t interface {
	Helper()
	Setenv(key, value string)
}) {
	t.Helper()
	for _, pair := range Env() {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
}

// region of an ARN, and its last part: key/ID or alias/NAME.
func splitARN(arn string) (region, resource string) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 {
		panic("kmstest: not an ARN: " + arn)
	}
	return parts[3], parts[5]
}

func keyARN(region, id string) string {
	return "arn:aws:kms:" + region + ":" + Account + ":key/" + id
}

// object is a JSON object.
type object = map[string]any

// Do calls any operation of KMS at an endpoint, without the SDK and with a
// signature that only says the region.
func Do(endpoint, region, operation string, in map[string]any) (map[string]any, error) {
	if in == nil {
		in = object{}
	}
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "TrentService."+operation)
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/"+region+
		"/kms/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", operation, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %s", operation, resp.Status, text)
	}
	var out object
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", operation, err, text)
	}
	return out, nil
}
