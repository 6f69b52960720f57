package awskms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

// webIdentity makes STS, at an address, the source of the credentials.
func webIdentity(t *testing.T, sts string) {
	t.Helper()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("SECRETJWT"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", token)
	t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/x")
	t.Setenv("AWS_ENDPOINT_URL_STS", sts)
}

// TestSourceHangs: one request for credentials that is never answered does not
// keep those after it from an answer.
func TestSourceHangs(t *testing.T) {
	_, o := faulty(t)
	release := make(chan struct{})
	var hang, asked atomic.Int32
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if hang.CompareAndSwap(1, 0) {
			<-release
			return
		}
		soon := time.Now().Add(time.Second).UTC().Format(time.RFC3339) // within the SDK's window: asked for at every call
		_ = json.NewEncoder(w).Encode(map[string]string{
			"AccessKeyId": "AKID", "SecretAccessKey": "s", "Token": "t", "Expiration": soon,
		})
	}))
	defer agent.Close()
	defer close(release)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.URL)
	o.DerivationKeyID, o.source = "", 2*time.Second
	p := open(t, o)
	heard := &calls{}
	p.opt.Observe = heard.observe
	hang.Store(1)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := p.Sign(ctx, [32]byte{1})
	wants(t, err, keyprovider.Timeout, "source of the AWS credentials")
	if heard.String() != "" {
		t.Errorf("heard of calls that were not sent: %s", heard)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if _, err := p.Sign(ctx, [32]byte{1}); err != nil || asked.Load() < 3 {
		t.Errorf("after %d requests: %v", asked.Load(), err)
	}
}

// TestSilentSTS: the SDK's own client of STS gives up too.
func TestSilentSTS(t *testing.T) {
	_, o := faulty(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts, nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	webIdentity(t, "http://"+silent.Addr().String())
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	t.Setenv("AWS_REGION", "us-east-1")
	o.source = 20 * time.Millisecond
	heard := &calls{}
	o.Observe = heard.observe
	_, err = Open(t.Context(), o)
	wants(t, err, keyprovider.Unavailable, "source of the AWS credentials")
	if heard.String() != "" {
		t.Errorf("heard of calls that were not sent: %s", heard)
	}
}

// TestSourceFails: credentials that can't be had now are told from those that
// are refused, and no secret of theirs is told.
func TestSourceFails(t *testing.T) {
	type answer struct {
		status int
		code   string
	}
	_, o := faulty(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	for name, c := range map[string]struct {
		answer
		reason keyprovider.Reason
	}{
		"down":      {answer{503, "ServiceUnavailable"}, keyprovider.Unavailable},
		"throttled": {answer{400, "Throttling"}, keyprovider.Unavailable},
		"too many":  {answer{429, "Unheard"}, keyprovider.Unavailable},
		"denied":    {answer{403, "AccessDenied"}, keyprovider.Credentials},
		"expired":   {answer{400, "ExpiredTokenException"}, keyprovider.Credentials},
	} {
		t.Run(name, func(t *testing.T) {
			sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(c.status)
				_, _ = fmt.Fprintf(w, "<ErrorResponse><Error><Code>%s</Code><Message>no</Message></Error></ErrorResponse>", c.code)
			}))
			defer sts.Close()
			webIdentity(t, sts.URL)
			_, err := Open(t.Context(), o)
			wants(t, err, c.reason)
			if strings.Contains(err.Error(), "SECRETJWT") {
				t.Errorf("says a secret: %v", err)
			}
		})
	}
}

// TestSourceOfAnError: what would take the SDK seconds to find out. That a
// machine has no instance metadata is the end of the chain, and no failure.
func TestSourceOfAnError(t *testing.T) {
	unsent := &smithyhttp.RequestSendError{Err: errors.New("connection refused")}
	instance := fmt.Errorf("no EC2 IMDS role found, %w", &smithy.OperationError{ServiceID: imds.ServiceID, Err: unsent})
	for name, c := range map[string]struct {
		err   error
		fails bool
	}{
		"STS not reached":   {&smithy.OperationError{ServiceID: "STS", Err: unsent}, true},
		"agent fails":       {&smithy.GenericAPIError{Fault: smithy.FaultServer}, true},
		"no instance":       {instance, false},
		"no instance's STS": {&smithy.OperationError{ServiceID: "STS", Err: instance}, false},
		"nothing there":     {errors.New("no such file"), false},
	} {
		if sourceFails(c.err) != c.fails {
			t.Error(name)
		}
	}
}

// TestRoleNeedsNoRegion: STS is asked in the region of the key, where nothing
// else names one.
func TestRoleNeedsNoRegion(t *testing.T) {
	f, o := faulty(t)
	var scope atomic.Value
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scope.Store(r.Header.Get("Authorization"))
		_, _ = fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>AKID</AccessKeyId>
			<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration>
			</Credentials></AssumeRoleResult></AssumeRoleResponse>`,
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	defer sts.Close()
	config := filepath.Join(t.TempDir(), "config")
	text := "[profile base]\naws_access_key_id = AKID\naws_secret_access_key = S\n" +
		"[profile frost]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = base\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	t.Setenv("AWS_CONFIG_FILE", config)
	t.Setenv("AWS_ENDPOINT_URL_STS", sts.URL)
	o.Profile, o.DerivationKeyID = "frost", ""
	o.KeyID = f.CreateKey(kmstest.Identity.In("eu-west-1"))
	open(t, o)
	if got, _ := scope.Load().(string); !strings.Contains(got, "/eu-west-1/sts/") {
		t.Errorf("STS was asked with %q", got)
	}
	t.Setenv("AWS_REGION", "us-west-2") // wins: the operator's word
	open(t, o)
	if got, _ := scope.Load().(string); !strings.Contains(got, "/us-west-2/sts/") {
		t.Errorf("STS was asked with %q", got)
	}
}

// gone is an address where nobody answers.
func gone(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	return l.Addr().String()
}
