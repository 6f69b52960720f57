package awskms

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

type fault = kmstest.Fault

// TestErrorsOfSign: what KMS says, what the operator reads, and that it took
// one HTTP request.
func TestErrorsOfSign(t *testing.T) {
	f, o := faulty(t)
	o.DerivationKeyID = ""
	arn := o.KeyID
	on := "--region us-east-1 --key-id " + arn
	code := func(code, message string) fault { return fault{Code: code, Message: message} }
	tests := map[string]struct {
		fault  fault
		reason keyprovider.Reason
		words  []string
	}{
		"denied": {code("AccessDeniedException", "User: arn:aws:sts::123456789012:assumed-role/x/y is not authorized"),
			keyprovider.Denied, []string{"check IAM permissions", "needs kms:Sign on " + arn, "assumed-role/x/y"}},
		"denied by a proxy": {fault{Status: 403, Code: "Forbidden"}, keyprovider.Denied, []string{"VPC endpoint"}},
		"not found": {code("NotFoundException", "Key does not exist"),
			keyprovider.NotFound, []string{"no such key in us-east-1", "check key_id"}},
		"bad ARN": {code("InvalidArnException", ""), keyprovider.NotFound, []string{"no such key"}},
		"disabled": {code("DisabledException", arn+" is disabled."),
			keyprovider.Disabled, []string{"aws kms enable-key " + on}},
		"pending deletion": {code("KMSInvalidStateException", arn+" is pending deletion."),
			keyprovider.PendingDeletion, []string{"aws kms cancel-key-deletion " + on, "then aws kms enable-key"}},
		"pending replica deletion": {code("KMSInvalidStateException", arn+" is pending replica deletion."),
			keyprovider.PendingDeletion, nil},
		"pending import": {code("KMSInvalidStateException", arn+" is pending import."),
			keyprovider.Disabled, []string{"import it again"}},
		"invalid state": {code("KMSInvalidStateException", "?"),
			keyprovider.Unavailable, []string{"aws kms describe-key " + on}},
		"usage": {code("InvalidKeyUsageException", "x"),
			keyprovider.WrongKey, []string{"must be ECC_NIST_P256 with SIGN_VERIFY"}},
		"unsupported": {code("UnsupportedOperationException", "x"),
			keyprovider.WrongKey, []string{"must be ECC_NIST_P256 with SIGN_VERIFY"}},
		"validation": {code("ValidationException", "1 validation error"),
			keyprovider.Other, []string{"check key_id"}},
		"throttled": {code("ThrottlingException", "Rate exceeded"),
			keyprovider.Throttled, []string{"quota", "us-east-1", "Rate exceeded"}},
		"limit":    {code("LimitExceededException", ""), keyprovider.Throttled, nil},
		"too many": {fault{Status: 429, Code: "Unheard"}, keyprovider.Throttled, nil},
		"no such client": {code("UnrecognizedClientException", "The security token included in the request is invalid."),
			keyprovider.Credentials, []string{"aws sts get-caller-identity"}},
		"expired": {code("ExpiredTokenException", "The security token included in the request is expired"),
			keyprovider.Credentials, []string{"have expired"}},
		"no signature": {code("MissingAuthenticationTokenException", ""), keyprovider.Credentials, nil},
		"bad signature": {code("InvalidSignatureException", "The request signature we calculated does not match.\n\n"+
			"The Canonical String:\nx-amz-security-token:SECRETTOKEN"),
			keyprovider.Credentials, []string{"no AWS credentials that work", "does not match"}},
		"old signature": {code("InvalidSignatureException", "Signature expired: 20260101T000000Z is now earlier than "+
			"20260101T001000Z"), keyprovider.Credentials, []string{"clock"}},
		"clock": {fault{Code: "InvalidSignatureException", Message: "x", Date: time.Now().Add(time.Hour)},
			keyprovider.Credentials, []string{"timedatectl", "clock is behind by 1h0m0s"}},
		"dependency": {fault{Code: "DependencyTimeoutException", Status: 503},
			keyprovider.Unavailable, []string{"KMS in us-east-1 is failing"}},
		"unavailable":     {fault{Code: "KeyUnavailableException", Status: 500}, keyprovider.Unavailable, nil},
		"internal":        {fault{Code: "KMSInternalException", Status: 500}, keyprovider.Unavailable, nil},
		"unknown 500":     {fault{Code: "Unheard", Status: 502}, keyprovider.Unavailable, []string{"Unheard"}},
		"unknown 400":     {fault{Code: "Unheard", Status: 400}, keyprovider.Other, []string{"Unheard"}},
		"another service": {code("NotAuthorized", ""), keyprovider.Denied, nil},
		"no account":      {code("SubscriptionRequiredException", ""), keyprovider.Denied, nil},
		"aborted":         {code("RequestAbortedException", ""), keyprovider.Unavailable, nil},
		"escapes": {code("AccessDeniedException", "\r\x1b[2K\x1b[1A\u202eok\xff"),
			keyprovider.Denied, []string{"AccessDeniedException:   [2K [1A ok"}},
		"HTML 503":   {fault{Body: "<html>", Status: 503}, keyprovider.Unavailable, []string{"503"}},
		"HTML 403":   {fault{Body: "<html>", Status: 403}, keyprovider.BadAnswer, []string{"403", "not KMS"}},
		"HTML 200":   {fault{Body: "<html>"}, keyprovider.BadAnswer, []string{"not KMS"}},
		"redirect":   {fault{Body: "moved", Status: 307}, keyprovider.BadAnswer, []string{"307"}},
		"empty":      {fault{Body: "{}"}, keyprovider.BadAnswer, []string{"no signature returned"}},
		"not base64": {fault{Body: `{"Signature":"*"}`}, keyprovider.BadAnswer, nil},
		"wrong type": {fault{Body: `{"Signature":{}}`}, keyprovider.BadAnswer, nil},
		"endless": {fault{Body: `{"Signature":"` + strings.Repeat("A", 1<<20) + `"}`},
			keyprovider.BadAnswer, []string{"breaks off"}},
		"truncated": {fault{Truncate: true}, keyprovider.BadAnswer, []string{"breaks off"}},
		"dropped":   {fault{Drop: true}, keyprovider.Unavailable, []string{"endpoint not reached", "127.0.0.1"}},
		"not DER": {fault{Change: func(out map[string]any) { out["Signature"] = make([]byte, 64) }},
			keyprovider.BadAnswer, []string{"DER"}},
		"bit flipped": {fault{Change: func(out map[string]any) { sig := out["Signature"].([]byte); sig[20] ^= 1 }},
			keyprovider.BadAnswer, []string{"does not verify"}},
	}
	t.Setenv("AWS_MAX_ATTEMPTS", "5") // is for other tools
	t.Setenv("AWS_RETRY_MODE", "adaptive")
	heard := &calls{}
	o.Observe = heard.observe
	p := open(t, o)
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			f.Fault(kmstest.Sign, c.fault)
			before := f.Calls(kmstest.Sign)
			sig, err := p.Sign(t.Context(), [32]byte{1})
			wants(t, err, c.reason, append(c.words, "aws-kms: kms:Sign with "+arn, "us-east-1: ")...)
			if sig != nil {
				t.Error("an error with a signature")
			}
			if strings.Contains(err.Error(), "SECRETTOKEN") || strings.Contains(err.Error(), "\n") || len(err.Error()) > 1200 {
				t.Errorf("says too much: %s", err)
			}
			if made := f.Calls(kmstest.Sign) - before; made != 1 {
				t.Errorf("%d requests", made)
			}
		})
	}
	f.Fault(kmstest.Sign)
	if _, err := p.Sign(t.Context(), [32]byte{1}); err != nil {
		t.Fatalf("does not recover: %v", err)
	}
	if signs := strings.Count(heard.String(), "sign "); signs != len(tests)+1 {
		t.Errorf("heard of %d calls to sign, not %d: %s", signs, len(tests)+1, heard)
	}
}

// TestBareStatus: an answer without a word of KMS is of something in between,
// and no reason to look at permissions or keys.
func TestBareStatus(t *testing.T) {
	kmstest.Setenv(t)
	for status, reason := range map[int]keyprovider.Reason{
		401: keyprovider.BadAnswer, 403: keyprovider.BadAnswer, 404: keyprovider.BadAnswer, 407: keyprovider.BadAnswer,
		429: keyprovider.Throttled, 502: keyprovider.Unavailable,
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) }))
		section := Section{KeyID: "arn:aws:kms:us-east-1:123456789012:key/" + uuid, Endpoint: s.URL}
		_, err := Open(t.Context(), Options{Section: section})
		s.Close()
		wants(t, err, reason, strconv.Itoa(status))
	}
}

// TestProbeWithoutDescribe: a role that lost kms:DescribeKey while the node
// runs; the key itself tells.
func TestProbeWithoutDescribe(t *testing.T) {
	f, o := faulty(t)
	p := open(t, o)
	f.Deny(o.KeyID, "kms:DescribeKey")
	if err := p.Probe(t.Context()); err != nil || f.Calls(kmstest.Sign) != 1 {
		t.Errorf("%v, %d signatures", err, f.Calls(kmstest.Sign))
	}
	f.Disable(o.KeyID)
	wants(t, p.Probe(t.Context()), keyprovider.Disabled, "kms:Sign")
	f.Enable(o.KeyID)
	f.Deny(o.KeyID, "kms:DescribeKey", "kms:Sign")
	wants(t, p.Probe(t.Context()), keyprovider.Denied, "kms:Sign")
}

// TestStates: the key's own states, as Sign, Probe and Open meet them.
func TestStates(t *testing.T) {
	f, o := faulty(t)
	p := open(t, o)
	for state, reason := range map[string]keyprovider.Reason{
		"Disabled": keyprovider.Disabled, "PendingDeletion": keyprovider.PendingDeletion,
		"PendingImport": keyprovider.Disabled,
		"Unavailable":   keyprovider.Unavailable, "Creating": keyprovider.Unavailable, "Updating": keyprovider.OK,
	} {
		f.SetState(o.KeyID, state)
		_, signErr := p.Sign(t.Context(), [32]byte{1})
		_, openErr := Open(t.Context(), o)
		for call, err := range map[string]error{"Sign": signErr, "Open": openErr, "Probe": p.Probe(t.Context())} {
			if keyprovider.ReasonOf(err) != reason {
				t.Errorf("%s with state %s: %v", call, state, err)
			}
		}
	}
	f.Enable(o.KeyID)
	if err := p.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.Disable(o.DerivationKeyID)
	_, err := p.Derive(t.Context(), []byte("x"))
	wants(t, err, keyprovider.Disabled, "kms:GenerateMac with "+o.DerivationKeyID)
}

// TestVagueState: a message that does not say in which state the key is.
func TestVagueState(t *testing.T) {
	f, o := faulty(t)
	p := open(t, o)
	f.ScheduleDeletion(o.KeyID)
	f.Fault(kmstest.Sign, fault{Code: "KMSInvalidStateException", Message: "no"})
	_, err := p.Sign(t.Context(), [32]byte{1})
	wants(t, err, keyprovider.PendingDeletion, "to be deleted on 2027-01-15")
}

// TestMotoErrors: what moto can produce too, in its own words.
func TestMotoErrors(t *testing.T) {
	kmstest.Setenv(t)
	m := kmstest.StartMoto(t)
	tests := map[string]struct {
		spoil  func(arn string)
		reason keyprovider.Reason
		word   string
	}{
		"disabled":         {m.Disable, keyprovider.Disabled, "enable-key"},
		"pending deletion": {m.ScheduleDeletion, keyprovider.PendingDeletion, "to be deleted on 20"},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			o := Options{Section: Section{KeyID: m.CreateKey(kmstest.Identity), Endpoint: m.URL}}
			p := open(t, o)
			c.spoil(o.KeyID)
			wants(t, p.Probe(t.Context()), c.reason, c.word)
			_, err := Open(t.Context(), o)
			wants(t, err, c.reason, c.word)
		})
	}
	denied := Options{Section: Section{KeyID: m.CreateKey(kmstest.Identity), Endpoint: m.URL}}
	m.Deny(denied.KeyID, "kms:DescribeKey")
	_, err := Open(t.Context(), denied)
	wants(t, err, keyprovider.Denied, "needs kms:DescribeKey on arn")
	for name, id := range map[string]string{
		"key": "arn:aws:kms:us-east-1:123456789012:key/" + uuid, "alias": "arn:aws:kms:us-east-1:123456789012:alias/none",
	} {
		_, err := Open(t.Context(), Options{Section: Section{KeyID: id, Endpoint: m.URL}})
		wants(t, err, keyprovider.NotFound, "no such "+name+" in us-east-1")
	}
	for spec, word := range map[string]string{"RSA_2048": "RSA", "ECC_SECG_P256K1": "not on this curve"} {
		id := m.CreateKey(kmstest.Key{Spec: spec, Usage: "SIGN_VERIFY"})
		_, err = Open(t.Context(), Options{Section: Section{KeyID: id, Endpoint: m.URL}})
		wants(t, err, keyprovider.WrongKey, word)
	}
}

func TestErrorsOfDerive(t *testing.T) {
	f, o := faulty(t)
	p := open(t, o)
	change := func(mac any) fault { return fault{Change: func(out map[string]any) { out["Mac"] = mac }} }
	for name, c := range map[string]struct {
		fault fault
		word  string
	}{
		"short": {change(make([]byte, 31)), "31 bytes, not 32"},
		"long":  {change(make([]byte, 33)), "33 bytes, not 32"},
		"none":  {change(nil), "0 bytes, not 32"},
		"cut":   {fault{Body: `{"Mac":"U0VDUkVUU0VDUkVUU0VDUkVU`}, "breaks off"},
	} {
		t.Run(name, func(t *testing.T) {
			f.Fault(kmstest.GenerateMac, c.fault)
			out, err := p.Derive(t.Context(), []byte("x"))
			wants(t, err, keyprovider.BadAnswer, c.word)
			if out != [32]byte{} || strings.Contains(err.Error(), "U0VD") {
				t.Fatalf("%x, %v", out, err)
			}
		})
	}
}
