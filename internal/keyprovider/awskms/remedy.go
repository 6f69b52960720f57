package awskms

import (
	"context"
	"fmt"
	"strings"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// An action is one operation of KMS, as metrics count it and as IAM calls it.
type action struct{ operation, name string }

var (
	describeKey  = action{keyprovider.OpDescribe, "kms:DescribeKey"}
	getPublicKey = action{keyprovider.OpPublicKey, "kms:GetPublicKey"}
	sign         = action{keyprovider.OpSign, "kms:Sign"}
	generateMac  = action{keyprovider.OpDerive, "kms:GenerateMac"}
)

// cause is the text of a failure, with nothing behind it but the end of the
// context: the SDK's errors hold requests.
type cause struct {
	text string
	err  error
}

func (c *cause) Error() string { return c.text }
func (c *cause) Unwrap() error { return c.err }

// explain turns what the SDK says of one call into an Error.
func explain(ctx context.Context, err error, a action, k *key, at *replica) *keyprovider.Error {
	v := classify(ctx, err)
	return k.fault(v.reason, a, remedy(v, a, k, at), &cause{at.region.name + ": " + v.cause, ctx.Err()})
}

// fault is an Error about a key.
func (k *key) fault(r keyprovider.Reason, a action, remedy string, err error) *keyprovider.Error {
	return &keyprovider.Error{Reason: r, Provider: Type, Action: a.name, Key: k.configured, Remedy: remedy,
		Err: err}
}

// remedy says what to do. Commands are complete: they name region and key.
func remedy(v class, a action, k *key, at *replica) string {
	on := fmt.Sprintf("--region %s --key-id %s", at.region.name, at.id)
	switch v.reason {
	case keyprovider.Denied:
		return fmt.Sprintf("check IAM permissions: the node's role needs %s on %s, and no policy of the key, "+
			"the organisation or the VPC endpoint may deny it", a.name, at.id)
	case keyprovider.Credentials:
		return credentialsRemedy(v.kind)
	case keyprovider.NotFound:
		return notFoundRemedy(k, at)
	case keyprovider.Disabled:
		if v.kind == importing {
			return fmt.Sprintf("its imported key material is missing or has expired: import it again (aws kms "+
				"get-parameters-for-import %s ...)", on)
		}
		return "to switch it on: aws kms enable-key " + on
	case keyprovider.PendingDeletion:
		return fmt.Sprintf("to keep it: aws kms cancel-key-deletion %s, then aws kms enable-key %s", on, on)
	case keyprovider.WrongKey:
		return k.role.must() + ": see aws kms describe-key " + on
	case keyprovider.Throttled:
		return fmt.Sprintf("the account makes more calls than its quota in %s allows: it is tried again; "+
			"if it stays, ask for more (Service Quotas, AWS KMS, request rate)", at.region.name)
	case keyprovider.Unavailable:
		switch v.kind {
		case unreachable:
			return fmt.Sprintf("endpoint not reached: check the region's name, DNS, routes, security groups, proxy and "+
				"VPC endpoint from this machine to %s", at.region.host)
		case source:
			return "the source of the AWS credentials (STS, SSO, the container's agent) does not answer or is failing: " +
				sourceRemedy
		case notReady:
			return "the key is being made, or its key store is not connected: see aws kms describe-key " + on
		}
		return fmt.Sprintf("KMS in %s is failing: retried automatically (https://health.aws.amazon.com)", at.region.name)
	case keyprovider.Timeout:
		if v.kind == source {
			return "the source of the AWS credentials (STS, SSO, the container's agent) does not answer in time: " + sourceRemedy
		}
		return fmt.Sprintf("no answer from %s in time: check the network, or raise timeout", at.region.host)
	case keyprovider.BadAnswer:
		return fmt.Sprintf("what answers at %s is not KMS, or damaged on its way: check endpoint and proxy", at.region.host)
	case keyprovider.Other:
		if v.kind == endpoint {
			return fmt.Sprintf("check region (%s) and endpoint", at.region.name)
		}
		return "KMS does not take this request: check " + k.role.setting
	}
	return ""
}

const sourceRemedy = "it is asked again; if it stays, check the way to it from this machine: aws sts " +
	"get-caller-identity"

func credentialsRemedy(k kind) string {
	switch k {
	case expired:
		return "the AWS credentials have expired: log in again (aws sso login), and restart the worker if the keys are in " +
			"a file or in the environment; or use an instance or task role, which renews itself"
	case skewed:
		return "set this machine's clock, and keep it right (timedatectl set-ntp true): signatures live for five minutes"
	}
	return "no AWS credentials that work: give the machine an instance or task role, or set AWS_ACCESS_KEY_ID and " +
		"AWS_SECRET_ACCESS_KEY or profile; aws sts get-caller-identity shows what the chain finds"
}

func notFoundRemedy(k *key, at *replica) string {
	name := at.region.name
	if k.name.alias() && !strings.Contains(at.id, ":key/") {
		return fmt.Sprintf("no such alias in %s (an alias belongs to one region and account): aws kms list-aliases "+
			"--region %s, "+
			"or give the key's ARN, or its region as regions = [\"...\"]", name, name)
	}
	return fmt.Sprintf("no such key in %s: check %s, its region and its account: aws kms list-keys --region %s",
		name, k.role.setting, name)
}

// A role is what a key is for.
type role struct {
	setting, spec, usage string
}

var (
	identityRole   = role{"key_id", "ECC_NIST_P256", "SIGN_VERIFY"}
	derivationRole = role{"derivation_key_id", "HMAC_256", "GENERATE_VERIFY_MAC"}
)

func (r role) must() string {
	return fmt.Sprintf("%s must be %s with %s", r.setting, r.spec, r.usage)
}

func (r role) create(region string, multi bool) string {
	flag := ""
	if multi {
		flag = " --multi-region"
	}
	return fmt.Sprintf("aws kms create-key --region %s --key-spec %s --key-usage %s%s", region, r.spec, r.usage, flag)
}
