package kmstest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

// caller calls one server in one region.
type caller struct {
	t      *testing.T
	url    string
	region string
}

func (c caller) do(operation string, in object) object {
	c.t.Helper()
	out, err := Do(c.url, c.region, operation, in)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

func (c caller) refused(operation string, in object, want string) {
	c.t.Helper()
	if out, err := Do(c.url, c.region, operation, in); err == nil || !strings.Contains(err.Error(), want) {
		c.t.Fatalf("%s gave %v, %v; want an error with %s", operation, out, err, want)
	}
}

func (c caller) bytes(operation, field string, in object) []byte {
	c.t.Helper()
	b, err := base64.StdEncoding.DecodeString(c.do(operation, in)[field].(string))
	if err != nil {
		c.t.Fatal(err)
	}
	return b
}

func signInput(arn string, digest []byte) object {
	return object{"KeyId": arn, "Message": digest, "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256"}
}

func macInput(arn, message string) object {
	return object{"KeyId": arn, "Message": []byte(message), "MacAlgorithm": "HMAC_SHA_256"}
}

// both runs a test over both servers.
func both(t *testing.T, test func(t *testing.T, s Server)) {
	t.Run("moto", func(t *testing.T) { test(t, StartMoto(t)) })
	t.Run("fault", func(t *testing.T) { test(t, StartFaultKMS(t)) })
}

func TestServers(t *testing.T) {
	both(t, func(t *testing.T, s Server) {
		c := caller{t, s.Endpoint(), Region}
		t.Run("sign", func(t *testing.T) {
			arn := s.CreateKey(Identity)
			public, err := x509.ParsePKIXPublicKey(c.bytes(GetPublicKey, "PublicKey", object{"KeyId": arn}))
			if err != nil {
				t.Fatal(err)
			}
			digest := sha256.Sum256([]byte("x"))
			sig := c.bytes(Sign, "Signature", signInput(arn, digest[:]))
			if !ecdsa.VerifyASN1(public.(*ecdsa.PublicKey), digest[:], sig) {
				t.Fatal("signature of a digest does not verify")
			}
			c.refused(GenerateMac, macInput(arn, "x"), "InvalidKeyUsageException")
		})
		t.Run("mac", func(t *testing.T) {
			arn := s.CreateKey(Derivation)
			one := c.bytes(GenerateMac, "Mac", macInput(arn, "x"))
			if len(one) != 32 || !bytes.Equal(one, c.bytes(GenerateMac, "Mac", macInput(arn, "x"))) {
				t.Fatal("MAC is not stable")
			}
			if bytes.Equal(one, c.bytes(GenerateMac, "Mac", macInput(arn, "y"))) {
				t.Fatal("MAC ignores the message")
			}
		})
		t.Run("alias", func(t *testing.T) {
			first, second := s.CreateKey(Identity), s.CreateKey(Identity)
			for _, arn := range []string{first, second} {
				s.CreateAlias(Region, "alias/node", arn)
				meta := c.do(DescribeKey, object{"KeyId": "alias/node"})["KeyMetadata"].(object)
				if meta["Arn"] != arn || meta["KeySpec"] != "ECC_NIST_P256" || meta["KeyState"] != "Enabled" {
					t.Fatalf("alias of %s gave %v", arn, meta)
				}
			}
			caller{t, s.Endpoint(), "eu-west-1"}.refused(DescribeKey, object{"KeyId": "alias/node"}, "NotFoundException")
		})
		t.Run("state", func(t *testing.T) {
			arn := s.CreateKey(Identity)
			state := func() any {
				return c.do(DescribeKey, object{"KeyId": arn})["KeyMetadata"].(object)["KeyState"]
			}
			s.Disable(arn)
			if state() != "Disabled" {
				t.Fatal(state())
			}
			s.Enable(arn)
			if state() != "Enabled" {
				t.Fatal(state())
			}
			s.ScheduleDeletion(arn)
			if state() != "PendingDeletion" {
				t.Fatal(state())
			}
		})
		t.Run("policy", func(t *testing.T) {
			arn := s.CreateKey(Identity)
			s.Deny(arn, "kms:DescribeKey")
			c.refused(DescribeKey, object{"KeyId": arn}, "AccessDeniedException")
			s.Deny(arn)
			c.do(DescribeKey, object{"KeyId": arn})
		})
		t.Run("replica", func(t *testing.T) {
			arn := s.CreateKey(Derivation.Multi())
			replica := s.Replicate(arn, "eu-west-1")
			there := caller{t, s.Endpoint(), "eu-west-1"}
			if !bytes.Equal(c.bytes(GenerateMac, "Mac", macInput(arn, "x")), there.bytes(GenerateMac, "Mac", macInput(replica, "x"))) {
				t.Fatal("replica derives other bytes")
			}
			s.Disable(arn)
			meta := there.do(DescribeKey, object{"KeyId": replica})["KeyMetadata"].(object)
			if meta["KeyState"] != "Enabled" || meta["Arn"] != replica || meta["MultiRegion"] != true {
				t.Fatalf("replica of a disabled key: %v", meta)
			}
		})
	})
}

// TestHowFarMotoGoes: what FaultKMS is for. It fails when moto learns it.
func TestHowFarMotoGoes(t *testing.T) {
	m := StartMoto(t)
	c := caller{t, m.URL, Region}
	arn := m.CreateKey(Identity)
	digest := sha256.Sum256([]byte("x"))
	m.Deny(arn, "kms:Sign", "kms:GetPublicKey")
	m.Disable(arn)
	c.do(Sign, signInput(arn, digest[:]))
	c.do(GetPublicKey, object{"KeyId": arn})
	m.ScheduleDeletion(arn)
	c.do(Sign, signInput(arn, digest[:]))
}

func TestFaultKMSRefuses(t *testing.T) {
	f := StartFaultKMS(t)
	c := caller{t, f.URL, Region}
	digest := sha256.Sum256([]byte("x"))
	arn := f.CreateKey(Identity)
	in := signInput(arn, digest[:])
	for state, want := range map[string]string{
		"Disabled": "DisabledException", "PendingDeletion": "pending deletion", "PendingImport": "pending import",
		"Unavailable": "KMSInvalidStateException",
	} {
		f.SetState(arn, state)
		c.refused(Sign, in, want)
		c.refused(GetPublicKey, object{"KeyId": arn}, want)
	}
	f.Enable(arn)
	f.Deny(arn, "kms:Sign")
	c.refused(Sign, in, "not authorized to perform: kms:Sign on resource: "+arn)
	f.Deny(arn)
	c.do(Sign, in)
	c.refused(Sign, signInput(arn, digest[:31]), "ValidationException")
	c.refused(Sign, signInput(f.CreateKey(Derivation), digest[:]), "InvalidKeyUsageException")
	c.refused(Sign, signInput(keyARN(Region, "no"), digest[:]), "does not exist")
	c.refused(Sign, signInput(keyARN("eu-west-1", "no"), digest[:]), "Invalid arn")
	c.refused("Encrypt", in, "UnknownOperationException")
	if n := f.CallsTo(arn, Sign); n != 7 {
		t.Fatalf("counted %d calls to the key", n)
	}
	if n := f.CallsIn(Region, Sign); n != 10 || f.Calls(Sign) != 10 {
		t.Fatalf("counted %d calls in the region", n)
	}
}

func TestFaults(t *testing.T) {
	f := StartFaultKMS(t)
	c := caller{t, f.URL, Region}
	arn := f.CreateKey(Identity)
	in := object{"KeyId": arn}
	for name, fault := range map[string]struct {
		Fault
		want string
	}{
		"throttled":         {Fault{Code: "ThrottlingException", Message: "Rate exceeded"}, "Rate exceeded"},
		"KMSInternal":       {Fault{Code: "KMSInternalException", Status: 500}, "500"},
		"unexpected EOF":    {Fault{Truncate: true}, "unexpected EOF"},
		"EOF":               {Fault{Drop: true}, "EOF"},
		"invalid character": {Fault{Body: "<html>"}, "invalid character"},
		"this key":          {Fault{Code: "X", Key: arn}, "X"},
		"this region":       {Fault{Code: "X", Region: Region}, "X"},
	} {
		f.Fault(DescribeKey, fault.Fault)
		t.Run(name, func(t *testing.T) { c.refused(DescribeKey, in, fault.want) })
	}
	f.Fault(DescribeKey, Fault{Code: "X", Key: arn + "x"}, Fault{Code: "Y", Region: "eu-west-1"},
		Fault{Code: "Twice", Times: 2}, Fault{Change: func(out object) { out["changed"] = true }, Times: 1})
	c.refused(DescribeKey, in, "Twice")
	c.refused(DescribeKey, in, "Twice")
	if out := c.do(DescribeKey, in); out["changed"] != true {
		t.Fatalf("not changed: %v", out)
	}
	if out := c.do(DescribeKey, in); out["changed"] != nil {
		t.Fatalf("changed once more: %v", out)
	}
	f.Everywhere(Fault{Latency: 30 * time.Millisecond})
	start := time.Now()
	c.do(DescribeKey, in)
	if took := time.Since(start); took < 30*time.Millisecond {
		t.Fatalf("answered after %s", took)
	}
}

// TestHangEndsWithTheServer: a test that leaves a call hanging still ends.
func TestHangEndsWithTheServer(t *testing.T) {
	ended := make(chan error, 1)
	t.Run("", func(t *testing.T) {
		f := StartFaultKMS(t)
		arn := f.CreateKey(Identity)
		f.Everywhere(Fault{Hang: true})
		go func() {
			_, err := Do(f.URL, Region, DescribeKey, object{"KeyId": arn})
			ended <- err
		}()
		for f.Calls(DescribeKey) == 0 {
			time.Sleep(time.Millisecond)
		}
		select {
		case err := <-ended:
			t.Fatalf("did not hang: %v", err)
		default:
		}
	})
	if err := <-ended; err == nil {
		t.Fatal("a call that hung was answered")
	}
}
