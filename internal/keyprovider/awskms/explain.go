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

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// An answerError says what is wrong with an answer that KMS gave.
type answerError string

func (e answerError) Error() string { return string(e) }

// byCode is what a code of KMS means, or of what stands before it (signatures,
// quotas). One that is not known is classified by its HTTP status.
func byCode(code string) (p problem, known bool) {
	switch code {
	case "AccessDeniedException", "AccessDenied", "OptInRequired", "NotAuthorized", "SubscriptionRequiredException":
		return denied, true
	case "UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch",
		"IncompleteSignature", "IncompleteSignatureException", "MissingAuthenticationToken",
		"MissingAuthenticationTokenException":
		return noCredentials, true
	case "ExpiredToken", "ExpiredTokenException":
		return expired, true
	case "RequestExpired", "RequestTimeTooSkewed":
		return skewed, true
	case "NotFoundException", "InvalidArnException":
		return notFound, true
	case "DisabledException":
		return disabled, true
	case "InvalidKeyUsageException", "UnsupportedOperationException":
		return wrongKey, true
	case "DependencyTimeoutException", "KeyUnavailableException", "KMSInternalException", "InternalFailure",
		"InternalError", "InternalServerError", "ServiceUnavailable", "ServiceUnavailableException", "RequestTimeout",
		"RequestTimeoutException", "RequestAbortedException":
		return failing, true
	}
	if _, quota := retry.DefaultThrottleErrorCodes[code]; quota {
		return throttled, true
	}
	return problem{}, false
}

// classify sorts an error of one call, and says in one line what happened. The
// context's own end comes first, as the SDK reports it in several ways.
func classify(ctx context.Context, err error) (p problem, text string) {
	var source *credentialsError
	var wrong answerError
	var api smithy.APIError
	var unsent *smithyhttp.RequestSendError
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return problem{reason: keyprovider.Canceled}, "the caller gave up"
	case ctx.Err() != nil && errors.As(err, &source):
		return sourceSlow, "no AWS credentials in time"
	case ctx.Err() != nil:
		return slow, "no answer in time"
	case errors.As(err, &wrong):
		return badAnswer, string(wrong)
	case errors.As(err, &source) && sourceFails(source.err):
		return sourceFailing, source.Error()
	case errors.As(err, &source):
		return noCredentials, source.Error()
	case errors.As(err, &api):
		return classifyAPI(err, api)
	case errors.As(err, new(*smithy.DeserializationError)):
		return classifyStatus(err, "the answer breaks off, or is not the JSON of KMS") // its text may quote a secret
	case errors.As(err, &unsent):
		return unreachable, brief(unsent.Err.Error())
	}
	return noURL, brief(err.Error())
}

func classifyAPI(err error, api smithy.APIError) (p problem, text string) {
	code, message := api.ErrorCode(), api.ErrorMessage()
	request := ""
	if r := (*awshttp.ResponseError)(nil); errors.As(err, &r) {
		request = r.ServiceRequestID()
	}
	p, known := byCode(code)
	switch {
	case code == "UnknownError" && request == "": // as the SDK calls what it can't read
		return classifyStatus(err, "nothing in the answer is of KMS")
	case code == "KMSInvalidStateException":
		p = classifyState(message)
	case !known:
		p, _ = classifyStatus(err, "")
	}
	text = brief(code + ": " + message)
	if p.reason == keyprovider.Credentials {
		behind := clockBehind(err)
		if behind != 0 {
			text += fmt.Sprintf("; this machine's clock is behind by %s", behind)
		}
		if behind != 0 || strings.Contains(message, "Signature expired") ||
			strings.Contains(message, "Signature not yet current") {
			p = skewed
		}
	}
	if request != "" {
		text += ", request " + brief(request)
	}
	return p, text
}

// classifyState reads a state out of the key's description ("PendingDeletion")
// or of a message ("ARN is pending deletion.").
func classifyState(text string) problem {
	text = strings.ReplaceAll(strings.ToLower(text), " ", "")
	switch {
	case strings.Contains(text, "pendingdeletion"), strings.Contains(text, "pendingreplicadeletion"):
		return pendingDeletion
	case strings.Contains(text, "pendingimport"):
		return importing
	case strings.Contains(text, "disabled"):
		return disabled
	}
	return notReady // Creating, Updating, Unavailable, and what AWS may add
}

// classifyStatus goes by the HTTP status. odd says why the answer can't be
// KMS's; empty if it is.
func classifyStatus(err error, odd string) (p problem, text string) {
	status := response(err).StatusCode
	switch {
	case status == http.StatusTooManyRequests:
		p = throttled
	case status >= 500:
		p = failing
	case odd != "":
		p = badAnswer
	case status == http.StatusForbidden:
		p = denied
	default:
		p = badRequest
	}
	if odd != "" && status >= 300 {
		odd = fmt.Sprintf("HTTP status %d, and %s", status, odd)
	}
	return p, odd
}

// response is the one behind an error; an empty one if there was none.
func response(err error) *http.Response {
	var r *smithyhttp.ResponseError
	if errors.As(err, &r) && r.Response != nil {
		return r.Response.Response
	}
	return new(http.Response)
}

// clockBehind is how much this machine's clock is behind the server's; 0 within
// what AWS allows, which is five minutes.
func clockBehind(err error) time.Duration {
	there, err := http.ParseTime(response(err).Header.Get("Date"))
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
