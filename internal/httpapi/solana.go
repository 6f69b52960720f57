package httpapi

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/wire"
)

var _ = resource((*Server).addSolana)

func (s *Server) addSolana() {
	register(s, operation{
		id: "signSolanaTransaction", method: http.MethodPost, path: "/v1/solana/transactions", tag: "Signatures",
		scopes: []Scope{Sign}, summary: "Sign a Solana transaction", body: smallBody, status: http.StatusAccepted,
		also: []int{http.StatusOK}, codes: append([]string{string(wire.CodeBadTransaction)}, unreadable...),
		text: "Legacy or version 0. Each node reads it itself, and signs what its policy allows.",
	}, s.signSolana)
}

type SolanaInput struct {
	WaitParam
	Idempotent
	Body struct {
		Transaction []byte   `json:"transaction" minLength:"4" doc:"As wallets serialise it, with a place for each signature: zeros, or what others have signed"`
		Signers     []Signer `json:"signers" minItems:"1" maxItems:"16"`
		Approvable
	}
}

type Signer struct {
	Key  string `json:"key" minLength:"1" maxLength:"64" doc:"Id of the key"`
	Path string `json:"path,omitempty" maxLength:"96" pattern:"^[0-9/'hH]*$" doc:"From the key to the child that signs, such as 0/17" example:"0/17"`
}

func (s *Server) signSolana(ctx context.Context, in *SolanaInput) (*AnswerOutput, error) {
	b := &in.Body
	return s.signRead(ctx, in.IdempotencyKey, in.duration(), b.Approvable,
		wanted{body: in.Body, kind: wire.KindSign, count: len(b.Signers)},
		func(cl *claimed, keys *keyring, wait client.Wait, expires time.Time) (*client.Made[client.Signed], error) {
			req := client.SignSolanaRequest{Transaction: b.Transaction, JobID: cl.Job, Expires: expires, Wait: wait}
			for i, from := range b.Signers {
				k, err := keys.known(cl.client, from.Key, fmt.Sprintf("body.signers[%d].key", i))
				if err != nil {
					return nil, err
				}
				req.Signers = append(req.Signers, client.Signer{Key: k, Path: from.Path})
			}
			return cl.client.Maker().SolanaTransaction(req)
		},
		func(a *Answer, r *client.Signed) { a.Transaction = base64.StdEncoding.EncodeToString(r.Transaction) })
}
