package httpapi

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Approvable are the fields of requests that may wait for people.
type Approvable struct {
	ApproveWithin string `json:"approve_within,omitempty" pattern:"^([1-9][0-9]{0,3}h)?([1-9][0-9]{0,4}m)?([1-9][0-9]{0,5}s)?$" minLength:"2" example:"24h" doc:"How long the job may wait for approvals that policies want: up to 168h. Without it, it does not wait"`
	ExpiresAfter  string `json:"expires_after,omitempty" pattern:"^([1-9][0-9]{0,3}h)?([1-9][0-9]{0,4}m)?([1-9][0-9]{0,5}s)?$" minLength:"2" example:"10m" doc:"How long the fleet may sign it from the last approval on: up to 1h, 10m without it. Only with approve_within"`
}

// durations are the two, or what is wrong with them.
func (a Approvable) durations() (within, after time.Duration, err error) {
	within, errWithin := time.ParseDuration(a.ApproveWithin)
	after, errAfter := time.ParseDuration(a.ExpiresAfter)
	var fault Fault
	switch {
	case a.ApproveWithin == "" && a.ExpiresAfter == "":
		return 0, 0, nil
	case errWithin != nil || within > client.MaxWait:
		fault = Fault{"body.approve_within", "is to be a duration such as 24h, up to 168h"}
	case a.ExpiresAfter != "" && (errAfter != nil || after > client.MaxAfter):
		fault = Fault{"body.expires_after", "is to be a duration such as 10m, up to 1h"}
	default:
		return within, after, nil
	}
	p := problem("validation_failed", "validation failed")
	p.Errors = []Fault{fault}
	return 0, 0, p
}

// wait is that of a job, as its claim has it.
func (cl *claimed) wait(within, after time.Duration) (client.Wait, time.Time) {
	if within == 0 {
		return client.Wait{}, cl.Expires
	}
	return client.Wait{Until: cl.Expires, After: after}, time.Time{}
}

// unreadable are the problems of what nodes and gateways read, beside those of signing.
var unreadable = append([]string{string(wire.CodeNoInput), string(wire.CodeMissingAmount), string(wire.CodeBadInput),
	string(wire.CodeNotUnderstood)}, signing...)

var _ = resource((*Server).addPSBT)

func (s *Server) addPSBT() {
	register(s, operation{
		id: "signPSBT", method: http.MethodPost, path: "/v1/psbt", tag: "Signatures", scopes: []Scope{Sign},
		summary: "Sign a PSBT", body: largeBody, status: http.StatusAccepted, also: []int{http.StatusOK},
		codes: append([]string{string(wire.CodeBadPSBT)}, unreadable...),
		text: "Every input whose internal key is a child of one of the keys, for the key path (BIP 371). Each node reads the " +
			"PSBT itself, and signs what its policy allows.",
	}, s.signPSBT)
}

type PSBTInput struct {
	WaitParam
	Idempotent
	Body struct {
		PSBT     []byte   `json:"psbt" minLength:"8" doc:"BIP 174, version 0"`
		Keys     []string `json:"keys" minItems:"1" maxItems:"100" doc:"Ids of the keys under which inputs and change are looked for"`
		Partial  bool     `json:"partial,omitempty" doc:"Leave inputs of these keys unsigned that can't be signed; otherwise all are signed or none"`
		Finalize bool     `json:"finalize,omitempty" doc:"Make the signed inputs final, and give the transaction if all are"`
		Replaces string   `json:"replaces,omitempty" maxLength:"64" doc:"Id of a job whose fee this one bumps: of the same inputs and payments"`
		Approvable
	}
}

func (s *Server) signPSBT(ctx context.Context, in *PSBTInput) (*AnswerOutput, error) {
	b := &in.Body
	return s.signRead(ctx, in.IdempotencyKey, in.duration(), b.Approvable,
		wanted{body: in.Body, kind: wire.KindSign},
		func(cl *claimed, keys *keyring, wait client.Wait, expires time.Time) (*client.Made[client.Signed], error) {
			req := client.SignPSBTRequest{PSBT: b.PSBT, Partial: b.Partial, Finalize: b.Finalize, Replaces: b.Replaces,
				JobID: cl.Job, Expires: expires, Wait: wait}
			for i, id := range b.Keys {
				k, err := keys.known(cl.client, id, fmt.Sprintf("body.keys[%d]", i))
				if err != nil {
					return nil, err
				}
				req.Keys = append(req.Keys, k)
			}
			return cl.client.Maker().PSBT(req)
		},
		func(a *Answer, r *client.Signed) { a.PSBT, a.Transaction = r.PSBT, hex.EncodeToString(r.Transaction) })
}

// signRead has a job done that nodes read.
func (s *Server) signRead(ctx context.Context, key string, hold time.Duration, a Approvable, w wanted,
	make func(*claimed, *keyring, client.Wait, time.Time) (*client.Made[client.Signed], error),
	show func(*Answer, *client.Signed)) (*AnswerOutput, error) {
	within, after, err := a.durations()
	if err != nil {
		return nil, err
	}
	w.waits = within
	keys := s.keys(ctx)
	job, o, err := order(ctx, s, key, hold, w, func(cl *claimed) (*client.Made[client.Signed], error) {
		wait, expires := cl.wait(within, after)
		return make(cl, keys, wait, expires)
	})
	if err != nil {
		return nil, err
	}
	if o.result != nil && len(o.result.Refused) > 0 {
		o.state = directory.Partial
	}
	return answer(job, o, func(a *Answer, r *client.Signed) {
		showSigned(a, r)
		show(a, r)
	}), nil
}

func showSigned(a *Answer, r *client.Signed) {
	for _, sig := range r.Signatures {
		a.Signatures = append(a.Signatures, Signature{At: &sig.At, Key: sig.Key, Path: sig.Path,
			PublicKey: hex.EncodeToString(sig.PublicKey), Signature: hex.EncodeToString(sig.Signature)})
	}
	for _, refused := range r.Refused {
		a.Signatures = append(a.Signatures, Signature{At: &refused.At, Code: string(refused.Code), Error: refused.Message})
	}
}
