package awskms

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// A class is what an error of the SDK means.
type class struct {
	reason keyprovider.Reason
	kind   kind   // which remedy, where the reason has several
	cause  string // for people: one line
}

type kind string

const (
	expired     kind = "expired"     // credentials
	skewed      kind = "skewed"      // clock
	importing   kind = "importing"   // key material is missing
	unreachable kind = "unreachable" // no connection
	endpoint    kind = "endpoint"    // region or endpoint make no URL
	notReady    kind = "not ready"   // being made, or its key store is cut off
	source      kind = "source"      // of the credentials
)

// An answerError says what is wrong with an answer that KMS gave.
type answerError string

func (e answerError) Error() string { return string(e) }

// codes of KMS and of what stands before it (signatures, quotas), with what
// they mean. A code that is not here is classified by its HTTP status.
var codes = map[string]class{
	"AccessDeniedException": {reason: keyprovider.Denied},
	"AccessDenied":          {reason: keyprovider.Denied},
	"OptInRequired":         {reason: keyprovider.Denied},
	"NotAuthorized":         {reason: keyprovider.Denied},

	"SubscriptionRequiredException": {reason: keyprovider.Denied},

	"UnrecognizedClientException":         {reason: keyprovider.Credentials},
	"InvalidClientTokenId":                {reason: keyprovider.Credentials},
	"InvalidSignatureException":           {reason: keyprovider.Credentials},
	"SignatureDoesNotMatch":               {reason: keyprovider.Credentials},
	"IncompleteSignature":                 {reason: keyprovider.Credentials},
	"IncompleteSignatureException":        {reason: keyprovider.Credentials},
	"MissingAuthenticationToken":          {reason: keyprovider.Credentials},
	"MissingAuthenticationTokenException": {reason: keyprovider.Credentials},
	"ExpiredToken":                        {reason: keyprovider.Credentials, kind: expired},
	"ExpiredTokenException":               {reason: keyprovider.Credentials, kind: expired},
	"RequestExpired":                      {reason: keyprovider.Credentials, kind: skewed},
	"RequestTimeTooSkewed":                {reason: keyprovider.Credentials, kind: skewed},

	"NotFoundException":             {reason: keyprovider.NotFound},
	"InvalidArnException":           {reason: keyprovider.NotFound},
	"DisabledException":             {reason: keyprovider.Disabled},
	"InvalidKeyUsageException":      {reason: keyprovider.WrongKey},
	"UnsupportedOperationException": {reason: keyprovider.WrongKey},

	"ThrottlingException":      {reason: keyprovider.Throttled},
	"Throttling":               {reason: keyprovider.Throttled},
	"ThrottledException":       {reason: keyprovider.Throttled},
	"RequestThrottled":         {reason: keyprovider.Throttled},
	"TooManyRequestsException": {reason: keyprovider.Throttled},
	"RequestLimitExceeded":     {reason: keyprovider.Throttled},
	"LimitExceededException":   {reason: keyprovider.Throttled},
	"SlowDown":                 {reason: keyprovider.Throttled},

	"DependencyTimeoutException":  {reason: keyprovider.Unavailable},
	"KeyUnavailableException":     {reason: keyprovider.Unavailable},
	"KMSInternalException":        {reason: keyprovider.Unavailable},
	"InternalFailure":             {reason: keyprovider.Unavailable},
	"InternalError":               {reason: keyprovider.Unavailable},
	"InternalServerError":         {reason: keyprovider.Unavailable},
	"ServiceUnavailable":          {reason: keyprovider.Unavailable},
	"ServiceUnavailableException": {reason: keyprovider.Unavailable},
	"RequestTimeout":              {reason: keyprovider.Unavailable},
	"RequestTimeoutException":     {reason: keyprovider.Unavailable},
	"RequestAbortedException":     {reason: keyprovider.Unavailable},
}

// classify sorts an error of one call. The context's own end comes first, as the
// SDK reports it in several ways.
func classify(ctx context.Context, err error) class {
	var noCredentials *credentialsError
	var wrong answerError
	var api smithy.APIError
	var garbled *smithy.DeserializationError
	var unsent *smithyhttp.RequestSendError
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return class{reason: keyprovider.Canceled, cause: "the caller gave up"}
	case ctx.Err() != nil && errors.As(err, &noCredentials):
		return class{keyprovider.Timeout, source, "no AWS credentials in time"}
	case ctx.Err() != nil:
		return class{reason: keyprovider.Timeout, cause: "no answer in time"}
	case errors.As(err, &wrong):
		return class{reason: keyprovider.BadAnswer, cause: string(wrong)}
	case errors.As(err, &noCredentials):
		return classifySource(noCredentials)
	case errors.As(err, &api):
		return classifyAPI(err, api)
	case errors.As(err, &garbled):
		return classifyStatus(status(err), "the answer breaks off, or is not the JSON of KMS") // its text may quote a secret
	case errors.As(err, &unsent):
		return class{keyprovider.Unavailable, unreachable, brief(unsent.Err.Error())}
	}
	return class{keyprovider.Other, endpoint, brief(err.Error())}
}

func classifyAPI(err error, api smithy.APIError) class {
	code, message := api.ErrorCode(), api.ErrorMessage()
	v, known := codes[code]
	var response *awshttp.ResponseError
	request := ""
	if errors.As(err, &response) {
		request = response.ServiceRequestID()
	}
	switch {
	case code == "UnknownError" && request == "": // as the SDK calls what it can't read
		return classifyStatus(status(err), "nothing in the answer is of KMS")
	case code == "KMSInvalidStateException":
		v = classifyState(message)
	case !known:
		v = classifyStatus(status(err), "")
	case v.reason == keyprovider.Credentials && clockWords(message):
		v.kind = skewed
	}
	v.cause = brief(code + ": " + message)
	if behind := clockBehind(err); v.reason == keyprovider.Credentials && behind != 0 {
		v.kind = skewed
		v.cause += fmt.Sprintf("; this machine's clock is behind by %s", behind)
	}
	if request != "" {
		v.cause += ", request " + brief(request)
	}
	return v
}

// classifyState reads the state out of the message: "ARN is pending deletion."
func classifyState(message string) class {
	message = strings.ToLower(message)
	switch {
	case strings.Contains(message, "pending deletion"), strings.Contains(message, "pending replica deletion"),
		strings.Contains(message, "pendingdeletion"), strings.Contains(message, "pendingreplicadeletion"):
		return class{reason: keyprovider.PendingDeletion}
	case strings.Contains(message, "pending import"), strings.Contains(message, "pendingimport"):
		return class{reason: keyprovider.Disabled, kind: importing}
	case strings.Contains(message, "disabled"):
		return class{reason: keyprovider.Disabled}
	}
	// Creating, updating, or the custom key store is cut off.
	return class{reason: keyprovider.Unavailable, kind: notReady}
}

func classifyStatus(status int, cause string) class {
	v := class{reason: keyprovider.Other, cause: cause}
	switch {
	case status == http.StatusTooManyRequests:
		v.reason = keyprovider.Throttled
	case status >= 500:
		v.reason = keyprovider.Unavailable
	case cause != "":
		v.reason = keyprovider.BadAnswer
	case status == http.StatusForbidden:
		v.reason = keyprovider.Denied
	}
	if cause != "" && status >= 300 {
		v.cause = fmt.Sprintf("HTTP status %d, and %s", status, cause)
	}
	return v
}

func status(err error) int {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		return response.HTTPStatusCode()
	}
	return 0
}

func clockWords(message string) bool {
	return strings.Contains(message, "Signature expired") || strings.Contains(message, "Signature not yet current")
}

// clockBehind is how much this machine's clock is behind the server's; 0 within
// what AWS allows, which is five minutes.
func clockBehind(err error) time.Duration {
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) || response.Response == nil {
		return 0
	}
	there, err := http.ParseTime(response.Response.Header.Get("Date"))
	if err != nil {
		return 0
	}
	if off := time.Until(there).Round(time.Minute); off.Abs() > 4*time.Minute {
		return off
	}
	return 0
}

// brief keeps the first line, cut short, without what a terminal would obey.
// AWS repeats the whole request, with the session token, in later lines of a
// message about its signature.
func brief(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if len(s) > 400 {
		s = s[:400] + "..."
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s))
}
