package awskms

import (
	"errors"
	"net"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// sourceFails tells credentials that are missing or refused from a source of
// credentials (STS, SSO, a container's agent) that is failing, which may pass.
func sourceFails(err error) bool {
	var api smithy.APIError
	switch code := response(err).StatusCode; {
	case asksInstance(err):
		return false // the end of the chain: most machines have no instance metadata
	case errors.As(err, new(*smithyhttp.RequestSendError)), code >= 500, code == http.StatusTooManyRequests:
		return true
	case errors.As(err, &api):
		p, _ := byCode(api.ErrorCode())
		return api.ErrorFault() == smithy.FaultServer || p.reason.Temporary()
	}
	return false
}

func asksInstance(err error) bool {
	var op *smithy.OperationError
	for errors.As(err, &op) {
		if op.ServiceID == imds.ServiceID {
			return true
		}
		err = op.Err
	}
	return false
}

// neverSent tells errors of calls that did not leave this machine: there were
// no credentials to sign them with, or no connection.
func neverSent(err error) bool {
	var dial *net.OpError
	return errors.As(err, new(*credentialsError)) || errors.As(err, &dial) && dial.Op == "dial"
}
