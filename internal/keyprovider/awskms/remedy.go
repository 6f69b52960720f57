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

// A problem is why a call failed, and what to do. In the remedy, {action}, {id},
// {region}, {host} and {setting} stand for those of the call, {key} for the
// options of a command that name the key, and {must} for what its role wants.
type problem struct {
	reason keyprovider.Reason
	remedy string
}

var (
	denied = problem{keyprovider.Denied, "check IAM permissions: the node's role needs {action} on {id}, and no " +
		"policy of the key, the organisation or the VPC endpoint may deny it"}

	noCredentials = problem{keyprovider.Credentials, "no AWS credentials that work: give the machine an instance or " +
		"task role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or profile; aws sts get-caller-identity shows " +
		"what the chain finds"}
	expired = problem{keyprovider.Credentials, "the AWS credentials have expired: log in again (aws sso login), and " +
		"restart the worker if the keys are in a file or in the environment; or use an instance or task role, which " +
		"renews itself"}
	skewed = problem{keyprovider.Credentials, "set this machine's clock, and keep it right (timedatectl set-ntp " +
		"true): signatures live for five minutes"}

	notFound = problem{keyprovider.NotFound, "no such key in {region}: check {setting}, its region and its account: " +
		"aws kms list-keys --region {region}"}
	noAlias = problem{keyprovider.NotFound, "no such alias in {region} (an alias belongs to one region and account): " +
		"aws kms list-aliases --region {region}, or give the key's ARN, or its region as regions = [\"...\"]"}

	disabled  = problem{keyprovider.Disabled, "to switch it on: aws kms enable-key {key}"}
	importing = problem{keyprovider.Disabled, "its imported key material is missing or has expired: import it again " +
		"(aws kms get-parameters-for-import {key} ...)"}
	pendingDeletion = problem{keyprovider.PendingDeletion, "to keep it: aws kms cancel-key-deletion {key}, then aws " +
		"kms enable-key {key}"}
	wrongKey = problem{keyprovider.WrongKey, "{must}: see aws kms describe-key {key}"}

	throttled = problem{keyprovider.Throttled, "the account makes more calls than its quota in {region} allows: it is " +
		"tried again; if it stays, ask for more (Service Quotas, AWS KMS, request rate)"}
	failing = problem{keyprovider.Unavailable, "KMS in {region} is failing: retried automatically " +
		"(https://health.aws.amazon.com)"}
	notReady = problem{keyprovider.Unavailable, "the key is being made, or its key store is not connected: see aws " +
		"kms describe-key {key}"}
	unreachable = problem{keyprovider.Unavailable, "endpoint not reached: check the region's name, DNS, routes, " +
		"security groups, proxy and VPC endpoint from this machine to {host}"}
	slow = problem{keyprovider.Timeout, "no answer from {host} in time: check the network, or raise timeout"}

	sourceFailing = problem{keyprovider.Unavailable, "the source of the AWS credentials (STS, SSO, the container's " +
		"agent) does not answer or is failing: " + askSource}
	sourceSlow = problem{keyprovider.Timeout, "the source of the AWS credentials (STS, SSO, the container's agent) " +
		"does not answer in time: " + askSource}

	badAnswer = problem{keyprovider.BadAnswer, "what answers at {host} is not KMS, or damaged on its way: check " +
		"endpoint and proxy"}
	noURL      = problem{keyprovider.Other, "check region ({region}) and endpoint"}
	badRequest = problem{keyprovider.Other, "KMS does not take this request: check {setting}"}
)

const askSource = "it is asked again; if it stays, check the way to it from this machine: aws sts get-caller-identity"

// cause is the text of a failure, with nothing behind it but the end of the
// context: the SDK's errors hold requests.
type cause struct {
	text string
	err  error
}

func (c *cause) Error() string { return c.text }
func (c *cause) Unwrap() error { return c.err }

// explain turns what the SDK says of one call into an Error.
func explain(ctx context.Context, err error, a action, at *replica) *keyprovider.Error {
	p, text := classify(ctx, err)
	return at.fault(p, a, &cause{at.region.name + ": " + text, ctx.Err()})
}

// fault is an Error about a replica. Commands are complete: they name region and
// key.
func (at *replica) fault(p problem, a action, err error) *keyprovider.Error {
	if p == notFound && at.key.name.alias() && !strings.Contains(at.id, ":key/") {
		p = noAlias
	}
	remedy := strings.NewReplacer("{action}", a.name, "{id}", at.id, "{region}", at.region.name,
		"{host}", at.region.host, "{key}", "--region "+at.region.name+" --key-id "+at.id,
		"{setting}", at.key.role.setting, "{must}", at.key.role.must()).Replace(p.remedy)
	return at.key.fault(p.reason, a, remedy, err)
}

// fault is an Error about a key.
func (k *key) fault(r keyprovider.Reason, a action, remedy string, err error) *keyprovider.Error {
	return &keyprovider.Error{Reason: r, Provider: Type, Action: a.name, Key: k.configured, Remedy: remedy, Err: err}
}

// A role is what a key is for.
type role struct {
	name, setting, spec, usage string
	actions                    []string // that the node needs
}

var (
	identityRole = &role{"identity", "key_id", "ECC_NIST_P256", "SIGN_VERIFY",
		[]string{"kms:DescribeKey", "kms:GetPublicKey", "kms:Sign"}}
	derivationRole = &role{"derivation", "derivation_key_id", "HMAC_256", "GENERATE_VERIFY_MAC",
		[]string{"kms:DescribeKey", "kms:GenerateMac"}}
)

func (r *role) must() string {
	return fmt.Sprintf("%s must be %s with %s", r.setting, r.spec, r.usage)
}

func (r *role) create(region string, multi bool) string {
	flag := ""
	if multi {
		flag = " --multi-region"
	}
	return fmt.Sprintf("aws kms create-key --region %s --key-spec %s --key-usage %s%s", region, r.spec, r.usage, flag)
}
